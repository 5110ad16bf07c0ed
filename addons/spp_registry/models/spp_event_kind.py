"""The kinds of events a country records; rules name them by their code."""

from odoo import _, api, fields, models
from odoo.exceptions import UserError


class SppEventKind(models.Model):
    _name = "spp.event.kind"
    _description = "Event Kind"
    _order = "sequence, name, id"

    name = fields.Char(required=True, translate=True)
    code = fields.Char(
        required=True,
        help="Rules and imports name the kind by this: school_attendance. It cannot change once events have it.",
    )
    description = fields.Text(translate=True, help="What is recorded, and what the value means.")
    sequence = fields.Integer(default=10)
    active = fields.Boolean(
        default=True, help="Archived kinds are kept with their events and not offered any more."
    )

    _sql_constraints = [
        ("code_unique", "UNIQUE (code)", "Another event kind already has this code."),
        (
            "code_plain",
            "CHECK (code <> '' AND translate(code, 'abcdefghijklmnopqrstuvwxyz0123456789_', '') = ''"
            " AND code !~ '^(\\d|_)')",
            "A code has small letters, digits and _ only.",
        ),
    ]

    @api.model_create_multi
    def create(self, vals_list):
        kinds = super().create(vals_list)
        self.env.registry.clear_cache()  # spp.event keeps the kinds as its selection
        return kinds

    def write(self, vals):
        if "code" in vals:
            self.filtered(lambda kind: kind.code != vals["code"])._refuse_used()
        result = super().write(vals)
        self.env.registry.clear_cache()
        return result

    def unlink(self):
        self._refuse_used()
        result = super().unlink()
        self.env.registry.clear_cache()
        return result

    def _refuse_used(self):
        for kind in self:
            # sudo: one event counts, whoever may see it.
            if self.env["spp.event"].sudo().search_count([("kind", "=", kind.code)], limit=1):
                raise UserError(
                    _("%s: there are events of this kind. Archive it, and make another one.", kind.name)
                )
