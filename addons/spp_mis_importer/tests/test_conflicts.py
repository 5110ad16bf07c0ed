"""A value that changed here and at the source: who wins is a setting, and nothing is decided unseen."""

from odoo.tests import TransactionCase, tagged

from .common import MisMixin


@tagged("post_install", "-at_install")
class TestConflicts(MisMixin, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.do_import()
        cls.flora = cls.registrant("individual", 8)

    def setUp(self):
        super().setUp()
        self.control("reset")

    def conflicts(self):
        return self.env["spp.mis.conflict"].search([("source_id", "=", self.source.id)])

    def both_change(self):
        self.flora.birth_place = "Here"
        self.at_source("res.partner", 8, {"birth_place": "There", "email": "there@example.org"})
        run = self.do_import()
        self.assertEqual((run.state, run.counts["Updated"]), ("done", 1))
        self.assertEqual(self.flora.email, "there@example.org", "what changed there only is taken")

    def test_edited_here_only_stays(self):
        self.flora.birth_place = "Here"
        self.at_source("res.partner", 8, {"email": "there@example.org"})
        self.do_import()
        self.assertEqual((self.flora.birth_place, self.flora.email), ("Here", "there@example.org"))
        self.assertFalse(self.conflicts())

    def test_a_person_is_asked_with_both_values(self):
        self.both_change()
        self.assertRecordValues(
            self.conflicts(),
            [
                {
                    "partner_id": self.flora.id,
                    "field_label": "Place of birth",
                    "ours": "Here",
                    "theirs": "There",
                    "state": "open",
                }
            ],
        )
        self.assertEqual((self.flora.birth_place, self.source.conflict_count), ("Here", 1))
        self.do_import()
        self.assertEqual(len(self.conflicts()), 1, "the same again is no new conflict")
        self.assertEqual(self.flora.birth_place, "Here")

    def test_taking_the_sources_value(self):
        self.both_change()
        self.conflicts().action_take_theirs()
        self.assertEqual((self.flora.birth_place, self.conflicts().state), ("There", "theirs"))
        self.assertEqual(self.conflicts().decided_by_id, self.env.user)
        entry = self.env["spp.audit.entry"].search([], order="id desc", limit=1)
        self.assertEqual((entry.res_model, entry.res_id), ("res.partner", self.flora.id))

    def test_keeping_ours_until_the_source_changes_again(self):
        self.both_change()
        self.conflicts().action_keep_ours()
        self.do_import()
        self.assertEqual((self.flora.birth_place, self.conflicts().state), ("Here", "ours"))
        self.at_source("res.partner", 8, {"birth_place": "Elsewhere"})
        self.do_import()
        self.assertEqual((self.conflicts().state, self.conflicts().theirs), ("open", "Elsewhere"))

    def test_the_source_wins(self):
        self.source.conflict_policy = "source"
        self.both_change()
        self.assertEqual((self.flora.birth_place, self.conflicts().state), ("There", "theirs"))
        self.assertEqual(self.conflicts().ours, "Here", "what was here is still to be seen")

    def test_ours_wins(self):
        self.source.conflict_policy = "ours"
        self.both_change()
        self.assertEqual((self.flora.birth_place, self.conflicts().state), ("Here", "ours"))

    def test_both_sides_agree_in_the_end(self):
        self.both_change()
        self.at_source("res.partner", 8, {"birth_place": "Here"})
        self.do_import()
        self.assertEqual(self.conflicts().state, "same")

    def test_the_sources_value_of_every_kind_of_field(self):
        self.flora.write({"birthdate": "1970-01-01", "gender": "other"})
        self.at_source("res.partner", 8, {"birthdate": "1971-01-01", "gender": "Male"})
        self.do_import()
        self.assertEqual(len(self.conflicts()), 2)
        self.conflicts().action_take_theirs()
        self.assertEqual((str(self.flora.birthdate), self.flora.gender), ("1971-01-01", "male"))

    def test_empty_at_the_source(self):
        self.at_source("res.partner", 8, {"birth_place": None, "address": None})
        self.do_import()
        self.assertEqual((self.flora.birth_place, self.flora.street), ("Oriental", "1 Main Road"))
        self.control("reset")
        self.source.empty_overwrites = True
        self.flora.email = "here@example.org"  # the source never said anything of it
        self.at_source("res.partner", 8, {"birth_place": None, "address": None, "given_name": "Flo"})
        self.do_import()
        self.assertEqual((self.flora.birth_place, self.flora.street), (False, False))
        self.assertEqual(self.flora.email, "here@example.org")

    def test_account_that_the_source_replaced(self):
        number = self.account_at_source()
        self.at_source("res.partner.bank", number, {"acc_number": "ACC REPLACED"})
        self.do_import()
        accounts = self.flora.payment_account_ids
        self.assertEqual(accounts.filtered("is_primary").number, "ACC REPLACED")
        self.assertEqual(accounts.filtered(lambda one: one.number == "ACC00000001").state, "ended")
        self.do_import()
        self.assertEqual(len(self.flora.payment_account_ids), 2)

    def test_account_that_the_source_took_away(self):
        self.at_source("res.partner.bank", self.account_at_source(), None)
        self.do_import()
        account = self.flora.payment_account_ids
        self.assertEqual(
            (account.state, account.is_primary), ("active", True), "it may be a lost right to read"
        )
        self.control("reset")
        self.source.empty_overwrites = True
        self.do_import()
        local = self.env["spp.payment.account"].create(
            {"partner_id": self.flora.id, "kind": "bank", "number": "LOCAL"}
        )
        self.at_source("res.partner.bank", self.account_at_source(), None)
        self.at_source("res.partner", 8, {"birth_place": "Elsewhere"})
        self.do_import()
        self.assertEqual((account.state, account.is_primary), ("ended", False))
        self.assertEqual(local.state, "active", "what was added here is never taken away")
        self.control("reset")
        self.do_import()
        self.assertEqual(account.state, "ended", "an account that ended here is not taken up again by itself")

    def test_account_chosen_here_stays_until_somebody_decides(self):
        local = self.env["spp.payment.account"].create(
            {"partner_id": self.flora.id, "kind": "bank", "number": "LOCAL"}
        )
        local.action_make_primary()
        self.at_source("res.partner.bank", self.account_at_source(), {"acc_number": "ACC REPLACED"})
        self.do_import()
        self.assertTrue(local.is_primary)
        conflict = self.conflicts()
        self.assertEqual((conflict.state, conflict.field_label), ("open", "Primary account"))
        self.assertNotIn("REPLACED", conflict.theirs, "numbers are masked")
        conflict.action_take_theirs()
        primary = self.flora.payment_account_ids.filtered("is_primary")
        self.assertEqual(primary.number, "ACC REPLACED")

    def account_at_source(self):
        with self.source._reader() as reader:
            found = reader.call("res.partner.bank", "search", [[["partner_id", "=", 8]]])
        return found[0]
