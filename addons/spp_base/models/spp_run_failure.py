"""One row of a run that did not work, with the reason in plain words."""

from odoo import fields, models


class RunFailure(models.Model):
    _name = "spp.run.failure"
    _description = "Failed Row of a Run"
    _order = "run_id desc, id"

    run_id = fields.Many2one(comodel_name="spp.run", required=True, index=True, ondelete="cascade")
    res_model = fields.Char(string="Model")
    res_id = fields.Many2oneReference(string="Record ID", model_field="res_model")
    # Made here, so that access to people (area, company) also limits who reads about them.
    partner_id = fields.Many2one(
        comodel_name="res.partner", string="Registrant", index="btree_not_null", ondelete="set null"
    )
    name = fields.Char(required=True)
    external_id = fields.Char(string="External ID", help="What the other system calls it.")
    reason = fields.Char(required=True)
    resolved = fields.Boolean(help="A later try went well, or somebody took care of it.")

    def action_open(self):
        """Open the record that the row is about."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self.res_model,
            "res_id": self.res_id,
            "views": [(False, "form")],
        }
