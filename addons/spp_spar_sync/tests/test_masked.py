"""No door leads to a whole account number: lists, exports, groupings, chatter, the trail, jobs, logs, answers of SPAR."""

import logging
from xmlrpc.client import Fault

from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.spp_base.tests.common import ROLES, RoleCase

from .common import SparMixin

NUMBER, OTHER = "1000000001", "+250789990000"
MODELS = (
    "spp.payment.account",
    "spp.spar.change",
    "spp.spar.clearance",
    "spp.spar.mapper",
    "spp.audit.entry",
    "mail.message",
    "mail.tracking.value",
    "queue.job",
    "res.partner",
)
QUIET = (
    "odoo.http", "odoo.models", "odoo.addons.base.models.ir_model", "odoo.addons.base.models.ir_rule", "odoo.sql_db",
)  # fmt: skip


@tagged("post_install", "-at_install")
class TestMasked(SparMixin, RoleCase):
    def setUp(self):
        super().setUp()
        self.mapper.shared_most = 1
        self.registrant = self.person("A1", NUMBER)
        self.person("A2", NUMBER)
        self.drain()
        self.primary(self.registrant).number_entry = "2000000002"
        self.env.cr.flush()
        self.primary(self.registrant).number_entry = NUMBER
        self.control("set", id="token:A1@nationalId", fa=f"mobile:{OTHER}@MOMO")
        self.drain()
        self.assertEqual(self.queued(self.registrant)[-1].state, "conflict")
        self.registrant.message_post(body="Called about her account")
        self.env.cr.flush()

    def answers(self, role):
        """Everything that a role can get at, as text; what is refused is refused."""
        for model in MODELS:
            fields = list(self.env[model]._fields)
            for method, args in (
                ("search_read", ([],)),
                ("search_read", ([], ["display_name"])),
                ("read_group", ([], ["id"], [])),
                *(("export_data", (self.env[model].search([]).ids[:50], [name])) for name in fields if "numb" in name
                  or name in ("target_fa", "observed_fa", "payload", "last_answer", "expected_previous")),
                *(("read_group", ([], ["id"], [name])) for name in fields if name in ("number", "target_fa", "observed_fa")),
            ):  # fmt: skip
                try:
                    yield model, method, args, str(self.rpc(role, model, method, *args))
                except Fault as fault:
                    yield model, method, args, fault.faultString
        for method in ("spar_now",):
            try:
                yield (
                    "res.partner",
                    method,
                    (),
                    str(self.rpc(role, "res.partner", method, self.registrant.ids)),
                )
            except Fault as fault:
                yield "res.partner", method, (), fault.faultString

    @mute_logger(*QUIET)
    def test_whole_numbers_come_out_for_finance_only(self):
        seen_by_finance = 0
        for role in (*ROLES, "internal", "system"):
            for model, method, args, answer in self.answers(role):
                told = any(number in answer for number in (NUMBER, "2000000002", OTHER))
                if role == "finance_officer":
                    seen_by_finance += told
                else:
                    self.assertFalse(told, (role, model, method, args))
        self.assertTrue(seen_by_finance, "the doors that are tried lead somewhere")

    @mute_logger(*QUIET)
    def test_a_number_cannot_be_guessed_by_searching(self):
        for role in set(ROLES) - {"finance_officer"}:
            for model, field in (("spp.payment.account", "number"), ("spp.spar.change", "target_fa")):
                for domain in ([(field, "like", NUMBER)], [(field, "=", NUMBER)]):
                    try:
                        found = self.rpc(role, model, "search_count", domain)
                    except Fault:
                        continue
                    self.assertFalse(found, (role, model))

    def test_logs_and_jobs_hold_no_number_whatever_fails(self):
        lines = []

        class Keep(logging.Handler):
            def emit(self, record):
                lines.append(self.format(record))

        handler = Keep(logging.DEBUG)
        loggers = [logging.getLogger(name) for name in ("odoo.addons", "odoo.http", "urllib3", "requests")]
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.addHandler(handler)
            logger.setLevel(logging.DEBUG)
        try:
            for number, fault in enumerate(("error", "error_after", "drop_after", "html", "refuse_all")):
                self.control("reset")
                self.fault(fault, times=None)
                self.person(f"L{number}", "3000000003")
                self.drain()
                self.registrant.spar_now()
                self.mapper._job_sample()
                self.endpoint.action_resume()
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.removeHandler(handler)
                logger.setLevel(level)
        said = "\n".join(lines)
        jobs = self.env["queue.job"].search([("model_name", "like", "spp.spar")])
        self.assertTrue(jobs)
        for job in jobs:
            said += str([job.args, job.kwargs, job.result, job.exc_info, job.name, job.identity_key])
        for number in (NUMBER, OTHER, "3000000003"):
            self.assertNotIn(number, said)
