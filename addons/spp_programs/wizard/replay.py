"""The dialog that shows a replay: what was decided then, what is computed now, and what it rests on."""

from odoo import _, api, fields, models


class Replay(models.TransientModel):
    _name = "spp.replay"
    _description = "Replay of a decision"

    partner_id = fields.Many2one(comodel_name="res.partner", string="Registrant", readonly=True)
    same = fields.Boolean(readonly=True)
    as_of = fields.Date(
        string="As of", readonly=True, help="The date on which the rule looked at the person."
    )
    texts = fields.Text(
        string="Rules and formulas", readonly=True, help="As they were kept with the decision."
    )
    seen = fields.Text(
        string="Frozen facts",
        readonly=True,
        help="What was looked at; nothing else of the registry is read now.",
    )
    values_used = fields.Char(string="Values of variables", readonly=True)
    problems = fields.Text(readonly=True)
    line_ids = fields.One2many(comodel_name="spp.replay.line", inverse_name="replay_id", readonly=True)

    @api.model
    def _show(self, partner, answer, as_of, texts, seen, values, benefits):
        """Open the dialog about one answer of `replay`."""
        labels = {
            **dict(self.env["spp.cycle.beneficiary"]._fields["outcome"]._description_selection(self.env)),
            "": _("nothing"),
        }
        compliance = {
            "eligible": _("Compliant"),
            "not_eligible": _("Not compliant"),
            "undetermined": _("Undetermined"),
            "": _("nothing"),
        }
        lines = []
        for compared in answer["compared"]:
            what = compared["what"]
            shown = compliance if what == "compliance" else labels
            titles = {"outcome": _("Outcome"), "compliance": _("Compliance")}
            lines.append(
                {
                    "what": titles.get(what)
                    or benefits.get(what, {}).get("name")
                    or _("A benefit unknown to the terms"),
                    "then": shown.get(compared["then"], compared["then"]),
                    "now": shown.get(compared["now"], compared["now"]),
                    "same": compared["same"],
                }
            )
        # sudo: the dialog is filled by the model only.
        replay = self.sudo().create(
            {
                "partner_id": partner.id,
                "same": answer["same"],
                "as_of": as_of,
                "texts": "\n".join(texts),
                "seen": "\n".join(seen),
                "values_used": ", ".join(
                    f"{name} = {kept['value']}" for name, kept in sorted(values.items())
                ),
                "problems": "\n".join(answer["problems"]),
                "line_ids": [(0, 0, line) for line in lines],
            }
        )
        return {
            "type": "ir.actions.act_window",
            "name": _("Replay: %s", partner.display_name),
            "res_model": "spp.replay",
            "res_id": replay.id,
            "view_mode": "form",
            "views": [(False, "form")],
            "target": "new",
        }


class ReplayLine(models.TransientModel):
    _name = "spp.replay.line"
    _description = "Part of a replayed decision"

    replay_id = fields.Many2one(comodel_name="spp.replay", required=True, readonly=True, ondelete="cascade")
    what = fields.Char(string="Part", readonly=True)
    then = fields.Char(string="As decided", readonly=True)
    now = fields.Char(string="Computed again", readonly=True)
    same = fields.Boolean(readonly=True)
