"""The pages of open risks: who could take a payment from entry to release alone, and who had several parts."""

from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import AS_OF, ROLES, ProgramsCase


@tagged("post_install", "-at_install")
class TestSeparation(ProgramsCase):
    def user(self, login, *roles):
        return new_test_user(
            self.env, login=f"sep_{login}", groups=",".join(f"spp_base.group_{role}" for role in roles)
        )

    def line(self, user):
        self.env.flush_all()
        self.env.invalidate_all()
        return (
            self.env["spp.separation.risk"]
            .with_user(self.users["auditor"])
            .search([("user_id", "=", user.id)])
        )

    def make_chain(self, **vals):
        return self.env["spp.approval.chain"].create(
            {
                "name": "Cycles",
                "kind": "cycle",
                "level_ids": [(0, 0, {"name": "One", **vals.pop("level")})],
                **vals,
            }
        )

    def test_who_could(self):
        everything = self.user("all", "enrollment_officer", "program_manager", "approver", "payment_releaser")
        two = self.user("two", "program_manager", "payment_releaser")
        one = self.user("one", "payment_releaser", "finance_officer")
        line = self.line(everything)
        self.assertEqual(
            (line.risk, line.enters, line.prepares, line.approves, line.releases),
            ("all", True, True, True, True),
        )
        self.assertEqual(self.line(two).risk, "some")
        self.assertFalse(self.line(one))
        self.assertEqual(self.line(self.users["admin"]).risk, "roles")
        everything.active = False
        self.assertFalse(self.line(everything))

    def test_chains_and_deputies_count(self):
        two = self.user("two", "program_manager", "payment_releaser")
        self.make_chain(level={"user_ids": [(6, 0, two.ids)]})
        self.assertEqual(self.line(two).risk, "all")
        deputy = self.user("deputy", "program_manager", "payment_releaser")
        self.env["spp.approval.delegation"].with_user(self.approver).create(
            {"deputy_id": deputy.id, "end": "2999-01-01", "reason": "Leave"}
        )
        line = self.line(deputy)
        self.assertEqual((line.approves, line.approves_as_deputy, line.risk), (False, True, "all"))

    def test_a_chain_that_lets_approvers_release_is_listed(self):
        both = self.user("both", "approver", "payment_releaser")
        self.assertFalse(self.line(both).may_release_own)
        self.make_chain(
            level={"group_id": self.env.ref("spp_base.group_approver").id}, approver_may_release=True
        )
        self.assertTrue(self.line(both).may_release_own)

    def test_who_did(self):
        program = self.make_program(fund="1000.00")
        self.add(program, self.make_people(2))
        program.with_user(self.officer).action_enroll(AS_OF)
        cycle = self.make_cycle(program, submit=True)
        cycle.with_user(self.approver).action_approve()
        cycle.action_prepare_payments()
        trail = self.env["spp.separation.trail"].with_user(self.users["auditor"])
        self.env.flush_all()
        self.assertFalse(trail.search([("cycle_id", "=", cycle.id)]))
        # A part that the guards would not have allowed, as an import of old books may bring it.
        self.env.cr.execute(
            "INSERT INTO spp_run (name, kind, state, res_model, res_id, user_id)"
            " VALUES ('Compute', 'cycle_compute', 'done', 'spp.cycle', %s, %s)",
            [cycle.id, self.approver.id],
        )
        line = trail.search([("cycle_id", "=", cycle.id)])
        self.assertEqual(
            (line.user_id, line.prepared, line.approved, line.parts), (self.approver, True, True, 2)
        )

    def test_for_auditors_and_administrators(self):
        for model in ("spp.separation.risk", "spp.separation.trail"):
            for role in ROLES:
                lines = self.env[model].with_user(self.users[role])
                if role in ("auditor", "admin"):
                    lines.search_read([])
                    lines.search_count([])
                else:
                    for call in (
                        lines.search_read,
                        lines.search_count,
                        lambda d, lines=lines: lines.name_search(),
                    ):
                        with self.assertRaises(AccessError, msg=(model, role)):
                            call([])
