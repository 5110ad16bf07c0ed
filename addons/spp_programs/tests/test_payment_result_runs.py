"""Many results are read and applied in the background: looked at first, then applied, once."""

import base64
from contextlib import contextmanager

from odoo.exceptions import UserError
from odoo.tests import tagged

from odoo.addons.spp_base.tests.common import as_jobs

from ..tools import sheet
from .test_payment_results import ResultsCase

HEADER = ("reference", "outcome", "amount")


@tagged("post_install", "-at_install")
class TestPaymentResultRuns(ResultsCase):
    @contextmanager
    def jobs(self):
        """Leave bulk actions to jobs, which are done and committed at the end of the block."""
        with as_jobs(self.env) as jobs:
            yield jobs
        self.cr.postcommit.run()
        self.env.invalidate_all()

    def content(self, *payments):
        return sheet.write_csv(HEADER, [(payment.reference, "paid", "100.00") for payment in payments])

    def read_results(self, content, name="results.csv"):
        wizards = self.env["spp.payment.result.read"].with_user(self.finance)
        wizard = wizards.create(
            {"manager_id": self.payment_manager.id, "file": base64.b64encode(content), "file_name": name}
        )
        return self.env["spp.payment.result"].with_user(self.finance).browse(wizard.action_read()["res_id"])

    def runs(self, result, kind):
        return self.env["spp.run"].search(
            [
                ("res_model", "=", result._name),
                ("res_id", "=", result.id),
                ("kind", "=", f"payment_result_{kind}"),
            ]
        )

    def test_a_file_is_read_by_a_run_and_shown_before_anything_is_applied(self):
        content = self.content(*self.payments[:2])
        with self.jobs():
            result = self.read_results(content)
            self.assertEqual((result.state, result.row_count), ("reading", 0))
            self.env.invalidate_all()
            self.assertIn("waits for a free worker", result.at_work)
            self.assertEqual(self.read_results(content), result, "read twice, it is read once")
            with self.assertRaises(UserError):
                result.action_apply()
        self.assertEqual((result.state, result.fine_count), ("read", 2))
        run = self.runs(result, "read")
        self.assertEqual((run.state, run.user_id, run.counts["In order"]), ("done", self.finance, 2))
        self.assertEqual(set(self.payments.mapped("state")), {"accepted"})
        self.assertEqual(base64.b64decode(result.file), content)

    def test_applied_by_a_run_once_however_often_it_is_pressed(self):
        result = self.read_results(self.content(*self.payments[:2]))
        with self.jobs() as jobs:
            first = result.action_apply()
            self.assertEqual(result.action_apply(), first)
            self.assertEqual(len(jobs.enqueued_jobs), 1)
            with self.assertRaisesRegex(UserError, "at work"):
                result.action_discard()
        run = self.env["spp.run"].browse(first)
        self.assertEqual((run.state, run.counts["Applied"]), ("done", 2))
        self.assertEqual(self.payments.mapped("state"), ["paid", "paid", "accepted", "accepted"])
        self.assertEqual(self.program.fund_disbursed, 200)
        with self.assertRaises(UserError):
            result.action_apply()
        self.assertFalse(run.can_retry)

    def test_judged_again_at_the_moment_it_is_applied(self):
        result = self.read_results(self.content(*self.payments[:2]))
        with self.jobs():
            result.action_apply()
            self.payments[0]._set_state("rejected", "No such account")
        self.assertEqual(self.payments.mapped("state"), ["rejected", "paid", "accepted", "accepted"])
        self.assertEqual(result.row_ids.mapped("verdict"), ["contradiction", "applied"])

    def test_a_file_that_cannot_be_read_says_why_and_can_be_given_up(self):
        with self.jobs():
            result = self.read_results(b"reference,amount\nA,1\n")
        self.assertEqual((result.state, self.runs(result, "read").state), ("reading", "failed"))
        self.assertIn("no column outcome", result.read_problem)
        result.action_discard()
        self.assertEqual(result.state, "discarded")

    def test_who_loses_the_role_before_it_is_done_applies_nothing(self):
        result = self.read_results(self.content(*self.payments[:2]))
        with self.jobs():
            run = result.action_apply()
            self.finance.groups_id -= self.env.ref("spp_base.group_finance_officer")
        self.assertEqual(self.env["spp.run"].browse(run).state, "failed")
        self.assertEqual(set(self.payments.mapped("state")), {"accepted"})

    def test_many_rows_of_an_integrator_are_applied_by_a_run_that_the_answer_names(self):
        rows = [self.row(payment) for payment in self.payments[:2]]
        with self.jobs():
            answer = self.payer.import_results(rows, "key")
            self.assertEqual((answer["state"], answer["applied"]), ("read", 2))
            self.assertEqual(self.payer.import_results(rows, "key"), answer)
        self.assertEqual(self.env["spp.run"].browse(answer["run"]).state, "done")
        answer = self.payer.import_results(rows, "key")
        self.assertEqual((answer["state"], answer["run"], answer["applied"]), ("applied", 0, 2))
        self.assertEqual(self.program.fund_disbursed, 200)
