"""The trail of what was asked and decided. Append-only; the database refuses who may not decide."""

from odoo import fields, models

from odoo.addons.spp_base.tools.append_only import make_append_only

# What counts as a person's decision: one a round, in whatever capacity.
VERDICTS = ("approved", "rejected", "sent_back")

# The request's row is updated, so that of two decisions at the same instant the second waits and then counts with
# the first; the queries below alone would not see each other.
TRIGGER = """
    CREATE OR REPLACE FUNCTION spp_approval_decision_check() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        asked record;
    BEGIN
        UPDATE spp_approval_request SET decision_count = decision_count + 1
         WHERE id = NEW.request_id RETURNING submitted_by, round, state INTO asked;
        IF NEW.decision NOT IN ('approved', 'rejected', 'sent_back') THEN
            RETURN NEW;
        END IF;
        IF NEW.round <> asked.round OR asked.state <> 'waiting' THEN
            RAISE EXCEPTION 'The request % waits for no decision in round %.', NEW.request_id, NEW.round
                USING ERRCODE = 'check_violation';
        END IF;
        IF asked.submitted_by IN (NEW.user_id, NEW.on_behalf_id) OR EXISTS (
            SELECT FROM spp_approval_request_barred_rel b
             WHERE b.request_id = NEW.request_id AND b.user_id IN (NEW.user_id, NEW.on_behalf_id)
        ) THEN
            RAISE EXCEPTION 'Who submitted or prepared something never decides about it, nor does their deputy.'
                USING ERRCODE = 'check_violation';
        END IF;
        IF EXISTS (
            SELECT FROM spp_approval_decision d
             WHERE d.request_id = NEW.request_id AND d.round = NEW.round
               AND d.decision IN ('approved', 'rejected', 'sent_back')
               AND (d.user_id IN (NEW.user_id, NEW.on_behalf_id)
                    OR d.on_behalf_id IN (NEW.user_id, NEW.on_behalf_id))
        ) THEN
            RAISE EXCEPTION 'Nobody decides twice in a round, in person or through a deputy.'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$;
    CREATE OR REPLACE TRIGGER spp_approval_decision_check BEFORE INSERT ON spp_approval_decision
        FOR EACH ROW EXECUTE FUNCTION spp_approval_decision_check();
    CREATE UNIQUE INDEX IF NOT EXISTS spp_approval_decision_person_unique
        ON spp_approval_decision (request_id, round, user_id)
        WHERE decision IN ('approved', 'rejected', 'sent_back');
    CREATE UNIQUE INDEX IF NOT EXISTS spp_approval_decision_name_unique
        ON spp_approval_decision (request_id, round, COALESCE(on_behalf_id, user_id))
        WHERE decision IN ('approved', 'rejected', 'sent_back');
    CREATE INDEX IF NOT EXISTS spp_approval_decision_record_idx ON spp_approval_decision (res_model, res_id)
"""


class ApprovalDecision(models.Model):
    _name = "spp.approval.decision"
    _description = "Approval decision"
    _order = "id desc"
    _rec_name = "decision"
    _log_access = False

    request_id = fields.Many2one(
        comodel_name="spp.approval.request", required=True, readonly=True, index=True, ondelete="restrict"
    )
    company_id = fields.Many2one(comodel_name="res.company", related="request_id.company_id")
    partner_id = fields.Many2one(comodel_name="res.partner", related="request_id.partner_id")
    kind = fields.Selection(related="request_id.kind", string="Kind of action")
    res_model = fields.Char(string="Model", required=True, readonly=True)
    res_id = fields.Many2oneReference(
        string="Record ID", model_field="res_model", required=True, readonly=True
    )
    name = fields.Char(string="About", readonly=True)
    round = fields.Integer(required=True, readonly=True)
    decision = fields.Selection(
        selection=[
            ("submitted", "Submitted"),
            ("approved", "Approved"),
            ("rejected", "Rejected"),
            ("sent_back", "Sent back"),
            ("withdrawn", "Withdrawn"),
            ("void", "Void"),
        ],
        required=True,
        readonly=True,
        help="Void: what had been approved was changed afterwards, so that the approval holds no more.",
    )
    user_id = fields.Many2one(
        comodel_name="res.users", string="Who", required=True, readonly=True, index=True, ondelete="restrict"
    )
    on_behalf_id = fields.Many2one(
        comodel_name="res.users", string="For", readonly=True, index="btree_not_null", ondelete="restrict"
    )
    delegation_id = fields.Many2one(
        comodel_name="spp.approval.delegation", readonly=True, ondelete="restrict"
    )
    position = fields.Integer(readonly=True)
    level_name = fields.Char(string="Level", readonly=True)
    comment = fields.Char(readonly=True)
    fingerprint = fields.Char(
        readonly=True, help="Of what was decided about: it changes when any payee or amount does."
    )
    amount = fields.Monetary(readonly=True)
    currency_id = fields.Many2one(comodel_name="res.currency", readonly=True, ondelete="restrict")
    at = fields.Datetime(string="When", required=True, readonly=True, index=True)

    def init(self):
        make_append_only(self.env.cr, self._table)
        self.env.cr.execute(TRIGGER)
