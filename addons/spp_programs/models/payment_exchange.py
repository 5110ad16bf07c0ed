"""One message to a payer and its answer, as they were, without credentials. Append-only: it is the evidence."""

from odoo import api, fields, models
from odoo.tools import SQL

from odoo.addons.spp_base.tools.append_only import make_append_only


class PaymentExchange(models.Model):
    _name = "spp.payment.exchange"
    _description = "Payment message"
    _order = "id desc"
    _rec_name = "message_id"

    at = fields.Datetime(required=True, readonly=True)
    batch_id = fields.Many2one(
        comodel_name="spp.payment.batch", readonly=True, index=True, ondelete="restrict"
    )
    manager_id = fields.Many2one(
        comodel_name="spp.payment.manager", required=True, readonly=True, index=True, ondelete="restrict"
    )
    company_id = fields.Many2one(comodel_name="res.company", related="manager_id.company_id")
    kind = fields.Selection(
        selection=[("disburse", "Payments sent"), ("status", "Status asked"), ("test", "Connection test")],
        required=True,
        readonly=True,
    )
    message_id = fields.Char(string="Message number", required=True, readonly=True)
    payment_count = fields.Integer(string="Payments", readonly=True)
    outcome = fields.Selection(
        selection=[
            ("answered", "Answered"),
            ("received", "Received"),
            ("refused", "Refused"),
            ("unclear", "Unclear answer"),
            ("lost", "No answer"),
            ("not_sent", "Not sent"),
        ],
        required=True,
        readonly=True,
    )
    reason = fields.Char(readonly=True)
    http_status = fields.Integer(string="HTTP status", readonly=True)
    request = fields.Text(string="Message", readonly=True, groups="spp_base.group_finance_officer")
    answer = fields.Text(readonly=True, groups="spp_base.group_finance_officer")
    request_masked = fields.Text(
        string="Message, accounts hidden", compute="_compute_masked", compute_sudo=True
    )
    answer_masked = fields.Text(
        string="Answer, accounts hidden", compute="_compute_masked", compute_sudo=True
    )

    def init(self):
        make_append_only(self.env.cr, self._table)

    @api.depends("request", "answer")
    def _compute_masked(self):
        """When somebody looks, and not for each message that is kept."""
        for exchange in self:
            exchange.request_masked = exchange.manager_id._masked(exchange.request)
            exchange.answer_masked = exchange.manager_id._masked(exchange.answer)

    @api.depends("kind", "message_id")
    def _compute_display_name(self):
        kinds = dict(self._fields["kind"]._description_selection(self.env))
        for exchange in self:
            exchange.display_name = f"{kinds.get(exchange.kind)} {exchange.message_id}"

    @api.model
    def _keep(self, values):
        """Insert one exchange; return its id, or None where a unique index knows it already.

        Not through create(): Odoo logs a failing statement with its values.
        """
        values = {**values, "at": fields.Datetime.now()}
        self.env.cr.execute(
            SQL(
                "INSERT INTO spp_payment_exchange (%s) VALUES %s ON CONFLICT DO NOTHING RETURNING id",
                SQL(", ").join(SQL.identifier(name) for name in values),
                tuple(values.values()),
            ),
            log_exceptions=False,
        )
        return (self.env.cr.fetchone() or [None])[0]
