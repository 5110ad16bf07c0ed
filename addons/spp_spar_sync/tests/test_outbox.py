"""An edit of a primary account or of the document behind it is queued in the edit's own transaction."""

from odoo.exceptions import UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import SparCase


@tagged("post_install", "-at_install")
class TestOutbox(SparCase):
    def test_first_account_is_queued_with_everything_that_identifies_it(self):
        person = self.person("A1")
        (change,) = self.queued(person)
        self.assertEqual(
            (change.op, change.state, change.seq, change.spar_id, change.target_fa, change.target_masked),
            ("set", "pending", 1, "token:A1@nationalId", "account:1000000001@FB01", "account:••••0001@FB01"),
        )
        self.assertEqual(change.payload["fa"], change.target_fa)
        self.assertEqual(change.payload["reference_id"], change.reference_id)
        self.assertEqual(self.primary(person).spar_state, "pending")

    def test_replaced_and_ended_accounts_are_queued_in_order(self):
        person = self.person("A1")
        self.env.cr.flush()
        self.account(person, "2000000002")
        self.env.cr.flush()
        self.primary(person).write({"state": "ended"})
        changes = self.queued(person)
        self.assertEqual(changes.mapped("seq"), [1, 2, 3])
        self.assertEqual(changes.mapped("op"), ["set", "set", "unset"])
        self.assertEqual(changes[1].target_fa, "account:2000000002@FB01")

    def test_one_transaction_makes_one_change(self):
        person = self.person("A1")
        self.account(person, "2000000002")
        self.account(person, "3000000003")
        self.env.cr.flush()
        self.assertEqual(self.queued(person).mapped("target_fa"), ["account:3000000003@FB01"])

    def test_same_account_again_is_no_change(self):
        person = self.person("A1")
        self.primary(person).write({"number": "1000000001", "holder": "A. Devi"})
        self.mapper._record([person.id])
        self.assertEqual(len(self.queued(person)), 1)

    def test_number_provider_and_kind_are_changes(self):
        person = self.person("A1")
        account = self.primary(person)
        bank = self.env["res.bank"].create({"name": "Second", "bic": "SB02"})
        for vals in (
            {"number_entry": "3000000003"},
            {"provider_id": bank.id},
            {"kind": "mobile_wallet", "number": "+250780000001"},
        ):
            self.env.cr.flush()
            account.write(vals)
        self.assertEqual(
            self.queued(person).mapped("target_fa"),
            [
                "account:1000000001@FB01",
                "account:3000000003@FB01",
                "account:3000000003@SB02",
                "mobile:+250780000001@SB02",
            ],
        )

    def test_who_lacks_the_document_is_listed_and_queued_when_it_comes(self):
        person = self.person(None)
        account = self.primary(person)
        self.assertFalse(self.queued(person))
        self.assertEqual(account.spar_state, "no_id")
        self.assertIn(account, account.search([("spar_state", "=", "no_id")]))
        self.assertEqual(self.mapper.status()["no_id"], account.search_count([("spar_state", "=", "no_id")]))
        self.document(person, "A1")
        self.assertEqual(self.queued(person).spar_id, "token:A1@nationalId")
        self.assertNotIn(account, account.search([("spar_state", "=", "no_id")]))

    def test_a_document_that_spar_cannot_carry_is_no_id(self):
        person = self.person("A 1@2")
        self.assertFalse(self.queued(person))
        self.assertEqual(self.primary(person).spar_state, "no_id")

    def test_account_that_makes_no_string_waits_for_a_correction_in_plain_words(self):
        person = self.person("A1", number=None)
        account = self.account(person, "1000000001", provider_id=False)
        (change,) = self.queued(person)
        self.assertEqual((change.state, change.reason), ("failed", "The provider's code (BIC) is missing."))
        self.assertEqual(account.spar_state, "failed")
        with self.assertRaises(UserError):
            change.with_user(self.officer()).action_retry()
        account.provider_id = self.bank
        self.assertEqual(account.spar_state, "pending")

    def officer(self):
        return self.env["res.users"].create(
            {
                "name": "Officer",
                "login": "spar_officer",
                "groups_id": [(6, 0, [self.env.ref("spp_base.group_enrollment_officer").id])],
            }
        )

    def test_edit_that_is_rolled_back_leaves_nothing_queued(self):
        person = self.person("A1", number=None)
        with self.assertRaises(ZeroDivisionError), self.env.cr.savepoint():
            self.account(person, "1000000001")
            self.assertTrue(self.queued(person))
            raise ZeroDivisionError
        self.assertFalse(self.queued(person))

    def test_no_query_per_person(self):
        people = [self.person(f"Q{number}", number=None) for number in range(40)]
        self.env.flush_all()

        def enter(people):
            vals = [
                {
                    "partner_id": person.id,
                    "number": f"10{person.id}",
                    "provider_id": self.bank.id,
                    "is_primary": True,
                }
                for person in people
            ]
            before = self.env.cr.sql_log_count
            accounts = self.env["spp.payment.account"].create(vals)
            self.env.flush_all()
            accounts.mapped("spar_state")
            return self.env.cr.sql_log_count - before

        enter(people[:2])
        few, many = enter(people[2:4]), enter(people[4:])
        self.assertLess(many - few, 36, "less than one query for each of 34 more people")
        self.assertEqual(self.changes.search_count([("partner_id", "in", [p.id for p in people])]), 40)

    def test_corrected_document_moves_the_id_old_before_new(self):
        person = self.person("A1")
        self.env.cr.flush()
        person.document_ids.write({"value": "A2"})
        link, unlink, relink = self.queued(person)
        self.assertEqual((unlink.op, unlink.spar_id, unlink.seq), ("unset", "token:A1@nationalId", 2))
        self.assertEqual((relink.op, relink.spar_id, relink.seq), ("set", "token:A2@nationalId", 1))
        self.assertEqual(relink.after_id, unlink)
        self.assertEqual(self.primary(person).spar_state, "pending")
        self.assertTrue(link)

    def test_what_replaces_a_waiting_change_waits_too(self):
        person = self.person("A1")
        self.env.cr.flush()
        person.document_ids.write({"value": "A2"})
        self.env.cr.flush()
        self.account(person, "2000000002")
        _link, unlink, relink, younger = self.queued(person)
        self.assertEqual(
            (younger.spar_id, younger.after_id, younger.next_try_at), (relink.spar_id, unlink, False)
        )
        self.drain()
        self.drain()
        self.assertEqual((relink.state, younger.state), ("superseded", "done"))
        self.assertEqual(self.spar()[0], {"token:A2@nationalId": "account:2000000002@FB01"})

    def test_what_waits_for_a_change_that_was_concluded_unseen_goes_with_the_next_pass(self):
        person = self.person("A1")
        self.env.cr.flush()
        person.document_ids.write({"value": "A2"})
        relink = self.queued(person)[-1]
        self.env.cr.flush()
        # By a drain that did not see who waits: their change was not committed yet.
        self.env.cr.execute(
            "UPDATE spp_spar_change SET state = 'done', next_try_at = NULL WHERE spar_id = 'token:A1@nationalId'"
        )
        self.drain()
        self.assertEqual(relink.state, "done")

    def test_withdrawn_document_removes_the_link(self):
        person = self.person("A1")
        self.env.cr.flush()
        person.document_ids.action_withdraw()
        self.assertEqual(self.queued(person)[-1].op, "unset")
        self.assertEqual(self.primary(person).spar_state, "no_id")
        person.document_ids.action_accept()
        self.assertEqual(self.queued(person)[-1].op, "set")

    def test_without_an_active_mapper_nothing_is_queued_and_activating_one_catches_up(self):
        self.mapper.active = False
        person = self.person("A1")
        self.env.cr.flush()
        self.assertFalse(self.queued(person))
        self.assertEqual(self.primary(person).spar_state, "none")
        self.mapper.active = True
        self.mapper._job_catch_up()
        self.assertEqual(self.queued(person).mapped("op"), ["set"])

    def test_other_id_template_moves_everybody(self):
        person = self.person("A1")
        self.env.cr.flush()
        self.mapper.id_template = "vid:{value}@nid"
        self.mapper._job_catch_up()
        self.assertEqual(self.queued(person).mapped("op"), ["set", "unset", "set"])

    @mute_logger("odoo.sql_db")
    def test_wrong_templates_are_refused(self):
        for name, template in [("id_template", "token@nid"), ("fa_bank", "a:{nr}"), ("fa_iban", "{number")]:
            with self.assertRaises(ValidationError):
                self.mapper[name] = template

    def test_job_is_one_for_many_changes(self):
        jobs = self.env["queue.job"].search([("identity_key", "=", f"spar-drain-{self.mapper.id}")])
        jobs.unlink()
        for value in ("A1", "A2", "A3"):
            self.person(value)
            self.env.cr.flush()
        jobs = self.env["queue.job"].search([("identity_key", "=", f"spar-drain-{self.mapper.id}")])
        self.assertEqual(len(jobs), 1)
