"""Who approves one kind of action, level after level."""

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import SQL

KINDS = [
    ("enrollment", "Enrollment by hand"),
    ("exit", "Exit from a program"),
    ("cycle", "Cycle"),
    ("fund", "Change of a fund"),
    ("rule_version", "Publishing of a rule"),
    ("account_change", "Change of a payment account"),
    ("reissue", "Payment issued again"),
    ("settle_unknown", "Settlement of a payment by hand"),
]


class ApprovalChain(models.Model):
    _name = "spp.approval.chain"
    _inherit = ["spp.audited.mixin"]
    _description = "Approval chain"
    _order = "kind, id"

    _audited_fields = ("name", "kind", "company_id", "approver_may_release", "remind_days", "active")

    name = fields.Char(required=True)
    active = fields.Boolean(default=True)
    kind = fields.Selection(
        selection=lambda self: self._kinds(),
        required=True,
        default="cycle",
        help="What needs approval. A cycle always does: without a chain, by one approver. Everything else does "
        "only where it has a chain.",
    )
    company_id = fields.Many2one(
        comodel_name="res.company",
        default=lambda self: self.env.company,
        ondelete="restrict",
        help="Empty: for every company that has no chain of its own.",
    )
    level_ids = fields.One2many(
        comodel_name="spp.approval.level",
        inverse_name="chain_id",
        string="Levels",
        copy=True,
        help="In this order; each is asked once the one before has agreed.",
    )
    approver_may_release = fields.Boolean(
        string="Approver may release",
        help="Lets who approved also send the payments. Two people then stand between the money and its payees where "
        "there would be three; the page of open risks lists it.",
    )
    remind_days = fields.Integer(
        string="Remind after (days)",
        default=2,
        help="Who may decide is reminded when so many days have passed, and again as often. 0: never.",
    )

    _sql_constraints = [("remind_days_sign", "CHECK(remind_days >= 0)", "Days are counted from 0 on.")]

    def init(self):
        # The scope grows with the addons installed: the index is made anew. But not while this addon is updated and
        # the one that made it larger is not loaded yet: chains may differ in what that one added.
        names = self._scope_fields()
        self.env.cr.execute(
            """
            SELECT a.attname FROM pg_depend d
              JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
             WHERE d.classid = 'pg_class'::regclass AND d.refobjid = 'spp_approval_chain'::regclass
               AND d.objid = to_regclass('spp_approval_chain_scope_unique')
            """
        )
        if {name for (name,) in self.env.cr.fetchall()} > {*names, "active"}:
            return
        scope = SQL(", ").join(
            SQL("COALESCE(%s, %s)", SQL.identifier(name), "" if name == "kind" else 0) for name in names
        )
        self.env.cr.execute("DROP INDEX IF EXISTS spp_approval_chain_scope_unique")
        self.env.cr.execute(
            SQL(
                "CREATE UNIQUE INDEX spp_approval_chain_scope_unique ON spp_approval_chain (%s) WHERE active",
                scope,
            )
        )

    @api.model
    def _kinds(self):
        """Kinds of action that can be approved: (name, label). An addon adds its own."""
        return KINDS

    def _scope_fields(self):
        """What a chain is chosen by. No two active chains are for the same."""
        return ["kind", "company_id"]

    @api.constrains("level_ids", "active")
    def _check_levels(self):
        for chain in self.filtered("active"):
            if not chain.level_ids:
                raise ValidationError(_("The chain %s needs at least one level.", chain.name))

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self.new(vals)._refuse_same()
        return super().create(vals_list)

    def write(self, vals):
        if {*self._scope_fields(), "active"}.intersection(vals):
            for chain in self:
                chain.new(vals, origin=chain)._refuse_same()
        return super().write(vals)

    def _refuse_same(self):
        """The index decides; this names the other chain."""
        if not self.active:
            return
        same = [
            (name, "=", self[name]._origin.id if self._fields[name].relational else self[name])
            for name in self._scope_fields()
        ]
        # sudo: it is in the way, whoever sees it
        other = self.env[self._name].sudo().search([*same, ("id", "!=", self._origin.id)], limit=1)
        if other:
            raise ValidationError(_("The chain %s is for this already.", other.name))

    @api.model
    def _find(self, kind, record):
        """The chain for this kind of action on this record: the most special one, or none."""
        # sudo: a chain holds for everybody, whoever may read it.
        chains = self.sudo().search([("kind", "=", kind)], order="id")
        fitting = chains.filtered(lambda chain: chain._fits(record))
        return fitting.sorted(lambda chain: chain._rank())[-1:]

    def _fits(self, record):
        company = "company_id" in record._fields and record.sudo().company_id[:1]
        # What belongs to no company is everybody's: no company's chain can be passed by.
        return not self.company_id or not company or self.company_id == company

    def _rank(self):
        """How special the chain is; the highest is taken."""
        return (bool(self.company_id), -self.id)

    def _levels_for(self, figures):
        """The levels that apply, as they are kept with a request."""
        return [
            {
                "id": level.id,
                "name": level.name,
                "group_id": level.group_id.id,
                "user_ids": level.user_ids.ids,
                "needed": level.needed,
            }
            for level in self.level_ids
            if level._applies(figures)
        ]
