"""Records of a source that could not be stored: what is wrong with each, and the record itself, to try again.

What the source said may hold document and account numbers. It is kept as long as the record waits, no role can read
it, and people see a summary with numbers masked.
"""

import json
from datetime import timedelta

from odoo import api, fields, models
from odoo.tools import SQL

from odoo.addons.spp_registry.models.spp_payment_account import mask_number

# Label → the keys that registry APIs and our own records use; anything else is of no help to a person.
SHOWN = [
    ("Name", ["name"]),
    ("Family name", ["family_name"]),
    ("Given name", ["given_name"]),
    ("Additional names", ["addl_name", "additional_name"]),
    ("Kind of group", ["kind"]),
    ("Gender", ["gender"]),
    ("Date of birth", ["birthdate"]),
    ("Place of birth", ["birth_place"]),
    ("Address", ["address"]),
    ("City", ["city"]),
    ("Area", ["area"]),
    ("E-mail", ["email"]),
    ("Registered on", ["registration_date"]),
    ("Disabled on", ["disabled"]),
    ("Document", ["ids", "reg_ids", "documents"]),
    ("Phone", ["phone_numbers", "phone_number_ids", "phones"]),
    ("Account", ["bank_ids", "accounts"]),
    ("Person", ["individual_name"]),
    ("Role", ["roles"]),
    ("From", ["start"]),
    ("Until", ["ended"]),
    ("Member", ["members", "memberships"]),
]
PARTS = (
    "id_type", "id_type_as_str", "type", "value", "expiry_date", "phone_no", "number", "bank_name", "bank",
    "acc_number", "individual_name", "name", "individual", "ended",
)  # fmt: skip
MASKED = {"value", "phone_no", "number", "acc_number"}
WORKERS = ("enrollment_officer", "program_manager")  # who decides about held records


class MisHeld(models.Model):
    _name = "spp.mis.held"
    _description = "Held Record of a Source MIS"
    _order = "state desc, id"

    source_id = fields.Many2one(
        comodel_name="spp.mis.source", required=True, readonly=True, index=True, ondelete="cascade"
    )
    record_kind = fields.Selection(
        selection=[("individual", "Person"), ("group", "Group"), ("membership", "Membership")],
        string="Kind",
        required=True,
        readonly=True,
    )
    external_id = fields.Char(string="ID at the Source", required=True, readonly=True)
    name = fields.Char(required=True, readonly=True)
    reason = fields.Char(required=True, readonly=True)
    payload = fields.Json(groups=fields.NO_ACCESS, readonly=True)
    summary = fields.Text(
        string="What the Source Says",
        compute="_compute_summary",
        compute_sudo=True,
        groups="spp_base.group_enrollment_officer,spp_base.group_program_manager,spp_base.group_auditor",
    )
    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Registrant",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
        help="Set where the record came before: it stays here as it was then.",
    )
    cause = fields.Selection(
        selection=[
            ("name", "An unknown name, or a group that is not stored"),
            ("person", "A person who is not stored"),
            ("refused", "It cannot be stored as it is"),
        ],
        string="Waits For",
        required=True,
        readonly=True,
        default="refused",
        help="Names and persons: it goes through by itself once they are there. Otherwise somebody must correct it.",
    )
    waits_for = fields.Char(
        readonly=True, index="btree_not_null", help="The person it waits for, at the source."
    )
    attempts = fields.Integer(readonly=True, default=1)
    last_attempt = fields.Datetime(readonly=True)
    state = fields.Selection(
        selection=[
            ("waiting", "Waiting"),
            ("stored", "Stored"),
            ("dismissed", "Dismissed"),
            ("forgotten", "Forgotten"),
        ],
        required=True,
        readonly=True,
        default="waiting",
        index=True,
    )

    _sql_constraints = [
        ("record_unique", "UNIQUE (source_id, external_id)", "This record of the source is held already."),
    ]

    @api.depends("payload")
    def _compute_summary(self):
        for held in self:
            held.summary = "\n".join(_lines(held.payload or {}))

    def action_retry(self):
        """Try again to store these records; returns the id of the run (of the last one, for several sources)."""
        self.env["spp.mis.source"]._check_operator(*WORKERS)
        run_id = False
        for source, held in self.grouped("source_id").items():
            run_id = source._start_retry(held)
        return run_id

    def action_dismiss(self):
        """Stop waiting for these records, and forget what the source said. A later import may bring them again."""
        self.env["spp.mis.source"]._check_operator(*WORKERS)
        self.source_id._check_operator(*WORKERS)
        self.check_access_rule("read")
        # sudo: no role writes held records but through here
        waiting = self.sudo().filtered(lambda held: held.state == "waiting")
        waiting.write({"state": "dismissed", "payload": False})
        return True

    @api.model
    def _hold(self, source, troubles):
        """Keep the records of `troubles`: dicts of record_kind, external_id, name, reason, payload, partner_id.

        A record that waits already is replaced by what the source says now.
        """
        self.flush_model()
        columns = {
            key: [
                json.dumps(trouble[key]) if key == "payload" else trouble[key] or None for trouble in troubles
            ]
            for key in (
                "record_kind",
                "external_id",
                "name",
                "reason",
                "payload",
                "partner_id",
                "cause",
                "waits_for",
            )  # fmt: skip
        }
        query = SQL(
            """
            INSERT INTO spp_mis_held AS held
                   (source_id, record_kind, external_id, name, reason, payload, partner_id, cause, waits_for,
                    attempts, last_attempt, state, create_uid, create_date, write_uid, write_date)
            SELECT %(source)s, t.record_kind, t.external_id, t.name, t.reason, t.payload, t.partner_id,
                   t.cause, t.waits_for, 1, %(now)s, 'waiting', %(uid)s, %(now)s, %(uid)s, %(now)s
              FROM (SELECT DISTINCT ON (u.external_id) u.*
                      FROM unnest(%(record_kind)s::varchar[], %(external_id)s::varchar[], %(name)s::varchar[],
                                  %(reason)s::varchar[], %(payload)s::jsonb[], %(partner_id)s::integer[],
                                  %(cause)s::varchar[], %(waits_for)s::varchar[])
                           AS u (record_kind, external_id, name, reason, payload, partner_id, cause, waits_for)) t
                ON CONFLICT (source_id, external_id) DO UPDATE
               SET name = excluded.name, reason = excluded.reason, payload = excluded.payload,
                   partner_id = excluded.partner_id, cause = excluded.cause, waits_for = excluded.waits_for,
                   last_attempt = excluded.last_attempt,
                   attempts = CASE held.state WHEN 'waiting' THEN held.attempts + 1 ELSE 1 END,
                   state = 'waiting', write_uid = excluded.write_uid, write_date = excluded.write_date
         RETURNING id, external_id
            """,
            source=source.id,
            now=self.env.cr.now(),
            uid=self.env.uid,
            **columns,
        )
        self.env.cr.execute(query, log_exceptions=False)  # the payload must not reach a log
        ids = {external_id: held_id for held_id, external_id in self.env.cr.fetchall()}
        self.invalidate_model()
        return ids

    @api.model
    def _purge(self, source):
        """Forget what the source said of records that have waited too long."""
        limit = fields.Datetime.now() - timedelta(days=source.payload_days)
        old = self.search(
            [("source_id", "=", source.id), ("state", "=", "waiting"), ("last_attempt", "<", limit)]
        )
        old.write({"state": "forgotten", "payload": False})
        return len(old)

    @api.model
    def _settle(self, source, external_ids):
        """These records were stored: they wait no longer, and their failures in runs are resolved."""
        self.flush_model()
        waiting = self.search(
            [("source_id", "=", source.id), ("external_id", "in", external_ids), ("state", "=", "waiting")]
        )
        if waiting:
            waiting.write({"state": "stored", "payload": False})
            failures = self.env["spp.run.failure"].search(
                [("res_model", "=", self._name), ("res_id", "in", waiting.ids), ("resolved", "=", False)]
            )
            failures.write({"resolved": True})


def _lines(payload):
    """A record as lines of text, numbers masked; read as the source sent it, or as it was stored."""
    for label, keys in SHOWN:
        for value in (payload.get(key) for key in keys):
            for one in value if isinstance(value, list) else [value]:
                text = _text(one, masked=bool(MASKED.intersection(keys)))
                if text:
                    yield f"{label}: {text}"


def _text(value, masked):
    if isinstance(value, dict):
        parts = (_text(value.get(key), masked=key in MASKED) for key in PARTS)
        return ", ".join(part for part in parts if part)
    if value is None or value is False or isinstance(value, list):
        return ""
    return mask_number(str(value)) if masked else ", ".join(str(value).splitlines())
