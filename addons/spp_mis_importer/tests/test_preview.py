"""What an import would change is shown field by field and in numbers, and nothing of it is written."""

from odoo.tests import TransactionCase, tagged

from .common import MisMixin
from .test_import import COUNTED


@tagged("post_install", "-at_install")
class TestPreview(MisMixin, TransactionCase):
    def preview(self):
        preview = self.env["spp.mis.preview"].browse(self.source.action_preview())
        for job in self.env["queue.job"].search(
            [("model_name", "=", "spp.mis.source"), ("state", "=", "pending")]
        ):
            self.assertEqual(job.method_name, "_job_preview")
        self.work()
        self.env.invalidate_all()
        self.assertEqual(preview.state, "done", preview.message)
        return preview

    def everything(self):
        self.env.flush_all()
        found = {}
        for model in (*COUNTED, "spp.event", "spp.mis.conflict", "spp.audit.entry"):
            self.env.cr.execute(f'SELECT id, xmin FROM "{self.env[model]._table}" ORDER BY id')
            found[model] = self.env.cr.fetchall()
        return found

    def test_before_the_first_import(self):
        before = self.everything()
        preview = self.preview()
        self.assertEqual(self.everything(), before)
        self.assertEqual(
            preview.run_id.counts,
            {
                "Read": 290,
                "Would be created": 289,
                "Would change": 0,
                "Unchanged": 0,
                "Cannot be read": 1,
            },
        )
        flora = preview.line_ids.filtered(lambda line: line.external_id == "individual:8")
        told = {line.label: line.after for line in flora}
        self.assertEqual((told["Place of birth"], told["Gender"]), ("Oriental", "Female"))
        self.assertEqual(set(flora.mapped("what")), {"create"})
        self.assertNotIn("ACC00000001", str(preview.line_ids.mapped("after")))
        trouble = preview.line_ids.filtered(lambda line: line.what == "trouble")
        self.assertTrue(any("1989-02-31" in one for one in trouble.mapped("after")))
        household = preview.line_ids.filtered(lambda line: line.external_id == "group:7")
        self.assertTrue(household)

    def test_changes(self):
        self.do_import()
        self.at_source("res.partner", 8, {"birth_place": "There"})
        self.at_source("g2p.group.membership", 2, {"kind": []})
        before = self.everything()
        preview = self.preview()
        self.assertEqual(self.everything(), before)
        self.assertEqual(
            (preview.run_id.counts["Would change"], preview.run_id.counts["Unchanged"]), (2, 287)
        )
        (line,) = preview.line_ids.filtered(lambda line: line.external_id == "individual:8")
        self.assertEqual(
            (line.label, line.before, line.after, line.what),
            ("Place of birth", "Oriental", "There", "update"),
        )
        self.assertEqual(line.partner_id, self.registrant("individual", 8))
        (place,) = preview.line_ids.filtered(lambda line: line.external_id == "group:7")
        self.assertIn("BEA", place.after)

    def test_not_beside_an_import(self):
        self.source.action_import()
        with self.assertRaisesRegex(Exception, "at work"):
            self.source.action_preview()
