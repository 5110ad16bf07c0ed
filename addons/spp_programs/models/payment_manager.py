"""How a program pays. A payment channel is one addon that adds a `provider` and the two hooks below.

What becomes of a payment is decided once for all channels; a channel only sends, asks, and reports findings. When
the payer is asked is in payment_asking.py.
"""

from odoo import _, fields, models
from odoo.exceptions import UserError

from odoo.addons.spp_base.http import NotSent

from ..tools.own_transaction import in_own_transaction

STATUS_CHUNK = 500  # payments asked about in one message
MAX_KEPT = 20_000_000  # characters of a message or an answer that are kept as evidence


class MessageRefused(Exception):
    """The payer refused a message as a whole: nothing of it was accepted, and it may be sent again."""

    def __init__(self, reason, code=""):
        super().__init__(reason)
        self.reason = reason
        self.code = code


class NotNow(NotSent):
    """Nothing was sent, since another message must end first: the job tries again in `seconds`, as often as needed."""

    def __init__(self, reason, seconds):
        super().__init__(reason)
        self.seconds = seconds


class PaymentManager(models.Model):
    _name = "spp.payment.manager"
    _description = "Payment manager"
    _order = "name, id"

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    provider = fields.Selection(
        selection=[("none", "None: payments are prepared, not sent")],
        required=True,
        default="none",
        help="The channel that payments are sent through.",
    )
    company_id = fields.Many2one(
        comodel_name="res.company", required=True, default=lambda self: self.env.company, ondelete="restrict"
    )
    batch_size = fields.Integer(
        required=True,
        default=500,
        help="The most payments in one message. A lost answer leaves as many payments unknown until the payer "
        "is asked again.",
    )
    currency_id = fields.Many2one(
        comodel_name="res.currency",
        ondelete="restrict",
        help="Payments in any other currency are held. Empty: the payer takes every currency.",
    )
    _sql_constraints = [
        ("batch_size_range", "CHECK(batch_size BETWEEN 1 AND 10000)", "A batch has 1 to 10,000 payments."),
    ]

    # ------------------------------------------------------------------ hooks of the channels

    def _check_can_send(self):
        """Raise UserError, saying what is missing, unless payments can be sent."""
        self.ensure_one()
        if self.provider == "none":
            raise UserError(_("%s has no provider: its payments are prepared, not sent.", self.name))

    def _send_batch(self, batch, payments, message_id):
        """Send claimed payments in one message.

        The channel checks everything before it sends, and keeps message and answer with `_record_exchange()`
        before it reads the answer.

        :param message_id: unique for this message
        :return: {reference: finding} for what the payer (or the check before sending) said of single payments;
            a finding has the attributes state (paid, accepted, rejected or unknown), reason, code, at, alert
        :raise NotSent: nothing left this machine; tried again later
        :raise MessageRefused: nothing was accepted; a person sends again
        :raise CallError: it may have been acted on; everything becomes unknown
        """
        raise NotImplementedError

    def _ask_status(self, payments):
        """Ask the payer about at most STATUS_CHUNK payments of one batch.

        :return: {reference: finding}, see `_send_batch()`. Who is left out of the answer is left out here.
        :raise CallError: the payer told nothing
        """
        raise NotImplementedError

    def _masked(self, text):
        """`text` of a message or an answer, fit for those who may not read account numbers."""
        return "" if not text else _("(hidden)")

    def _record_exchange(self, **values):
        """Keep a message and its answer, committed at once, whatever becomes of the job."""
        self.ensure_one()
        for name in ("request", "answer"):
            # PostgreSQL keeps no NUL.
            values[name] = (values.get(name) or "")[:MAX_KEPT].replace("\0", "\N{REPLACEMENT CHARACTER}")
        values["manager_id"] = self.id
        in_own_transaction(self.env["spp.payment.exchange"], lambda exchanges: exchanges._keep(values))

    # ------------------------------------------------------------------ what decides where money goes

    def _route_fields(self):
        """Fields that decide who pays, and how payees are addressed. A channel adds its own."""
        return {"provider"}

    def write(self, vals):
        """The way that released payments take is not changed under way; every change leaves a trail."""
        route = self._route_fields() & vals.keys()
        for manager in self:
            old = {name: self._plain(manager[name]) for name in route}
            new = {name: self._plain(manager._fields[name].convert_to_record(
                manager._fields[name].convert_to_cache(vals[name], manager), manager)) for name in route}  # fmt: skip
            changed = {name for name in route if old[name] != new[name]}
            if not changed:
                continue
            # sudo: also payments that the user's area hides are on their way.
            under_way = manager.env["spp.payment"].sudo().search_count(
                [("batch_id.manager_id", "=", manager.id), "|", ("state", "in", ["sending", "accepted", "unknown"]),
                 "&", ("state", "=", "ready"), ("batch_id.released_by", "!=", False)], limit=1)  # fmt: skip
            if under_way:
                raise UserError(
                    _(
                        "Payments are on their way through %s: how it pays can be changed once each has an end.",
                        manager.name,
                    )
                )
            self.env["spp.audit.entry"]._log(
                "Payment manager changed",
                manager,
                old={name: old[name] for name in changed},
                new={name: new[name] for name in changed},
            )
        return super().write(vals)

    @staticmethod
    def _plain(value):
        return value.display_name if isinstance(value, models.BaseModel) else value or ""
