"""Payments that leave as a file or on paper: nobody answers at once, and nothing is paid by being sent.

Making the file and the step of its payments are one transaction: a worker that dies leaves both or neither. What
became of each payment is told later, by a results file or by whoever handed the money out.
"""

from datetime import datetime

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from ..tools import paper, sheet
from ..tools.own_transaction import in_own_transaction

FILE_HEADER = (
    "reference", "amount", "currency", "payee_name", "account_kind", "account_number", "bank", "program", "cycle",
)  # fmt: skip
# Providers whose payments leave as a file or on paper. One that is added by an addon overrides the methods that ask.
ISSUED = ("manual", "file")


class PaymentManager(models.Model):
    _inherit = "spp.payment.manager"

    provider = fields.Selection(
        selection_add=[("manual", "Handed out, with a list to sign"), ("file", "Payment file")],
        ondelete={"manual": "set default", "file": "set default"},
    )
    file_format = fields.Selection(
        selection=[("csv", "CSV"), ("xlsx", "Excel"), ("pdf", "PDF with a QR code for each payment")],
        required=True,
        default="csv",
    )

    def _issues(self):
        """Whether payments leave as a file or on paper, and not as a message that is answered."""
        return self.provider in ISSUED

    @api.model
    def _providers_without_accounts(self):
        """Providers that need no account of the payee."""
        return ["manual"]

    def _route_fields(self):
        return super()._route_fields() | {"file_format"}

    def _enqueue_status(self, everything=False, begun=None, part=1):
        asked = self.filtered(lambda manager: not manager._issues())
        return super(PaymentManager, asked)._enqueue_status(everything, begun, part)

    def action_ask_status(self):
        for manager in self:
            if manager._issues():
                raise UserError(
                    _("%s cannot be asked: read its results from a file instead.", manager.display_name)
                )
        return super().action_ask_status()

    def _make_file(self, batch, payments):
        """Make and keep what the payments of a batch are issued with. Called once for a batch."""
        orders = payments._orders()
        subtitle = " · ".join(
            (batch.program_id.name, batch.cycle_id.name, _("%s payments", len(orders)), self.name)
        )
        if self.provider == "manual":
            kind, ending = "signature_list", "pdf"
            content = paper.signature_list(_("To sign: %s", batch.name), subtitle, orders)
        else:
            kind, ending = "payments", self.file_format
            content = self._file_content(batch, subtitle, orders)
        self.env["spp.payment.file"]._keep(batch, kind, f"{batch.name}.{ending}", content, payments.ids)

    def _file_content(self, batch, subtitle, orders):
        if self.file_format == "pdf":
            return paper.payment_list(batch.name, subtitle, orders)
        rows = [
            (
                order.reference, str(order.amount), order.currency, sheet.plain(order.payee_name), order.kind,
                order.number, order.bic or "", sheet.plain(order.program), sheet.plain(order.cycle),
            )
            for order in orders
        ]  # fmt: skip
        if self.file_format == "csv":
            return sheet.write_csv(FILE_HEADER, rows)
        return sheet.write_xlsx(FILE_HEADER, rows, batch.released_at or datetime(2000, 1, 1))


class PaymentBatch(models.Model):
    _inherit = "spp.payment.batch"

    file_ids = fields.One2many(
        comodel_name="spp.payment.file", inverse_name="batch_id", string="Files", readonly=True
    )

    def _send_what_is_ready(self):
        if not self.manager_id._issues():
            return super()._send_what_is_ready()
        return in_own_transaction(self, lambda batch: batch._issue())

    def _issue(self):
        """Claim the payments, make their file, and let them be in progress: all of it, or nothing."""
        payment_ids, _message_id = self._claim()
        if not payment_ids:
            return _("There is nothing to issue.")
        payments = self.env["spp.payment"].browse(payment_ids)
        self.manager_id._make_file(self, payments)
        payments._set_state("accepted")
        return _("%s payments issued.", len(payment_ids))


class Payment(models.Model):
    _inherit = "spp.payment"

    provider = fields.Selection(related="batch_id.manager_id.provider", string="Way of payment")
    handed_to = fields.Char(
        string="Collected by", readonly=True, help="Who signed: the payee, or somebody on the payee's behalf."
    )
    handed_on = fields.Date(string="Handed out on", readonly=True)
    hand_evidence = fields.Char(
        string="What shows it", readonly=True, help="The signed list with its line, a receipt number."
    )
    handed_by = fields.Many2one(
        comodel_name="res.users", string="Recorded by", readonly=True, ondelete="restrict"
    )

    def action_hand_out(self, evidence, on=None, collected_by=""):
        """Record that payments were handed out: they are paid. Role: finance officer, and not who released them.

        :param evidence: what shows it: "Signed list, line 12"
        :param on: date on which it was handed out, "2026-11-21"; today when not given
        :param collected_by: who signed, where it was not the payee
        """
        evidence = self._given(evidence)
        on = fields.Date.to_date(on) or fields.Date.context_today(self)
        if on > fields.Date.context_today(self):
            raise UserError(_("%s is in the future.", on))
        self._check_may_hand_out()
        for payment in self:
            payment._write_guarded(
                {
                    "handed_to": (collected_by or "").strip() or payment.payee_name,
                    "handed_on": on,
                    "hand_evidence": evidence,
                    "handed_by": self.env.uid,
                }
            )
            self._log(payment, "Payment handed out", new={"on": str(on)}, note=evidence)
        self.sudo()._set_state(
            "paid", _("Handed out: %s", evidence), "handed_out", fields.Datetime.to_datetime(on)
        )
        return True

    def action_not_handed_out(self, reason):
        """Record that payments were not collected: they are rejected, and may be issued again.

        Role: finance officer, and not who released them.

        :param reason: why, in plain words
        """
        reason = self._given(reason)
        self._check_may_hand_out()
        self.sudo()._set_state("rejected", reason, "not_handed_out")
        for payment in self:
            self._log(payment, "Payment not handed out", note=reason)
        return True

    def _check_may_hand_out(self):
        self._check_role("finance_officer")
        self._lock()
        self._check_state("accepted", "unknown")
        for payment in self:
            batch = payment.batch_id.sudo()
            if batch.manager_id.provider != "manual":
                raise UserError(_("%s is not handed out.", payment.reference))
            if batch.released_by == self.env.user:
                raise AccessError(
                    _("You released %s: somebody else records who collected it.", payment.reference)
                )

    @api.model
    def _needs_no_account(self):
        return SQL("(%s OR %s)", super()._needs_no_account(), self._is_handed_out())

    @api.model
    def _is_handed_out(self):
        """SQL about the row `p`: the payee is given the money, and it goes to no account."""
        return SQL(
            """
            EXISTS (SELECT FROM spp_program handing
                      JOIN spp_payment_manager by_hand ON by_hand.id = handing.payment_manager_id
                     WHERE handing.id = p.program_id AND by_hand.provider = ANY(%s))
            """,
            self.env["spp.payment.manager"]._providers_without_accounts(),
        )
