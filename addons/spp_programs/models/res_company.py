"""When the fiscal year of an organisation begins."""

from odoo import fields, models

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


class Company(models.Model):
    _inherit = "res.company"

    spp_fiscal_year_month = fields.Selection(
        selection=[(str(number), name) for number, name in enumerate(MONTHS, 1)],
        string="Fiscal year begins in",
        required=True,
        default="1",
        help="Entries of program funds carry the fiscal year, named after the calendar year it begins in.",
    )

    def _spp_fiscal_year(self, date):
        """The fiscal year that `date` is in, as text: "2026"."""
        return str(date.year - (date.month < int(self.spp_fiscal_year_month)))
