"""No record is lost: what cannot be stored waits with its reason, and goes through once it can."""

from odoo.tests import TransactionCase, tagged

from ..models.spp_mis_mapping import TARGETS
from .common import MisMixin


@tagged("post_install", "-at_install")
class TestHeld(MisMixin, TransactionCase):
    def setUp(self):
        super().setUp()
        self.control("reset")

    def retry(self):
        run = self.env["spp.run"].browse(self.source.action_retry_held())
        self.work()
        self.env.invalidate_all()
        return run

    def mapping(self, kind, name):
        return self.source.mapping_ids.filtered(lambda one: (one.kind, one.name) == (kind, name))

    def test_unknown_names_wait_for_a_person(self):
        self.source.unknown_catalogue = "hold"
        run = self.do_import()
        self.assertEqual(run.state, "done")
        holder = self.held("individual:1110")
        held = self.env["spp.mis.held"].search([("reason", "like", "Barangay Certificate")])
        self.assertTrue(held, holder)
        self.assertIn("is not known here", held[0].reason)
        self.assertTrue(self.mapping("id_type", "Barangay Certificate").is_open)
        self.assertTrue(self.mapping("bank", "First Rural Bank").is_open)
        self.assertFalse(self.mapping("id_type", "National ID").is_open)
        waiting = self.source.held_count
        # A person decides; what waited goes through, and so do the places in households that waited for it.
        self.mapping("id_type", "Barangay Certificate").identity_type_id = self.env[
            "spp.identity.type"
        ].create({"name": "Village paper", "code": "village"})
        self.mapping("id_type", "Social Security No.").identity_type_id = self.env[
            "spp.identity.type"
        ].create({"name": "Social security", "code": "sss"})
        for name in ("First Rural Bank", "Coastal Savings Bank"):
            self.mapping("bank", name).bank_id = self.env["res.bank"].create({"name": f"{name} here"})
        run = self.retry()
        self.assertEqual(run.state, "done", run.message)
        self.assertLess(self.source.held_count, waiting)
        self.assertEqual(self.source.held_count, 2)
        self.assertEqual(self.source.registrant_count, 289)
        person = self.registrant("individual", int(held[0].external_id.partition(":")[2]))
        self.assertIn("Village paper", person.document_ids.type_id.mapped("name"))
        self.assertTrue(person.membership_ids)
        self.assertEqual(held.mapped("state"), ["stored"] * len(held))
        self.assertFalse(any(one.payload for one in held))

    def test_a_name_that_gets_a_meaning_lets_through_what_waited_for_it(self):
        self.source.unknown_catalogue = "hold"
        self.do_import()
        waiting = self.env["spp.mis.held"].search(
            [("source_id", "=", self.source.id), ("state", "=", "waiting"), ("cause", "=", "name")]
        )
        self.assertTrue(waiting)
        for mapping in self.source.mapping_ids.filtered("is_open"):
            model = self.env[mapping[TARGETS[mapping.kind]]._name]
            values = {"name": f"Ours {mapping.name}"}
            if "code" in model._fields:
                values["code"] = f"ours_{mapping.id}"
            mapping[TARGETS[mapping.kind]] = model.create(values)
        self.work()  # nobody pressed anything; what came while a run was at work, the cron starts
        self.env.ref("spp_mis_importer.cron_mis_import").ir_actions_server_id.run()
        self.work()
        self.env.invalidate_all()
        self.assertFalse(waiting.filtered(lambda held: held.state == "waiting" and held.cause == "name"))
        self.assertFalse(self.source.names_settled)

    def test_what_waited_too_long_is_forgotten(self):
        self.do_import()
        held = self.held("individual:1116")
        purge = self.env.ref("spp_mis_importer.cron_mis_purge").ir_actions_server_id
        purge.run()
        self.assertEqual(held.state, "waiting")
        held.last_attempt = "2020-01-01"
        purge.run()
        self.assertEqual((held.state, held.payload), ("forgotten", False))
        self.do_import()
        self.assertEqual(held.state, "waiting", "the source brings it again")

    def test_unknown_gender_waits_whatever_the_setting(self):
        self.at_source("res.partner", 8, {"gender": "Femme"})
        self.do_import()
        self.assertIn("Gender “Femme” is not known here", self.held("individual:8").reason)
        self.mapping("gender", "Femme").gender = "female"
        run = self.retry()
        self.assertEqual(
            (run.counts["Created"] >= 1, self.registrant("individual", 8).gender), (True, "female")
        )
        # Its place in the household waited, too.
        self.assertEqual(self.registrant("group", 7).head_id, self.registrant("individual", 8))

    def test_corrected_at_the_source_the_next_import_brings_it(self):
        first = self.do_import()
        self.at_source("res.partner", 1116, {"birthdate": "1989-02-28"})
        second = self.do_import()
        person = self.registrant("individual", 1116)
        self.assertEqual(str(person.birthdate), "1989-02-28")
        self.assertTrue(person.membership_ids, "the place that waited was taken")
        self.assertEqual((second.counts["Created"], second.counts["Held"]), (1, 0))
        self.assertEqual(self.source.held_count, 0)
        self.assertTrue(all(first.failure_ids.mapped("resolved")))

    def test_retry_without_a_change_waits_on(self):
        self.do_import()
        run = self.retry()
        self.assertEqual((run.state, run.counts["Held"], run.counts["Failed"]), ("done", 1, 1))
        self.assertEqual(self.held("individual:1116").attempts, 2)
        run = self.env["spp.run"].browse(self.held("individual:1116").action_retry())
        self.work()
        self.assertEqual((run.counts["Held"], run.counts["Failed"]), (0, 1))

    def test_retry_of_one_run(self):
        first = self.do_import()
        run = self.env["spp.run"].browse(self.source._run_retry(first))
        self.work()
        self.assertEqual((run.kind, run.counts["Read"]), ("mis_retry", 2))

    def test_dismissed_is_forgotten_until_it_comes_again(self):
        self.do_import()
        held = self.held("individual:1116")
        held.action_dismiss()
        self.assertEqual((held.state, held.payload), ("dismissed", False))
        self.do_import()
        self.assertEqual((held.state, held.attempts), ("waiting", 1))

    def test_summary_masks_numbers(self):
        self.at_source("res.partner", 8, {"birthdate": "never"})
        self.do_import()
        held = self.held("individual:8")
        self.assertIn("ACC00000001", str(held.payload))
        lines = held.summary.splitlines()
        self.assertEqual(lines[0], "Name: ABADA, FLORA")
        self.assertIn("Date of birth: never", lines)
        self.assertIn("Address: 1 Main Road, Village 1", lines)
        self.assertIn("Document: National ID, ••••0001, 2031-01-01", lines)
        self.assertIn("Account: Coastal Savings Bank, ••••0001", lines)
        for secret in ("ACC00000001", "NID-000001", "+639170000001"):
            self.assertNotIn(secret, held.summary)

    def test_account_without_a_bank_name_is_stored(self):
        self.at_source("res.partner.bank", 1, {"bank_id": None})
        self.do_import()
        account = self.registrant("individual", 8).payment_account_ids
        self.assertEqual(
            (account.number, account.provider_id.id, account.is_primary), ("ACC00000001", False, True)
        )
