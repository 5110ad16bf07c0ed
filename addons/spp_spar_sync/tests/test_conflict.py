"""A conflict is settled by an officer with a reason, on what SPAR was seen to hold."""

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .common import SparCase

OURS, THEIRS, THIRD = "account:2000000002@FB01", "mobile:+25078999@MOMO", "account:7@X"
SPAR_ID = "token:A1@nationalId"


@tagged("post_install", "-at_install")
class TestConflict(SparCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.officer, cls.viewer = cls.users_of("enrollment_officer", "program_viewer")

    def setUp(self):
        super().setUp()
        self.control("set", id=SPAR_ID, fa=THEIRS)
        self.registrant = self.person("A1", "2000000002")
        self.drain()
        self.change = self.queued(self.registrant)
        self.assertEqual(self.change.state, "conflict")

    def settle(self, choice, reason="The bank confirmed it"):
        return self.change.with_user(self.officer).action_resolve_conflict(choice, reason)

    def test_ours_wins(self):
        self.assertIs(self.settle("ours"), True)
        self.drain()
        self.assertEqual(self.spar()[0], {SPAR_ID: OURS})
        self.assertEqual(self.change.state, "done")
        self.assertEqual((self.change.decision, self.change.decided_by), ("ours", self.officer))

    def test_ours_wins_only_over_what_was_seen(self):
        self.settle("ours")
        self.control("set", id=SPAR_ID, fa=THIRD)
        self.drain()
        self.assertEqual(self.change.state, "conflict")
        self.assertEqual(self.spar()[0], {SPAR_ID: THIRD})

    def test_theirs_is_kept_and_known(self):
        self.settle("theirs")
        self.drain()
        self.assertEqual(self.spar()[0], {SPAR_ID: THEIRS})
        account = self.primary(self.registrant)
        self.assertEqual(account.spar_state, "other")
        self.assertIn(account, account.search([("spar_state", "=", "other")]))

    def test_after_theirs_was_kept_the_next_account_of_ours_may_replace_it(self):
        self.settle("theirs")
        self.account(self.registrant, "3000000003")
        self.drain()
        self.assertEqual(self.spar()[0], {SPAR_ID: "account:3000000003@FB01"})

    def test_entering_what_spar_holds_ends_it_without_a_write(self):
        self.env["res.bank"].create({"name": "MoMo", "bic": "MOMO"})
        wallet = self.env["res.bank"].search([("bic", "=", "MOMO")])
        self.account(self.registrant, "+25078999", kind="mobile_wallet", provider_id=wallet.id)
        self.drain()
        self.assertEqual(self.change.state, "superseded")
        self.assertEqual(self.primary(self.registrant).spar_state, "done")
        self.assertEqual(self.spar()[1], [])

    def test_younger_edit_does_not_overwrite_unseen(self):
        self.account(self.registrant, "3000000003")
        self.drain()
        self.assertEqual(self.queued(self.registrant)[-1].state, "conflict")
        self.assertEqual(self.spar()[0], {SPAR_ID: THEIRS})
        with self.assertRaises(UserError):
            self.settle("ours")

    def test_a_reason_and_the_right_are_needed(self):
        for choice, reason in (("ours", " "), ("ours", ""), ("mine", "because")):
            with self.assertRaises(UserError):
                self.settle(choice, reason)
        with self.assertRaises(AccessError):
            self.change.with_user(self.viewer).action_resolve_conflict("ours", "because")

    def test_wizard_and_trail(self):
        action = self.change.with_user(self.officer).action_open_settlement()
        wizard = (
            self.env["spp.spar.settlement"]
            .with_user(self.officer)
            .with_context(**action["context"])
            .create({"choice": "theirs", "reason": "She showed the wallet"})
        )
        self.assertEqual(wizard.observed_masked, self.change.observed_masked)
        wizard.action_settle()
        entry = self.env["spp.audit.entry"].search(
            [("res_model", "=", "spp.spar.change"), ("res_id", "=", self.change.id)]
        )
        self.assertEqual((entry.user_id, entry.note), (self.officer, "She showed the wallet"))
        self.assertNotIn("25078999", f"{entry.old}{entry.new}")

    def test_refused_change_can_be_tried_again(self):
        self.change.write({"state": "failed", "next_try_at": False})
        self.control("set", id=SPAR_ID, fa=None)
        self.change.with_user(self.officer).action_retry()
        self.drain()
        self.assertEqual(self.change.state, "done")
