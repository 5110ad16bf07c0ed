"""The whole flow, with all that goes wrong in it: no account number, name, token or message body in any log."""

import logging
from contextlib import contextmanager, suppress

from odoo.exceptions import UserError
from odoo.tests import HttpCase, tagged

from odoo.addons.queue_job.exception import RetryableJobError
from odoo.addons.spp_base.tests.common import CheapPasswords

from .common import DISBURSE, STATUS, PayerMixin
from .test_callbacks import TOKEN, AsyncPayerMixin

SECRET = "s3cr3t-0f-the-payer-account"
FAULTS = ("drop_after", "error", "error_after", "html", "refuse_all")


class Kept(logging.Handler):
    def __init__(self):
        super().__init__(logging.DEBUG)
        self.lines = []

    def emit(self, record):
        text = record.getMessage()
        if record.exc_info:
            text += logging.Formatter().formatException(record.exc_info)
        self.lines.append(f"{record.name}: {text}")


class NoSecretsInLogs:
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_payer()
        cls.endpoint.write({"auth_type": "bearer", "secret": SECRET})

    @contextmanager
    def all_logs(self):
        """Our loggers at DEBUG, all others at INFO, as an operator looking for a fault would set them."""
        kept, root = Kept(), logging.getLogger()
        levels = {name: logging.getLogger(name).level for name in (None, "odoo", "odoo.addons")}
        ours = [
            logging.getLogger(name)
            for name in list(logging.root.manager.loggerDict)
            if name.startswith(("odoo.addons.spp_", "odoo.addons.queue_job"))
        ]
        levels |= {logger.name: logger.level for logger in ours}
        root.addHandler(kept)
        try:
            for name in (None, "odoo", "odoo.addons"):
                logging.getLogger(name).setLevel(logging.INFO)
            for logger in ours:
                logger.setLevel(logging.DEBUG)
            yield kept.lines
        finally:
            root.removeHandler(kept)
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)

    def test_nothing_of_anybody_in_the_log(self):
        with self.all_logs() as lines:
            cycle = self.prepared(3, **self.cycle_values())
            for fault in FAULTS:
                self.fault(fault)
                with suppress(UserError, RetryableJobError):
                    self.send(cycle)
                for path in self.status_paths:
                    self.fault(fault, path)
                self.ask()
            self.fail_in_the_database(cycle)
            self.clear_faults()
            other = self.prepared(2, code="LOG", **self.cycle_values())
            self.send(other)
            self.ask()
            self.settle()
            logging.getLogger("odoo.addons.spp_programs").debug("the last line")
        self.assertTrue(any("the last line" in line for line in lines), "the log is really read")
        payments = (cycle | other).payment_ids.sudo()
        self.assertIn("paid", payments.mapped("state"))
        words = {
            *payments.mapped("account_number"), *payments.mapped("payee_name"),
            *payments.mapped("payee_address"), SECRET, TOKEN, "payee_fa", "beneficiary_name", "attribute_value",
            "disbursements_status", '"message_id"', "0011223344",
        }  # fmt: skip
        words.discard(False)
        found = {(word, line[:300]) for word in words for line in lines if word in line}
        self.assertFalse(found)

    def fail_in_the_database(self, cycle):
        """A statement that fails with a message in it must not be logged with its values."""
        values = {
            "kind": "disburse",
            "message_id": "m",
            "outcome": "lost",
            "request": "payee_fa",
            "manager_id": None,
        }
        with suppress(Exception), self.env.cr.savepoint():
            self.env["spp.payment.exchange"]._keep(values)

    def cycle_values(self):
        return {}

    def settle(self):
        pass


@tagged("post_install", "-at_install")
class TestNoSecretsInLogsSync(NoSecretsInLogs, PayerMixin, CheapPasswords, HttpCase):
    path = DISBURSE
    status_paths = (STATUS,)


@tagged("post_install", "-at_install")
class TestNoSecretsInLogsBridge(NoSecretsInLogs, PayerMixin, CheapPasswords, HttpCase):
    server = "bridge"
    at_once = {"settle_after": 0, "reverse_after": 0}
    path = "/create_disbursements"
    status_paths = ("/get_disbursement_status", "/get_disbursement_envelope_status")

    @classmethod
    def set_up_payer(cls):
        result = super().set_up_payer()
        cls.payment_manager.write({"dialect": "bridge", "bridge_program": "SPP-TEST"})
        return result


@tagged("post_install", "-at_install")
class TestNoSecretsInLogsAsync(NoSecretsInLogs, AsyncPayerMixin, CheapPasswords, HttpCase):
    status_paths = ("/disburse/txn/status",)

    def settle(self):
        self.delivered(callbacks_twice=1)
        self.url_open(
            f"/spp/g2p_connect/{self.payment_manager.id}/on-disburse",
            data=b'{"payee_fa": "account:0011223344@x"}',
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        self.ask()
        self.delivered()
