"""What keeps the outbox going: skip, pause and resume, the daily check, the numbers on the board."""

from odoo.exceptions import AccessError, UserError
from odoo.sql_db import db_connect
from odoo.tests import tagged

from .common import SparCase

OLD, NEW, OTHER = "account:1000000001@FB01", "account:2000000002@FB01", "mobile:+25078999@MOMO"
SPAR_ID = "token:A1@nationalId"


@tagged("post_install", "-at_install")
class TestOperations(SparCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.officer, cls.viewer = cls.users_of("enrollment_officer", "program_viewer")

    # Skip

    def test_a_poison_change_is_skipped_with_a_reason_and_taken_up_again(self):
        person = self.person("A1")
        self.fault("error", "/sync/link", status=400)
        self.drain()
        change = self.queued(person).with_user(self.officer)
        with self.assertRaises(UserError):
            change.action_skip(" ")
        with self.assertRaises(AccessError):
            change.with_user(self.viewer).action_skip("No")
        wizard = self.env["spp.spar.skip"].with_user(self.officer)
        wizard = wizard.with_context(**change.action_open_skip()["context"]).create({"reason": "Not hers"})
        wizard.action_skip()
        self.assertEqual(
            (change.state, change.decision, change.decided_by), ("superseded", "skipped", self.officer)
        )
        self.assertEqual(self.primary(person).spar_state, "skipped")
        entry = self.env["spp.audit.entry"].search([("action", "=", "SPAR change skipped")], limit=1)
        self.assertEqual((entry.user_id, entry.note, entry.partner_id), (self.officer, "Not hers", person))
        self.mapper._record([person.id])
        self.drain()
        self.assertFalse(self.spar()[0], "skipped stays skipped")
        change.action_retry()
        self.drain()
        self.assertEqual((change.state, self.spar()[0]), ("done", {SPAR_ID: OLD}))

    def test_skipping_lets_go_what_waits_behind(self):
        person = self.person("A1")
        self.drain()
        person.document_ids.write({"value": "A2"})
        self.fault("error", "/sync/unlink", status=400, times=None)
        self.drain()
        _link, unlink, relink = self.queued(person)
        self.assertEqual((unlink.state, relink.state, relink.next_try_at), ("failed", "pending", False))
        self.assertIn("former ID", relink.reason)
        unlink.with_user(self.officer).action_skip("The old ID is somebody else's by now")
        self.drain()
        self.assertEqual(relink.state, "done")
        self.assertFalse(relink.reason)

    def test_what_is_confirmed_or_replaced_is_not_skipped(self):
        person = self.person("A1")
        self.drain()
        with self.assertRaises(UserError):
            self.queued(person).with_user(self.officer).action_skip("No")
        self.account(person, "2000000002")
        self.env.cr.flush()
        self.account(person, "3000000003")
        with self.assertRaises(UserError):
            self.queued(person)[1].with_user(self.officer).action_skip("No")

    def test_nothing_is_decided_while_a_drain_is_at_it(self):
        change = self.queued(self.person("A1"))
        with db_connect(self.env.cr.dbname).cursor() as other:
            other.execute("SELECT pg_advisory_lock(hashtextextended(%s, %s))", [SPAR_ID, self.mapper.id])
            with self.assertRaisesRegex(UserError, "being sent"):
                change.with_user(self.officer).action_skip("No")
            other.execute("SELECT pg_advisory_unlock_all()")
        change.with_user(self.officer).action_skip("Yes")

    # Pause

    def test_pause_and_resume(self):
        person = self.person("A1")
        with self.assertRaises(UserError):
            self.mapper.with_user(self.officer).action_pause("")
        for method in ("action_pause", "action_resume"):
            with self.assertRaises(AccessError):
                getattr(self.mapper.with_user(self.viewer), method)(*["No"][: method == "action_pause"])
        action = self.mapper.with_user(self.officer).action_open_pause()
        wizard = self.env["spp.spar.pause"].with_user(self.officer).with_context(**action["context"])
        wizard.create({"reason": "SPAR moves"}).action_pause()
        self.assertEqual(self.mapper.status()["paused"], "enrollment_officer: SPAR moves")
        self.drain()
        self.assertEqual(self.spar()[1], [])
        self.mapper.with_user(self.officer).action_resume()
        self.drain()
        self.assertEqual(self.queued(person).state, "done")
        trail = self.env["spp.audit.entry"].search([("res_model", "=", "spp.spar.mapper")], limit=2)
        self.assertEqual(set(trail.mapped("action")), {"SPAR paused", "SPAR resumed"})

    # The board

    def test_the_numbers_of_the_board(self):
        self.assertFalse(self.mapper.oldest_waiting_at)
        self.control("set", id="token:C1@nationalId", fa=OTHER)
        people = [self.person(value) for value in ("C1", "C2", "C3", "C4")]
        self.env.cr.flush()
        self.queued(people[1]).payload = {}  # HTTP 400
        self.queued(people[2]).payload = {"reference_id": "x"}
        self.drain()
        self.fault("error", "/sync/link", status=503, times=None)
        last = self.person("C5")
        self.drain()
        self.env.invalidate_all()
        board = self.mapper.with_user(self.officer)
        self.assertEqual(
            (
                board.waiting_count,
                board.retry_count,
                board.conflict_count,
                board.failed_count,
                board.attention_count,
            ),
            (1, 1, 1, 2, 3),
        )
        self.assertEqual(board.oldest_waiting_at, self.queued(last).create_date)
        self.assertTrue(self.mapper.status()["oldest"])

    # The daily check

    def sample(self):
        self.env.cr.flush()
        result = self.mapper._job_sample()
        self.env.invalidate_all()
        return result

    def test_daily_check_finds_what_another_channel_changed(self):
        people = [self.person(f"A{number}") for number in range(1, 6)]
        self.drain()
        self.sample()
        self.assertEqual((self.mapper.sampled_count, self.mapper.sampled_differ), (5, 0))
        self.control("set", id=SPAR_ID, fa=OTHER)
        self.control("set", id="token:A2@nationalId", fa=None)
        self.sample()
        self.assertEqual((self.mapper.sampled_count, self.mapper.sampled_differ), (5, 2))
        self.assertEqual(self.queued(people[0]).state, "done", "the check only reads")
        self.drain()
        states = [self.queued(person).state for person in people]
        self.assertEqual(states, ["conflict", "conflict", "done", "done", "done"])
        self.assertEqual(self.queued(people[0]).observed_fa, OTHER)
        self.assertEqual(self.spar()[0][SPAR_ID], OTHER, "nothing was overwritten unseen")

    def test_a_late_replay_of_an_older_account_is_noticed(self):
        """Long after, when nobody waits for it any more: not overwritten again, but shown."""
        person = self.person("A1")
        self.drain()
        self.account(person, "2000000002")
        self.drain()
        change = self.queued(person)[-1]
        self.assertTrue(change.next_try_at, "looked at once more by itself")
        self.later()
        self.env.cr.execute("UPDATE spp_spar_change SET sent_at = sent_at - interval '1 day'")
        self.drain()
        self.assertEqual((change.state, change.next_try_at), ("done", False))
        self.control("set", id=SPAR_ID, fa=OLD)
        self.sample()
        self.drain()
        self.assertEqual((change.state, change.observed_fa, change.target_fa), ("conflict", OLD, NEW))

    def test_replay_within_the_quarter_of_an_hour_is_noticed_by_itself(self):
        person = self.person("A1")
        self.drain()
        self.account(person, "2000000002")
        self.drain()
        self.control("set", id=SPAR_ID, fa=OLD)
        self.later()
        self.drain()
        self.assertEqual(self.queued(person)[-1].state, "conflict")

    def test_check_that_cannot_be_made_says_why(self):
        self.person("A1")
        self.drain()
        self.fault("drop_before", "/sync/resolve")
        self.sample()
        self.assertTrue(self.mapper.sampled_problem)
        self.assertEqual(self.sample(), "1 accounts looked up, 0 differ")
        self.assertFalse(self.mapper.sampled_problem)
        self.endpoint._pause("Certificate is old")
        self.sample()
        self.assertIn("Certificate is old", self.mapper.sampled_problem)

    def test_check_is_for_who_sends_and_is_made_once_a_day(self):
        with self.assertRaises(AccessError):
            self.mapper.with_user(self.viewer).action_check_sample()
        jobs = self.env["queue.job"]
        key = [("identity_key", "=", f"spar-sample-{self.mapper.id}")]
        self.env.ref("spp_spar_sync.cron_spar_sample").ir_actions_server_id.run()
        self.assertEqual(jobs.search_count(key), 1)
        self.mapper.with_user(self.officer).action_check_sample()
        self.assertEqual(jobs.search_count(key), 1)
        jobs.search(key).unlink()
        self.mapper.sample_size = 0
        self.mapper.with_user(self.officer).action_check_sample()
        self.assertFalse(jobs.search_count(key))

    # Nobody waits for others

    def test_what_waits_for_later_is_not_read_each_time(self):
        """The plan reads what is due by an index, whatever waits behind it."""
        self.env["res.partner"].search([], limit=1)
        self.env.cr.execute("ANALYZE spp_spar_change")
        self.env.cr.execute("SET LOCAL enable_seqscan = off")
        queries = []
        execute = type(self.env.cr).execute

        def note(cr, query, params=None, log_exceptions=True):
            queries.append((getattr(query, "code", query), getattr(query, "params", params)))
            return execute(cr, query, params, log_exceptions)

        self.patch(type(self.env.cr), "execute", note)
        self.mapper._due_spar_ids(10)
        code, params = next(found for found in queries if "AS due" in found[0] or ") due" in found[0])
        execute(self.env.cr, "EXPLAIN " + code, params)
        plan = "\n".join(row[0] for row in self.env.cr.fetchall())
        self.assertIn("spp_spar_change_next_idx", plan)
        self.assertIn("Limit", plan)

    def test_when_spar_is_down_the_pass_ends_and_others_are_not_tried_in_vain(self):
        self.endpoint.base_url = "http://127.0.0.1:9"
        people = [self.person(f"D{number}") for number in range(130)]
        self.drain()
        tried = [person for person in people if self.queued(person).attempts]
        self.assertEqual(len(tried), 100)
        self.assertEqual({self.queued(person).state for person in people}, {"retry", "pending"})
