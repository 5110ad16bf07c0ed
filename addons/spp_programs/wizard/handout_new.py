"""Hand out goods: whose, by chosen entitlements, by area and goods, or by the list that came back from the field.

The same choice is printed beforehand, as the list on which people sign.
"""

import base64

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..tools import sheet


class HandoutNew(models.TransientModel):
    _name = "spp.handout.new"
    _description = "Hand out goods"

    cycle_id = fields.Many2one(comodel_name="spp.cycle", required=True, readonly=True)
    entitlement_ids = fields.Many2many(comodel_name="spp.entitlement", readonly=True)
    whom = fields.Selection(
        selection=[
            ("all", "Everybody, or an area"),
            ("list", "A list that came back"),
        ],
        string="Of whom",
        required=True,
        default="all",
    )
    area_ids = fields.Many2many(
        comodel_name="spp.area", string="Areas", help="With the areas within them. Empty: everywhere."
    )
    benefit_id = fields.Many2one(
        comodel_name="spp.program.benefit",
        string="Goods",
        domain="[('program_id', '=', program_id), ('kind', '=', 'goods')]",
        help="Empty: all goods of the cycle.",
    )
    program_id = fields.Many2one(related="cycle_id.program_id")
    due_count = fields.Integer(
        string="To be collected", compute="_compute_due_count", help="Entitlements that are chosen here."
    )
    on = fields.Date(string="Handed out on", default=fields.Date.context_today)
    collected_by = fields.Char(
        string="Collected by",
        help="Who collected it, where it was not the registrant: name, and what they showed.",
    )
    evidence = fields.Char(help="What shows it: the signed lists, with their numbers.")
    file = fields.Binary(
        string="CSV or Excel file",
        attachment=False,
        help="The first row has the titles reference, date (2026-11-21) and, where there are any, collected_by and "
        "evidence.",
    )
    file_name = fields.Char()
    printed = fields.Binary(attachment=False, readonly=True)

    @api.model
    def default_get(self, names):
        values = super().default_get(names)
        if self.env.context.get("active_model") == "spp.entitlement":
            chosen = self.env["spp.entitlement"].browse(self.env.context.get("active_ids"))
            if len(chosen.cycle_id) > 1:
                raise UserError(_("These are of several cycles. Choose those of one."))
            values.update(cycle_id=chosen.cycle_id.id, entitlement_ids=[(6, 0, chosen.ids)])
        return values

    @api.depends("cycle_id", "entitlement_ids", "whom", "area_ids", "benefit_id")
    def _compute_due_count(self):
        for wizard in self:
            due = [*wizard.cycle_id._goods(), ("state", "=", "approved"), *wizard._domain()]
            wizard.due_count = wizard.cycle_id and self.env["spp.entitlement"].search_count(due)

    def _domain(self):
        """Which entitlements of the cycle are meant."""
        if self.entitlement_ids:
            return [("id", "in", self.entitlement_ids.ids)]
        domain = [("partner_id.area_id", "child_of", self.area_ids.ids)] if self.area_ids else []
        return domain + ([("benefit_id", "=", self.benefit_id.id)] if self.benefit_id else [])

    def action_record(self):
        """Record what was handed out; the run is opened where something was not in order."""
        self.ensure_one()
        cycle = self.cycle_id.with_context(open_run=True)
        if self.entitlement_ids:
            (result,) = self.entitlement_ids.with_context(open_run=True).action_hand_out(
                self.evidence, self.on, self.collected_by
            )
        elif self.whom == "list":
            result = cycle.action_hand_out_list(self._rows(), self.evidence or "")
        else:
            result = cycle.action_hand_out(self.evidence, self.on, self.collected_by, self._domain())
        if isinstance(result, int):
            run = self.env["spp.run"].browse(result)
            if run.failed_count:
                return run._open()
        return cycle._close_dialog(result)

    def _rows(self):
        if not self.file:
            raise UserError(_("Choose the file with the list."))
        try:
            return sheet.read(self.file_name or "", base64.b64decode(self.file))
        except sheet.Unreadable as error:
            raise UserError(str(error)) from None

    def action_print(self):
        """The list on which people sign, as a PDF."""
        self.ensure_one()
        made = self.cycle_id.action_collection_list(self._domain())
        self.printed = made["content"]
        return {
            "type": "ir.actions.act_url",
            "url": f"/web/content/{self._name}/{self.id}/printed/{made['name']}?download=1",
            "target": "self",
        }
