"""Open risks: who could, by their roles, take a payment from entry to release alone, and who had several parts in one.

On every cycle, who submits, who approves and who releases are kept apart, whatever roles somebody holds. These lists
show where that is all that stands between, and where a chain has loosened it.
"""

from odoo import _, fields, models

from odoo.addons.spp_base.tools.roles import HELD_SQL

# One row a user and step of a payment's life that their roles, chains and deputies' powers let them take.
COULD = f"""
    WITH held AS MATERIALIZED {HELD_SQL},
    role AS (
        SELECT d.name AS role, g.uid
          FROM ir_model_data d
          JOIN held g ON g.gid = d.res_id
         WHERE d.module = 'spp_base' AND d.model = 'res.groups'
    ), person AS (
        SELECT u.id, u.company_id FROM res_users u WHERE u.active
           AND EXISTS (SELECT FROM role WHERE role.uid = u.id AND role.role = 'group_program_viewer')
    ), asked AS (
        SELECT uid FROM role WHERE role = 'group_approver'
         UNION
        SELECT g.uid FROM spp_approval_chain c
          JOIN spp_approval_level l ON l.chain_id = c.id
          JOIN held g ON g.gid = l.group_id
         WHERE c.active AND c.kind = 'cycle'
         UNION
        SELECT p.res_users_id FROM spp_approval_chain c
          JOIN spp_approval_level l ON l.chain_id = c.id
          JOIN res_users_spp_approval_level_rel p ON p.spp_approval_level_id = l.id
         WHERE c.active AND c.kind = 'cycle'
    ), deputy AS (
        SELECT d.deputy_id AS uid, d.id FROM spp_approval_delegation d
          JOIN asked ON asked.uid = d.user_id
         WHERE d.ended_at IS NULL AND current_date BETWEEN d.start AND d."end"
    ), could AS (
        SELECT p.id AS user_id, p.company_id,
               EXISTS (SELECT FROM role WHERE uid = p.id AND role = 'group_enrollment_officer') AS enters,
               EXISTS (SELECT FROM role WHERE uid = p.id AND role = 'group_program_manager') AS prepares,
               EXISTS (SELECT FROM asked WHERE uid = p.id) AS approves,
               EXISTS (SELECT FROM deputy WHERE uid = p.id) AS approves_as_deputy,
               EXISTS (SELECT FROM role WHERE uid = p.id AND role = 'group_payment_releaser') AS releases,
               EXISTS (SELECT FROM role WHERE uid = p.id AND role = 'group_admin') AS gives_roles,
               EXISTS (SELECT FROM spp_approval_chain c WHERE c.active AND c.approver_may_release
                          AND c.kind = 'cycle') AS loosened
          FROM person p
    )
    SELECT user_id AS id, user_id, company_id, enters, prepares, approves, approves_as_deputy, releases, gives_roles,
           loosened AND releases AND (approves OR approves_as_deputy) AS may_release_own,
           CASE WHEN prepares AND (approves OR approves_as_deputy) AND releases THEN 'all'
                WHEN gives_roles THEN 'roles'
                ELSE 'some' END AS risk
      FROM could
     WHERE gives_roles OR prepares::int + (approves OR approves_as_deputy)::int + releases::int >= 2
"""

# One row a cycle and user who had two or more of the parts in it that are to be kept apart.
DID = """
    WITH part AS (
        SELECT r.res_id AS cycle_id, r.user_id, 'prepared' AS part FROM spp_run r
         WHERE r.res_model = 'spp.cycle' AND r.kind = 'cycle_compute' AND r.state = 'done'
         UNION
        SELECT c.id, c.submitted_by, 'prepared' FROM spp_cycle c WHERE c.submitted_by IS NOT NULL
         UNION
        SELECT b.cycle_id, b.create_uid, 'prepared' FROM spp_payment_batch b
         UNION
        SELECT p.cycle_id, p.confirmed_by, 'prepared' FROM spp_payment p WHERE p.confirmed_by IS NOT NULL
         UNION
        SELECT c.id, c.approved_by, 'approved' FROM spp_cycle c WHERE c.approved_by IS NOT NULL
         UNION
        SELECT d.res_id, unnest(ARRAY[d.user_id, d.on_behalf_id]), 'approved' FROM spp_approval_decision d
          JOIN spp_approval_request q ON q.id = d.request_id AND q.kind = 'cycle' AND q.round = d.round
         WHERE d.decision = 'approved' AND d.res_model = 'spp.cycle'
         UNION
        SELECT b.cycle_id, b.released_by, 'released' FROM spp_payment_batch b WHERE b.released_by IS NOT NULL
    ), everything AS (
        SELECT cycle_id, user_id, part FROM part WHERE user_id IS NOT NULL
         UNION
        SELECT p.cycle_id, x.user_id, 'entered'
          FROM (SELECT DISTINCT cycle_id, user_id FROM part WHERE user_id IS NOT NULL) x
          JOIN spp_payment p ON p.cycle_id = x.cycle_id
          JOIN spp_payment_account a ON a.id = p.account_id AND x.user_id IN (a.create_uid, a.write_uid)
    )
    SELECT row_number() OVER (ORDER BY e.cycle_id, e.user_id)::integer AS id, e.cycle_id, e.user_id,
           bool_or(part = 'entered') AS entered, bool_or(part = 'prepared') AS prepared,
           bool_or(part = 'approved') AS approved, bool_or(part = 'released') AS released,
           count(DISTINCT part)::integer AS parts
      FROM everything e JOIN spp_cycle c ON c.id = e.cycle_id
     GROUP BY e.cycle_id, e.user_id
    HAVING count(DISTINCT part) >= 2
"""


class SeparationRisk(models.Model):
    _name = "spp.separation.risk"
    _description = "Who could take several parts in a payment"
    _auto = False
    _order = "risk, user_id"
    _rec_name = "user_id"

    user_id = fields.Many2one(comodel_name="res.users", string="Who", readonly=True)
    company_id = fields.Many2one(comodel_name="res.company", readonly=True)
    enters = fields.Boolean(string="Enters people and accounts", readonly=True)
    prepares = fields.Boolean(string="Prepares and submits", readonly=True)
    approves = fields.Boolean(readonly=True)
    approves_as_deputy = fields.Boolean(string="Approves as a deputy", readonly=True)
    releases = fields.Boolean(readonly=True)
    gives_roles = fields.Boolean(
        readonly=True, help="May make a user, and give it any role. Every such change is in the audit trail."
    )
    may_release_own = fields.Boolean(
        string="May release what they approved", readonly=True, help="A chain of cycles says so."
    )
    risk = fields.Selection(
        selection=[
            ("all", "Holds every step"),
            ("roles", "Could make users who do"),
            ("some", "Holds several steps"),
        ],
        readonly=True,
    )
    stands_between = fields.Char(
        compute="_compute_stands_between", help="What still keeps it from happening."
    )

    @property
    def _table_query(self):
        return COULD

    def _compute_stands_between(self):
        for line in self:
            if line.may_release_own:
                line.stands_between = _("Only that who submits a cycle neither approves nor releases it.")
            elif line.gives_roles and line.risk == "roles":
                line.stands_between = _("Nobody changes their own roles, and the trail shows who was made.")
            else:
                line.stands_between = _(
                    "On each cycle, who submits, who approves and who releases are kept apart."
                )


class SeparationTrail(models.Model):
    _name = "spp.separation.trail"
    _description = "Who had several parts in one cycle"
    _auto = False
    _order = "parts desc, cycle_id desc, user_id"
    _rec_name = "cycle_id"

    cycle_id = fields.Many2one(comodel_name="spp.cycle", readonly=True)
    user_id = fields.Many2one(comodel_name="res.users", string="Who", readonly=True)
    entered = fields.Boolean(string="Entered or changed an account paid to", readonly=True)
    prepared = fields.Boolean(
        string="Computed, submitted, prepared payments, or let them go to another payee or account",
        readonly=True,
    )
    approved = fields.Boolean(string="Approved, in person or by a deputy", readonly=True)
    released = fields.Boolean(string="Released payments", readonly=True)
    parts = fields.Integer(readonly=True, help="Of four.")

    @property
    def _table_query(self):
        return DID
