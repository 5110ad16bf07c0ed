"""Who did what, when, to which record. Append-only: the database refuses changes."""

from markupsafe import Markup

from odoo import _, api, fields, models

from ..tools.append_only import make_append_only


class AuditEntry(models.Model):
    _name = "spp.audit.entry"
    _description = "Audit Entry"
    _order = "id desc"
    _rec_name = "action"
    _log_access = False

    at = fields.Datetime(string="When", required=True, readonly=True, index=True)
    user_id = fields.Many2one(
        comodel_name="res.users", string="Who", required=True, readonly=True, index=True, ondelete="restrict"
    )
    company_id = fields.Many2one(comodel_name="res.company", readonly=True, ondelete="restrict")
    action = fields.Char(string="Did What", required=True, readonly=True, index=True)
    res_model = fields.Char(string="Model", readonly=True)
    res_id = fields.Many2oneReference(string="Record ID", model_field="res_model", readonly=True)
    res_name = fields.Char(string="Record", readonly=True)
    # The person it concerns, where there is one, so that access to people limits the trail too.
    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Registrant",
        readonly=True,
        index="btree_not_null",
        ondelete="restrict",
    )
    other_partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Other registrant",
        readonly=True,
        index="btree_not_null",
        ondelete="restrict",
        help="The second person, where it concerns two: who may not see both does not see the entry.",
    )
    old = fields.Json(readonly=True)
    new = fields.Json(readonly=True)
    changes = fields.Html(compute="_compute_changes")
    changes_text = fields.Char(
        string="Changes",
        compute="_compute_changes_text",
        help="For lists and exports: field: before → after.",
    )
    model_name = fields.Char(string="Kind of record", compute="_compute_model_name", compute_sudo=True)
    run_id = fields.Many2one(
        comodel_name="spp.run", readonly=True, index="btree_not_null", ondelete="restrict"
    )
    note = fields.Char(readonly=True)

    def init(self):
        make_append_only(self.env.cr, self._table)
        self.env.cr.execute(
            "CREATE INDEX IF NOT EXISTS spp_audit_entry_res_idx ON spp_audit_entry (res_model, res_id)"
        )

    @api.depends("old", "new")
    def _compute_changes(self):
        head = Markup("<tr><th></th><th>%s</th><th>%s</th></tr>") % (_("Before"), _("After"))
        row = Markup("<tr><td>%s</td><td>%s</td><td>%s</td></tr>")
        for entry in self:
            old, new = _by_name(entry.old), _by_name(entry.new)
            rows = [row % (name, _text(old.get(name)), _text(new.get(name))) for name in {**old, **new}]
            entry.changes = bool(rows) and Markup("<table class='table table-sm'>%s</table>") % (
                head + Markup("").join(rows)
            )

    @api.depends("old", "new")
    def _compute_changes_text(self):
        for entry in self:
            old, new = _by_name(entry.old), _by_name(entry.new)
            # What stayed the same is in the entry, and told where all of it seems to: a number behind the same mask.
            differing = [name for name in {**old, **new} if old.get(name) != new.get(name)]
            entry.changes_text = "; ".join(
                f"{name}: " * bool(name) + f"{_text(old.get(name)) or '–'} → {_text(new.get(name)) or '–'}"
                for name in differing or {**old, **new}
            )

    @api.depends("res_model")
    def _compute_model_name(self):
        for entry in self:
            known = entry.res_model in self.env
            entry.model_name = self.env[entry.res_model]._description if known else entry.res_model

    @api.model
    def _log(self, action, record, old=None, new=None, run=None, note=""):
        """Write one entry about ``record`` (of any model; may be empty).

        :param action: what was done, in words: ``"Cycle approved"``
        :param old: values before, JSON-serializable; never an account number, document or secret
        :param new: values after, likewise
        :param run: the ``spp.run`` of a bulk action, which leads to each person in it
        """
        # sudo: everybody leaves a trail, nobody writes one by hand
        return self.sudo().create([self._values(action, record, old=old, new=new, run=run, note=note)])

    def _values(self, action, record, old=None, new=None, run=None, note="", other=None):
        """The values of an entry; see `_log`. For who writes many at once.

        :param other: a second registrant it concerns; else the one in the field that the model's
            ``_audit_other_partner`` names
        """
        other = other or (
            getattr(record, "_audit_other_partner", None) and record[record._audit_other_partner]
        )
        partner = (
            record
            if record._name == "res.partner"
            else record._fields.get("partner_id") and record.partner_id
        )
        company = "company_id" in record._fields and record.company_id or self.env.company
        return {
            "at": fields.Datetime.now(),
            "user_id": self.env.uid,
            "company_id": company.id,
            "action": action,
            "res_model": record._name if record else False,
            "res_id": record.id,
            "res_name": record.sudo().display_name if record else False,
            "partner_id": partner and partner._name == "res.partner" and partner.id,
            "other_partner_id": other and other.id,
            "old": old,
            "new": new,
            "run_id": run and run.id,
            "note": note,
        }

    def action_open(self):
        """Open the record that the entry is about."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self.res_model,
            "res_id": self.res_id,
            "views": [(False, "form")],
        }


def _by_name(values):
    """Values as name → value; what is not a dict has no name."""
    if isinstance(values, dict):
        return values
    return {"": values} if values else {}


def _text(value):
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
