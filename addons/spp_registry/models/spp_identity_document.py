"""Identity documents of registrants. Two people cannot hold the same valid one.

Which of two claims comes first is decided by a unique index, never by a search: a claim is stored as
disputed and then made valid by an UPDATE that the index lets pass or not.
"""

import re

from psycopg2.errors import UniqueViolation

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools import SQL


class SppIdentityDocument(models.Model):
    _name = "spp.identity.document"
    _description = "Identity Document"
    _order = "id desc"
    _rec_names_search = ["partner_id", "value"]

    partner_id = fields.Many2one(
        comodel_name="res.partner", string="Registrant", required=True, index=True, ondelete="restrict",
        domain="[('is_registrant', '=', True)]",
    )  # fmt: skip
    type_id = fields.Many2one(
        comodel_name="spp.identity.type", required=True, index=True, ondelete="restrict"
    )
    value = fields.Char(string="Number", required=True)
    expiry_date = fields.Date(string="Expires on")
    is_expired = fields.Boolean(compute="_compute_is_expired")
    state = fields.Selection(
        selection=[("valid", "Valid"), ("disputed", "Disputed"), ("withdrawn", "Withdrawn")],
        required=True, readonly=True, default="disputed", copy=False,
        help="Disputed: somebody else already holds this number. Withdraw the wrong claim, accept the right one.",
    )  # fmt: skip
    held_by_id = fields.Many2one(
        comodel_name="res.partner", compute="_compute_held_by_id",
        help="Who holds the number of this disputed document; empty if you may not see that person.",
    )  # fmt: skip

    def init(self):
        self.env.cr.execute("""
            CREATE UNIQUE INDEX IF NOT EXISTS spp_identity_document_valid_unique
                ON spp_identity_document (type_id, value) WHERE state = 'valid'
        """)

    @api.depends("expiry_date")
    def _compute_is_expired(self):
        today = fields.Date.context_today(self)
        for document in self:
            document.is_expired = bool(document.expiry_date and document.expiry_date < today)

    @api.depends("type_id", "value", "state")
    def _compute_held_by_id(self):
        disputed = self.filtered(lambda document: document.state == "disputed")
        valid = self.search([("value", "in", disputed.mapped("value")), ("state", "=", "valid")])
        holders = {(document.type_id, document.value): document.partner_id for document in valid}
        self.held_by_id = False
        for document in disputed:
            document.held_by_id = holders.get((document.type_id, document.value))

    @api.depends("partner_id", "type_id")
    def _compute_display_name(self):
        # Without the number: labels travel to places where it must not be read.
        for document in self:
            document.display_name = f"{document.type_id.name}, {document.partner_id.display_name}"

    @api.constrains("type_id", "value")
    def _check_value(self):
        for document in self:
            identity_type = document.type_id
            if not document.value:
                raise ValidationError(
                    _("%s: enter the number of the document.", document.partner_id.display_name)
                )
            if identity_type.pattern and not re.fullmatch(identity_type.pattern, document.value):
                raise ValidationError(
                    _(
                        "%(person)s: “%(value)s” is not a number of the type %(type)s. Expected: %(hint)s.",
                        person=document.partner_id.display_name,
                        value=document.value,
                        type=identity_type.name,
                        hint=identity_type.pattern_hint or identity_type.pattern,
                    )
                )

    @api.constrains("partner_id")
    def _check_partner_id(self):
        for document in self:
            if not document.partner_id.is_registrant:
                raise ValidationError(_("%s is not a registrant.", document.partner_id.display_name))

    @api.model_create_multi
    def create(self, vals_list):
        withdrawn = [vals.get("state") == "withdrawn" for vals in vals_list]
        documents = super().create(
            [
                {
                    **vals,
                    "value": (vals.get("value") or "").strip(),
                    "state": "withdrawn" if is_withdrawn else "disputed",
                }
                for vals, is_withdrawn in zip(vals_list, withdrawn, strict=True)
            ]
        )
        documents._claim()
        return documents

    def _completed_for_bulk(self, vals_list):
        """Values with what create() would add; see tools/bulk_rows.py."""
        return [{"state": "disputed", **vals} for vals in vals_list]

    def _created_in_bulk(self):
        """What is to be done for new rows that SQL made, disputed; see tools/bulk_rows.py."""
        self._claim()

    def write(self, vals):
        if "state" in vals:
            raise UserError(_("Use Withdraw or Accept to change the state of a document."))
        if "value" in vals:
            vals = {**vals, "value": (vals["value"] or "").strip()}
        if not {"value", "type_id"} & vals.keys():
            return super().write(vals)
        # Another number or type is another claim.
        claimed = self.filtered(lambda document: document.state != "withdrawn")
        super(SppIdentityDocument, claimed).write({**vals, "state": "disputed"})
        super(SppIdentityDocument, self - claimed).write(vals)
        claimed._claim()
        return True

    def action_withdraw(self):
        """The claim was wrong, or the document is no longer in use; its number is free again."""
        self._check_may_decide()
        for document in self.filtered(lambda document: document.state != "withdrawn"):
            self.env["spp.audit.entry"]._log(
                "Identity document withdrawn", document, old={"state": document.state}
            )
        self._set_state("withdrawn")
        return True

    def action_accept(self):
        """Make a disputed or withdrawn document valid, if nobody holds its number any more."""
        self._check_may_decide()
        self.filtered(lambda document: document.state == "withdrawn")._set_state("disputed")
        self._claim()
        for document in self:
            if document.state != "valid":
                raise UserError(document._dispute_message())
            self.env["spp.audit.entry"]._log("Identity document accepted", document, new={"state": "valid"})
        return True

    def _check_may_decide(self):
        self.check_access_rights("write")
        self.check_access_rule("write")

    def _set_state(self, state):
        self.flush_model()
        self.env.cr.execute(
            SQL("UPDATE spp_identity_document SET state = %s WHERE id = ANY(%s)", state, self.ids)
        )
        self.invalidate_model(["state", "held_by_id"])

    def _claim(self):
        """Make valid those disputed ones of `self` whose number nobody holds; the index decides."""
        self.flush_model()
        try:
            self._claim_rows(self.ids)
        except UniqueViolation:  # somebody else claimed one of them at this very moment
            for document_id in self.ids:
                try:
                    self._claim_rows([document_id])
                except UniqueViolation:
                    continue
        self.invalidate_model(["state", "held_by_id"])

    def _claim_rows(self, ids):
        # Known clashes are left out beforehand, so that no number ends in a log line of the server.
        query = SQL(
            """
            UPDATE spp_identity_document d
               SET state = 'valid'
              FROM (SELECT DISTINCT ON (type_id, value) id, type_id, value
                      FROM spp_identity_document
                     WHERE id = ANY(%s) AND state = 'disputed'
                  ORDER BY type_id, value, id) claim
             WHERE d.id = claim.id
               AND NOT EXISTS (SELECT FROM spp_identity_document held
                                WHERE held.type_id = claim.type_id AND held.value = claim.value
                                  AND held.state = 'valid')
            """,
            ids,
        )
        with self.env.cr.savepoint(flush=False):
            self.env.cr.execute(query, log_exceptions=False)

    def _dispute_message(self):
        """Why this claim is disputed; names the other holder only to who may see them."""
        self.ensure_one()
        return _(
            "%(type)s %(value)s is held by %(holder)s. Withdraw that claim first, if it is the wrong one.",
            type=self.type_id.name,
            value=self.value,
            holder=self.held_by_id.display_name or _("a person whom you may not see"),
        )
