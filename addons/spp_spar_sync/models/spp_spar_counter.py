"""The number the next change of a SPAR id gets. Order per id hangs on it, so the row is the lock."""

from odoo import fields, models
from odoo.tools import SQL


class SparCounter(models.Model):
    _name = "spp.spar.counter"
    _description = "SPAR Change Counter"
    _log_access = False

    mapper_id = fields.Many2one(comodel_name="spp.spar.mapper", required=True, ondelete="cascade")
    spar_id = fields.Char(required=True)
    last_number = fields.Integer(required=True)

    _sql_constraints = [
        ("spar_id_uniq", "unique (mapper_id, spar_id)", "This SPAR id has a counter already.")
    ]

    def _take(self, mapper, spar_ids):
        """One number for each of `spar_ids`, in that order; an id may stand in it more than once.

        Two transactions that number the same id wait for each other here, and the second is then run again
        on what the first one wrote (Odoo repeats a transaction after a serialization failure).
        """
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO spp_spar_counter AS counter (mapper_id, spar_id, last_number)
                SELECT %s, spar_id, count(*) FROM unnest(%s) AS spar_id GROUP BY spar_id ORDER BY spar_id
                ON CONFLICT (mapper_id, spar_id)
                DO UPDATE SET last_number = counter.last_number + EXCLUDED.last_number
                RETURNING spar_id, last_number
                """,
                mapper.id,
                list(spar_ids),
            )
        )
        numbers = dict(self.env.cr.fetchall())
        for spar_id in spar_ids:
            numbers[spar_id] -= 1
        taken = []
        for spar_id in spar_ids:
            numbers[spar_id] += 1
            taken.append(numbers[spar_id])
        return taken
