"""A value that was changed here and at the source since the last import, with both values side by side."""

import json

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from odoo.addons.spp_registry.models.spp_payment_account import mask_number

from .spp_mis_held import WORKERS

ACCOUNT = "payment_account_ids"  # the field that stands for “which account is the primary one”
DOCUMENT = "document_ids"  # with “:” and a type: the number of the document of this type


class MisConflict(models.Model):
    _name = "spp.mis.conflict"
    _description = "Value Changed Here and at the Source"
    _order = "state desc, id desc"

    source_id = fields.Many2one(
        comodel_name="spp.mis.source", required=True, readonly=True, index=True, ondelete="cascade"
    )
    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Registrant",
        required=True,
        readonly=True,
        index=True,
        ondelete="cascade",
    )
    field_name = fields.Char(required=True, readonly=True)
    field_label = fields.Char(string="Field", compute="_compute_field_label")
    ours = fields.Char(string="Value Here", readonly=True)
    theirs = fields.Char(string="Value at the Source", readonly=True)
    value = fields.Json(groups=fields.NO_ACCESS, readonly=True, help="The source's value, to be written.")
    state = fields.Selection(
        selection=[
            ("open", "To decide"),
            ("theirs", "The source's taken"),
            ("ours", "Ours kept"),
            ("same", "Both agree now"),
        ],
        required=True,
        readonly=True,
        default="open",
        index=True,
    )
    seen_at = fields.Datetime(string="Seen", readonly=True)
    decided_by_id = fields.Many2one(comodel_name="res.users", string="Decided by", readonly=True)

    _sql_constraints = [
        ("value_unique", "UNIQUE (source_id, partner_id, field_name)", "This conflict is listed already."),
    ]

    @api.depends("field_name")
    def _compute_field_label(self):
        Partner = self.env["res.partner"]
        for conflict in self:
            if conflict.field_name == ACCOUNT:
                conflict.field_label = _("Primary account")
            elif conflict.field_name.startswith(f"{DOCUMENT}:"):
                kind = self.env["spp.identity.type"].browse(int(conflict.field_name.rpartition(":")[2]))
                conflict.field_label = kind.exists().name or _("Document")
            else:
                field = Partner._fields.get(conflict.field_name)
                conflict.field_label = field and field._description_string(self.env) or conflict.field_name

    @api.depends("field_name", "partner_id")
    def _compute_display_name(self):
        for conflict in self:
            conflict.display_name = f"{conflict.partner_id.display_name}: {conflict.field_label}"

    def action_take_theirs(self):
        """Write the source's value to the registrants. Roles: enrollment officer, program manager."""
        for conflict in self._to_decide():
            partner = conflict.partner_id
            if conflict.field_name == ACCOUNT:
                account = self.env["spp.payment.account"].sudo().browse(conflict.value).exists()
                if account.state != "active":
                    raise UserError(_("%s: the source's account has ended here.", partner.display_name))
                account.action_make_primary()
            elif conflict.field_name.startswith(f"{DOCUMENT}:"):
                document = self.env["spp.identity.document"].sudo().browse(conflict.value["id"]).exists()
                if not document or document.state == "withdrawn":
                    raise UserError(_("%s: the document was withdrawn here.", partner.display_name))
                document.write({name: conflict.value[name] for name in ("value", "expiry_date")})
            else:
                partner.write({conflict.field_name: conflict.value})
            conflict._decided("theirs")
        return True

    def action_keep_ours(self):
        """Leave the registrants as they are; a later change at the source is a new conflict."""
        for conflict in self._to_decide():
            conflict._decided("ours")
        return True

    def _to_decide(self):
        self.env["spp.mis.source"]._check_operator(*WORKERS)
        self.source_id._check_operator(*WORKERS)
        self.check_access_rights("read")
        self.check_access_rule("read")
        self.partner_id.check_access_rule("read")
        return self.sudo().filtered(lambda one: one.state == "open")  # sudo: no role writes but through here

    def _decided(self, state):
        self.env["spp.audit.entry"]._log(
            "Conflict with a source decided",
            self.partner_id,
            old={"field": self.field_name},
            new={"field": self.field_name, "decision": state},
        )
        self.write({"state": state, "decided_by_id": self.env.uid, "value": False})
        self._forget_numbers()

    def _forget_numbers(self):
        """While it is open, a person needs both numbers of a document to decide; afterwards nobody does."""
        for conflict in self.filtered(lambda one: one.field_name.startswith(DOCUMENT)):
            conflict.write({name: mask_number(conflict[name]) for name in ("ours", "theirs")})

    @api.model
    def _note(self, source, found):
        """List conflicts: dicts of partner_id, field_name, ours, theirs, value, state. One line for each field."""
        if not found:
            return
        self.flush_model()
        names = ("partner_id", "field_name", "ours", "theirs", "state")
        columns = {name: [one[name] or None for one in found] for name in names}
        columns["value"] = [json.dumps(one["value"]) if one["state"] == "open" else None for one in found]
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO spp_mis_conflict (source_id, partner_id, field_name, ours, theirs, value, state, seen_at,
                                              create_uid, create_date, write_uid, write_date)
                SELECT %(source)s, t.partner_id, t.field_name, t.ours, t.theirs, t.value, t.state, %(now)s,
                       %(uid)s, %(now)s, %(uid)s, %(now)s
                  FROM unnest(%(partner_id)s::integer[], %(field_name)s::varchar[], %(ours)s::varchar[],
                              %(theirs)s::varchar[], %(value)s::jsonb[], %(state)s::varchar[])
                       AS t (partner_id, field_name, ours, theirs, value, state)
                    ON CONFLICT (source_id, partner_id, field_name) DO UPDATE
                   SET ours = excluded.ours, theirs = excluded.theirs, value = excluded.value, state = excluded.state,
                       seen_at = excluded.seen_at, decided_by_id = NULL,
                       write_uid = excluded.write_uid, write_date = excluded.write_date
                """,
                source=source.id,
                now=self.env.cr.now(),
                uid=self.env.uid,
                **columns,
            ),
            log_exceptions=False,
        )
        self.invalidate_model()

    @api.model
    def _agree(self, source, agreed):
        """Close what is open of these (registrant's id, field): both sides say the same now."""
        if not agreed:
            return
        waiting = self.search(
            [
                ("source_id", "=", source.id),
                ("state", "=", "open"),
                ("partner_id", "in", list({partner_id for partner_id, _name in agreed})),
            ]
        )
        settled = waiting.filtered(lambda one: (one.partner_id.id, one.field_name) in agreed)
        settled.write({"state": "same", "value": False})
        settled._forget_numbers()
