"""Contact phones. Never used for payment: that is spp.payment.account."""

import re

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError


def sanitize(number):
    """The number in E.164 form (“+254712345678”), or False where it is not written internationally.

    >>> sanitize("00254 712-345 678")
    '+254712345678'
    """
    digits = re.sub(r"[\s().\-/]", "", number or "")
    digits = re.sub(r"^00", "+", digits)
    return digits if re.fullmatch(r"\+[1-9][0-9]{6,14}", digits) else False


class SppPhoneNumber(models.Model):
    _name = "spp.phone.number"
    _description = "Phone Number"
    _rec_name = "number"
    _order = "ended desc, id"

    partner_id = fields.Many2one(
        comodel_name="res.partner", string="Registrant", required=True, index=True, ondelete="restrict",
        domain="[('is_registrant', '=', True)]",
    )  # fmt: skip
    number = fields.Char(required=True)
    sanitized = fields.Char(
        string="International form", compute="_compute_sanitized", store=True, index=True,
        help="The number as +country code and digits; empty if it was not written with its country code.",
    )  # fmt: skip
    date_collected = fields.Date(string="Collected on", default=fields.Date.context_today)
    ended = fields.Date(string="Not in use since")

    @api.depends("number")
    def _compute_sanitized(self):
        for phone in self:
            phone.sanitized = sanitize(phone.number)

    def _completed_for_bulk(self, vals_list):
        """Values with what create() would add; see tools/bulk_rows.py."""
        return vals_list

    def _created_in_bulk(self):
        """What is to be done for new rows that SQL made; see tools/bulk_rows.py."""

    @api.constrains("number")
    def _check_number(self):
        for phone in self:
            if not re.search(r"[0-9]", phone.number or ""):
                raise ValidationError(
                    _(
                        "%(person)s: “%(number)s” is not a phone number.",
                        person=phone.partner_id.display_name,
                        number=phone.number,
                    )
                )
