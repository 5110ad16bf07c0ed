"""Nobody approves what they submitted, and nobody decides twice; the database holds it too."""

import psycopg2

from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import ApprovalCase


@tagged("post_install", "-at_install")
class TestSeparation(ApprovalCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.both = cls.make_user("both", "program_manager", "approver", "admin")

    def delegate(self, user, deputy):
        self.env["spp.approval.delegation"].with_user(user).create(
            {"deputy_id": deputy.id, "end": "2999-12-31", "reason": "Leave"}
        )

    def test_the_submitter_never_approves_in_person_or_through_a_deputy(self):
        request = self.submit(user=self.both)
        self.delegate(self.both, self.finance)
        self.delegate(self.first, self.both)
        for user in (self.both, self.finance):
            self.assertFalse(request.with_user(user).to_decide)
            with self.assertRaises(AccessError):
                request.with_user(user).action_approve()
            with self.assertRaises(AccessError):
                request.with_user(user).action_reject("No")
        with self.assertRaisesRegex(AccessError, "You submitted"):
            request.with_user(self.both).sudo().action_approve()

    def test_who_had_a_part_in_it_reads_on_the_page_why_they_do_not_decide(self):
        self.make_chain({**self.role("approver"), "needed": 2})
        request = self.submit()
        self.assertIn("You submitted", request.with_user(self.submitter).refusal)
        self.assertFalse(request.with_user(self.first).refusal)
        request.with_user(self.first).action_approve()
        self.assertIn("already", request.with_user(self.first).refusal)
        request.with_user(self.second).action_approve()
        self.assertFalse(request.with_user(self.submitter).refusal)

    def test_an_administrator_has_no_exemption(self):
        request = self.submit()
        for user in (self.admin, self.env.ref("base.user_root"), self.env.ref("base.user_admin")):
            with self.assertRaises(AccessError):
                request.with_user(user).action_approve()

    def test_nobody_decides_twice_in_a_round(self):
        self.make_chain({**self.role("approver"), "needed": 2}, self.role("approver"))
        request = self.submit()
        self.delegate(self.second, self.first)
        self.delegate(self.first, self.second)
        self.delegate(self.first, self.finance)
        request.with_user(self.first).action_approve()
        with self.assertRaisesRegex(AccessError, "decided .* already"):
            request.with_user(self.first).action_approve()
        with self.assertRaises(AccessError):
            request.with_user(self.first).action_approve(on_behalf_of=self.second.id)
        with self.assertRaises(AccessError):  # the deputy of who decided
            request.with_user(self.finance).action_approve()
        request.with_user(self.second).action_approve()  # in person
        self.assertEqual((request.state, request.position), ("waiting", 1))
        for user in (self.first, self.second, self.finance):
            with self.assertRaises(AccessError):
                request.with_user(user).action_approve()
        request.with_user(self.both).action_approve()
        self.assertEqual(request.state, "approved")

    def test_who_acted_as_a_deputy_has_decided(self):
        self.make_chain({**self.role("approver"), "needed": 2})
        request = self.submit()
        self.delegate(self.second, self.first)
        request.with_user(self.first).action_approve(on_behalf_of=self.second.id)
        for user in (self.first, self.second):
            with self.assertRaises(AccessError):
                request.with_user(user).action_approve()

    def insert(self, request, user, on_behalf=None, round_=None, decision="approved"):
        self.env.flush_all()
        self.env.cr.execute(
            """
            INSERT INTO spp_approval_decision (request_id, res_model, res_id, round, decision, user_id, on_behalf_id, at)
            VALUES (%s, 'x', 1, %s, %s, %s, %s, now())
            """,
            [request.id, round_ or request.round, decision, user.id, on_behalf and on_behalf.id],
        )

    @mute_logger("odoo.sql_db")
    def test_the_database_refuses_what_the_model_would(self):
        request = self.submit()
        self.insert(request, self.first)
        for arguments in (
            (self.submitter,),
            (self.second, self.submitter),
            (self.submitter, self.second),
            (self.first,),
            (self.second, self.first),
            (self.first, self.second),
            (self.second, None, 2),
        ):
            with self.assertRaises(psycopg2.IntegrityError, msg=str(arguments)), self.env.cr.savepoint():
                self.insert(request, *arguments)
        self.insert(request, self.second)

    @mute_logger("odoo.sql_db")
    def test_the_trail_is_append_only(self):
        request = self.submit()
        self.env.flush_all()
        for statement in (
            "UPDATE spp_approval_decision SET comment = 'x' WHERE request_id = %s",
            "DELETE FROM spp_approval_decision WHERE request_id = %s",
        ):
            with self.assertRaises(psycopg2.Error), self.env.cr.savepoint():
                self.env.cr.execute(statement, [request.id])

    def test_nobody_writes_requests_or_decisions_by_hand(self):
        request = self.submit()
        for user in (self.submitter, self.first, self.admin):
            with self.assertRaises(AccessError):
                request.with_user(user).write({"name": "x"})
            with self.assertRaises(AccessError):
                request.decision_ids.with_user(user).write({"comment": "x"})
            with self.assertRaises(AccessError):
                request.with_user(user).read(["payload"])
        with self.assertRaisesRegex(UserError, "only be changed by the action"):
            request.write({"state": "approved"})
