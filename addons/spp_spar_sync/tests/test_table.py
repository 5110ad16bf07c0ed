"""Every row of SPAR's error and retry table, played by a real mapper in both generations, ends as it should."""

from odoo.tests import tagged

from .common import SparCase

LINKED, PENDING = "token:A1@nationalId", ("retry", "done")


class Table:
    """The rows; `prefix` is where a generation has its operations."""

    prefix = ""

    def fault_at(self, operation, fault, **more):
        self.fault(fault, f"{self.prefix}/{operation}", **more)

    def outcome(self):
        """States that the change was in after each pass, until nothing waits any more; six at most."""
        seen = []
        change = self.queued(self.registrant)[-1]
        for _try in range(6):
            self.drain()
            seen.append(change.state)
            if change.state in ("done", "failed", "conflict") or self.endpoint.paused:
                break
            self.later()
        return tuple(seen)

    def setUp(self):
        super().setUp()
        self.registrant = self.person("A1")
        self.env.cr.flush()

    # No answer, or none of the mapper's: the outcome is unknown, so SPAR is asked before anything is written again

    def test_no_connection(self):
        self.fault_at("resolve", "drop_before")
        self.assertEqual(self.outcome(), PENDING)

    def test_answer_lost_and_applied(self):
        self.fault_at("link", "drop_after")
        self.assertEqual(self.outcome(), PENDING)
        self.assert_written("link")

    def test_answer_lost_and_not_applied(self):
        self.fault_at("link", "drop_before")
        self.assertEqual(self.outcome(), PENDING)
        self.assert_written("link")

    def test_http_502_503_504_429(self):
        for status in (502, 503, 504, 429):
            self.fault_at("link", "error", status=status)
        self.assertEqual(self.outcome(), ("retry",) * 4 + ("done",))
        self.assert_written("link")

    def test_fault_after_it_was_applied(self):
        self.fault_at("link", "error_after", status=500)
        self.assertEqual(self.outcome(), PENDING)
        self.assert_written("link")

    def test_fault_is_tried_again_for_long(self):
        """A 500 may be a missing signature or a fault that passes: it is never given up, and told on the board."""
        self.fault_at("link", "error", status=500, times=None)
        self.assertEqual(self.outcome(), ("retry",) * 6)
        self.assertEqual(self.mapper.retry_count, 1)
        self.assertIn("HTTP 500", self.queued(self.registrant).reason)

    def test_page_of_something_else(self):
        self.fault_at("link", "html")
        self.assertEqual(self.outcome(), PENDING)

    # The endpoint is paused: every other request would meet the same

    def test_refused_signature(self):
        self.fault_at("resolve", "refuse_all")
        self.assertEqual(self.outcome(), ("retry",))
        self.assertIn("signature", self.endpoint.pause_reason)
        self.endpoint.action_resume()
        self.assertEqual(self.outcome(), ("done",))

    def test_http_401_403_404_405(self):
        for status in (401, 403, 404, 405):
            self.fault_at("link", "error", status=status)
            self.assertEqual(self.outcome(), ("retry",), status)
            self.assertTrue(self.endpoint.paused, status)
            self.endpoint.action_resume()
        self.assertEqual(self.outcome(), ("done",))

    # A person corrects something

    def test_http_400(self):
        self.fault_at("link", "error", status=400)
        self.assertEqual(self.outcome(), ("failed",))

    def test_message_refused_for_good(self):
        for code in ("rjct.action.not_supported", "rjct.version.invalid", "rjct.total_count.limit_exceeded"):
            self.fault_at("link", "refuse_all", code=code)
            self.assertEqual(self.outcome(), ("failed",), code)
            self.assertEqual(self.queued(self.registrant).last_code, code)
            self.queued(self.registrant).write({"state": "retry", "next_try_at": "2026-01-01 00:00:00"})
        self.assertEqual(self.outcome(), ("done",))

    def test_unknown_and_internal_errors_are_given_up_after_five_tries(self):
        for code in ("rjct.internal.error", "rjct.errors.too_many", "rjct.other.error"):
            self.fault_at("link", "refuse_all", code=code, times=5)
            self.assertEqual(self.outcome(), ("retry",) * 4 + ("failed",), code)
            self.queued(self.registrant).write(
                {"state": "retry", "next_try_at": "2026-01-01 00:00:00", "attempts": 0}
            )
        self.assertEqual(self.outcome(), ("done",))

    # Refusals that are none

    def test_linked_already_with_our_account(self):
        self.fault_at("link", "duplicate")  # the second of two says that it exists
        self.assertEqual(self.outcome(), ("done",))

    def test_not_linked_any_more_when_we_update(self):
        self.outcome()
        self.account(self.registrant, "2000000002")
        self.env.cr.flush()
        self.fault_at("update", "drop_before")
        self.drain()
        self.control("set", id=LINKED, fa=None)
        self.later()
        self.drain()
        self.assertEqual(self.queued(self.registrant)[-1].state, "conflict", "somebody removed it")

    def test_not_linked_any_more_when_we_unlink(self):
        self.outcome()
        self.primary(self.registrant).action_end()
        self.env.cr.flush()
        self.fault_at("unlink", "drop_after")
        self.assertEqual(self.outcome(), PENDING)
        self.assertFalse(self.spar()[0])

    def test_update_and_unlink_follow(self):
        self.outcome()
        self.account(self.registrant, "2000000002")
        self.env.cr.flush()
        self.fault_at("update", "error_after", status=500)
        self.assertEqual(self.outcome(), PENDING)
        self.primary(self.registrant).action_end()
        self.env.cr.flush()
        self.assertEqual(self.outcome(), ("done",))
        self.assert_written("link", "update", "unlink")

    # One spoils the others

    def test_one_that_the_mapper_cannot_bear_keeps_nobody_else_back(self):
        people = [self.person(f"B{number}") for number in range(5)]
        self.env.cr.flush()
        spoilt = self.queued(people[2])
        spoilt.payload = {**spoilt.payload, "fa": 3}  # HTTP 400 for the whole message
        self.drain()
        states = [self.queued(person).state for person in people]
        self.assertEqual(states, ["done", "done", "failed", "done", "done"])
        self.assertEqual(self.queued(self.registrant).state, "done")

    def test_message_lost_as_a_whole_is_sent_again_one_by_one(self):
        people = [self.registrant, self.person("B1"), self.person("B2")]
        self.env.cr.flush()
        self.fault_at("link", "error_after", status=500)
        self.drain()
        self.assertEqual({self.queued(person).state for person in people}, {"retry"})
        self.later()
        self.drain()
        self.assertEqual({self.queued(person).state for person in people}, {"done"})
        self.assert_written("link", "link", "link")

    def assert_written(self, *operations):
        self.assertEqual(tuple(row["op"] for row in self.spar()[1] if row["status"] == "succ"), operations)


@tagged("post_install", "-at_install")
class TestTable1(Table, SparCase):
    prefix = "/sync"

    def test_strategy_is_told_along_where_there_is_one(self):
        self.mapper.strategy_bank = 2
        person = self.person("A2")
        self.assertEqual(self.queued(person).payload["additional_info"], [{"strategy_id": 2}])
        self.assertNotIn("additional_info", self.queued(self.registrant).payload)


@tagged("post_install", "-at_install")
class TestTable2(Table, SparCase):
    prefix = "/mapper"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mapper.dialect = "2.x"

    def test_typed_account_is_linked_and_read_back(self):
        self.assertEqual(self.outcome(), ("done",))
        change = self.queued(self.registrant)
        self.assertEqual((change.target_masked, change.observed_masked), ("BANK ••••0001 FB01",) * 2)
        self.assertEqual(
            self.spar()[0],
            {
                LINKED: "account_number:1000000001.branch_code:XXX.bank_code:FB01.mobile_number:.email_address:"
                ".fa_type:BANK_ACCOUNT"
            },
        )

    def test_account_of_another_kind_that_came_from_elsewhere_is_a_conflict(self):
        wallet = {
            "strategy_id": 4, "fa_type": "MOBILE_WALLET", "mobile_number": "+250780000001",
            "wallet_provider_name": "MoMo", "wallet_provider_code": "MM",
        }  # fmt: skip
        self.control("set", id=LINKED, fa=wallet)
        self.assertEqual(self.outcome(), ("conflict",))
        self.assertEqual(self.queued(self.registrant).observed_masked, "MOBILE_WALLET ••••0001 MM")

    def test_string_that_does_not_come_apart_is_a_conflict_and_ours_can_win(self):
        self.control("set", id=LINKED, fa="account:7@X")
        self.assertEqual(self.outcome(), ("conflict",))
        officer = self.env["res.users"].create(
            {
                "name": "Officer",
                "login": "spar_officer_2",
                "groups_id": [(6, 0, [self.env.ref("spp_base.group_enrollment_officer").id])],
            }
        )
        self.queued(self.registrant).with_user(officer).action_resolve_conflict("ours", "Seen her card")
        self.assertEqual(self.outcome(), ("done",))

    def test_unknown_strategy_ends_with_a_person_and_keeps_nobody_else_back(self):
        self.mapper.strategy_mobile_wallet = 99
        wallet = self.person("W1", number=None)
        self.account(wallet, "+250780000001", kind="mobile_wallet")
        self.env.cr.flush()
        for _try in range(5):
            self.drain()
            self.later()
        self.assertEqual(self.queued(wallet).state, "failed")
        self.assertIn("strategy", self.queued(wallet).reason)
        self.assertEqual(self.queued(self.registrant).state, "done")

    def test_change_of_generation_sends_only_what_differs(self):
        self.mapper.dialect = "1.1"
        self.mapper._job_catch_up()
        other = self.person("A9")
        self.env.cr.flush()
        self.drain()
        self.assertEqual(self.queued(other).state, "done")
        theirs = self.registrant
        self.mapper.dialect = "2.x"
        self.mapper._job_catch_up()
        self.control("set", id="token:A9@nationalId", fa=self.queued(other)[-1].payload["fa"])
        self.drain()
        self.assertEqual(self.queued(other)[-1].state, "done")
        self.assertEqual(
            self.queued(theirs)[-1].state, "conflict", "a string of 1.x does not come apart in 2.x"
        )
