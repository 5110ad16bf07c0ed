"""What a source said of a registrant last time, as prints that tell whether it changed."""

from odoo import fields, models
from odoo.tools import SQL

#: The number at the source; of a file it may be a text, and then there is none.
NUMBER = SQL(
    "CASE WHEN external_id ~ ':[0-9]{1,15}$' THEN CAST(split_part(external_id, ':', 2) AS bigint) END"
)


class RegistrantSource(models.Model):
    _inherit = "spp.registrant.source"

    said = fields.Json(
        groups=fields.NO_ACCESS,
        help="Prints of what the source said last: by field, of accounts; members and their roles; who is gone.",
    )
    stamps = fields.Char(
        groups=fields.NO_ACCESS,
        help="A print of the source's stamps when it was read last; the same again means that nothing moved.",
    )
    unlisted_by_id = fields.Many2one(
        comodel_name="spp.run",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
        help="The complete import that did not find it; at its end, unless too many are missing, it counts as gone.",
    )
    absent_since = fields.Date(string="No Longer at the Source Since", readonly=True, index="btree_not_null")

    def init(self):
        """Parts of a source's list are looked up by the numbers that they begin and end with."""
        result = super().init()
        self.env.cr.execute(
            SQL(
                """
                CREATE INDEX IF NOT EXISTS spp_registrant_source_number_idx
                    ON spp_registrant_source (source, split_part(external_id, ':', 1), (%s))
                """,
                NUMBER,
            )
        )
        return result
