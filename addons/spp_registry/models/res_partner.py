"""Individuals and households: registrants on res.partner.

A registrant is a contact with `is_registrant`; a household or other group has `is_group` too. Nothing
here is a stored count or a stored age: bulk work must not have to touch the person.
"""

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..fields_nullable import NullableFloat
from ..tools import bulk_rows
from ..tools.membership import live_domain

ACCOUNT_READERS = (
    "spp_base.group_enrollment_officer,spp_base.group_program_manager,spp_base.group_finance_officer,"
    "spp_base.group_approver,spp_base.group_payment_releaser,spp_base.group_auditor"
)
DOCUMENT_READERS = "spp_base.group_enrollment_officer,spp_base.group_program_manager,spp_base.group_auditor"
NAME_PARTS = ("family_name", "given_name", "additional_name")
MANY = 20  # from how many on registrants are made in one statement
PLAIN = {
    *NAME_PARTS,
    "name",
    "is_registrant",
    "is_group",
    "gender",
    "birthdate",
    "birthdate_exact",
    "birth_place",
    "income",
    "vulnerability_score",
    "area_id",
    "registration_date",
    "registrant_status",
    "status_date",
    "status_reason",
    "group_kind_id",
    "company_id",
}


def compose_name(family, given, additional):
    """A person's full name as registries write it.

    >>> compose_name("Abada", "Danilo", "Santos")
    'ABADA, DANILO SANTOS'
    """
    given_names = " ".join(part.strip() for part in (given, additional) if part and part.strip())
    return ", ".join(part for part in ((family or "").strip(), given_names) if part).upper()


def age_at(birthdate, date):
    """Completed years at `date`, or None; born on 29 February, one is a year older on 1 March."""
    if not birthdate:
        return None
    return date.year - birthdate.year - ((date.month, date.day) < (birthdate.month, birthdate.day))


class ResPartner(models.Model):
    _inherit = "res.partner"

    # False rather than NULL, so that SQL can say "NOT is_group".
    is_registrant = fields.Boolean(string="Registrant", default=False)
    is_group = fields.Boolean(string="Group", default=False)
    family_name = fields.Char()
    given_name = fields.Char()
    additional_name = fields.Char(string="Additional names")
    gender = fields.Selection(selection=[("female", "Female"), ("male", "Male"), ("other", "Other")])
    birthdate = fields.Date(string="Date of birth")
    birthdate_exact = fields.Boolean(
        string="Exact", default=True, help="Untick where only the year or an estimate is known."
    )
    birth_place = fields.Char(string="Place of birth")
    age = fields.Integer(
        compute="_compute_age", help="Completed years; means nothing where there is no date of birth."
    )
    income = NullableFloat(
        string="Monthly income",
        digits=(16, 2),
        help="0 means: asked, earns nothing. Leave it empty if it is not known; rules then treat it as unknown.",
    )
    vulnerability_score = NullableFloat(
        digits=(16, 2), help="From the last assessment. Leave it empty if there was none."
    )
    area_id = fields.Many2one(
        comodel_name="spp.area", ondelete="restrict",
        default=lambda self: self.env.context.get("default_is_registrant") and self._own_area(),
    )  # fmt: skip
    registration_date = fields.Date(string="Registered on")
    registrant_status = fields.Selection(
        selection=[("active", "Active"), ("disabled", "Disabled"), ("deceased", "Deceased")],
        default="active",
    )
    status_date = fields.Date(string="Status since")
    status_reason = fields.Char(string="Reason for status")
    group_kind_id = fields.Many2one(
        comodel_name="spp.group.kind", string="Kind of group", ondelete="restrict"
    )
    membership_ids = fields.One2many(
        comodel_name="spp.group.membership", inverse_name="individual_id", string="Memberships"
    )
    member_ids = fields.One2many(
        comodel_name="spp.group.membership", inverse_name="group_id", string="Members"
    )
    document_ids = fields.One2many(
        comodel_name="spp.identity.document", inverse_name="partner_id", string="Identity documents",
        groups=DOCUMENT_READERS,
    )  # fmt: skip
    phone_number_ids = fields.One2many(
        comodel_name="spp.phone.number", inverse_name="partner_id", string="Phone numbers"
    )
    payment_account_ids = fields.One2many(
        comodel_name="spp.payment.account", inverse_name="partner_id", string="Payment accounts",
        groups=ACCOUNT_READERS,
    )  # fmt: skip
    event_ids = fields.One2many(comodel_name="spp.event", inverse_name="partner_id", string="Events")
    head_id = fields.Many2one(comodel_name="res.partner", compute="_compute_members")
    member_count = fields.Integer(string="Number of members", compute="_compute_members")
    household_id = fields.Many2one(
        comodel_name="res.partner", compute="_compute_household_id",
        help="The group the person belongs to now; of several, the one joined last.",
    )  # fmt: skip

    _sql_constraints = [
        (
            "group_is_registrant",
            "CHECK (is_group IS NOT TRUE OR is_registrant)",
            "A group must be a registrant.",
        ),
        (
            "registrant_has_status",
            "CHECK (is_registrant IS NOT TRUE OR registrant_status IS NOT NULL)",
            "A registrant is active, disabled or deceased: the status cannot be empty.",
        ),
    ]

    def init(self):
        result = super().init()
        self.env.cr.execute("""
            CREATE INDEX IF NOT EXISTS res_partner_spp_group_idx
                ON res_partner (id) WHERE is_group;
            CREATE INDEX IF NOT EXISTS res_partner_spp_birthdate_idx
                ON res_partner (birthdate) WHERE birthdate IS NOT NULL;
            CREATE INDEX IF NOT EXISTS res_partner_spp_area_idx
                ON res_partner (area_id) WHERE area_id IS NOT NULL;
            CREATE INDEX IF NOT EXISTS res_partner_spp_contact_idx
                ON res_partner (complete_name, id DESC) WHERE is_registrant IS NULL OR is_registrant = false;
        """)
        return result

    @api.depends("birthdate")
    @api.depends_context("as_of")
    def _compute_age(self):
        as_of = self._as_of()
        for partner in self:
            partner.age = age_at(partner.birthdate, as_of)

    @api.depends("member_ids.start", "member_ids.ended", "member_ids.is_head")
    @api.depends_context("as_of")
    def _compute_members(self):
        rows = self.env["spp.group.membership"]._read_group(
            [("group_id", "in", self._origin.ids), *live_domain(self._as_of())],
            groupby=["group_id", "is_head"],
            aggregates=["__count", "individual_id:max"],
        )
        counts, heads = {}, {}
        for group, is_head, count, individual_id in rows:
            counts[group.id] = counts.get(group.id, 0) + count
            if is_head:
                heads[group.id] = individual_id
        for partner in self:
            partner.head_id = heads.get(partner._origin.id, False)
            partner.member_count = counts.get(partner._origin.id, 0)

    @api.depends("membership_ids.start", "membership_ids.ended", "membership_ids.group_id")
    @api.depends_context("as_of")
    def _compute_household_id(self):
        memberships = self.env["spp.group.membership"].search(
            [("individual_id", "in", self._origin.ids), *live_domain(self._as_of())],
            order="start NULLS FIRST, id",
        )
        households = {membership.individual_id.id: membership.group_id for membership in memberships}
        for partner in self:
            partner.household_id = households.get(partner._origin.id, False)

    @api.onchange("family_name", "given_name", "additional_name")
    def _onchange_name_parts(self):
        if self.is_registrant and not self.is_group:
            self.name = compose_name(*(self[part] for part in NAME_PARTS)) or self.name

    @api.constrains("birthdate")
    def _check_birthdate(self):
        for partner in self:
            if partner.birthdate and partner.birthdate > fields.Date.context_today(partner):
                raise ValidationError(
                    _(
                        "%(person)s: the date of birth (%(date)s) lies in the future.",
                        person=partner.display_name,
                        date=partner.birthdate,
                    )
                )

    @api.constrains("is_group", "is_registrant")
    def _check_memberships(self):
        for partner in self:
            if partner.is_group and partner.membership_ids:
                raise ValidationError(
                    _("%s is a member of a group, so it cannot become one.", partner.display_name)
                )
            if not partner.is_group and partner.member_ids:
                raise ValidationError(
                    _("%s has members, so it cannot become an individual.", partner.display_name)
                )

    @api.model_create_multi
    def create(self, vals_list):
        default = self.env.context.get("default_is_registrant", False)
        if not all(vals.get("is_registrant", default) for vals in vals_list):
            return super().create(vals_list)
        today, own_area = fields.Date.context_today(self), self._own_area()
        is_group = self.env.context.get("default_is_group", False)
        vals_list = [dict(vals) for vals in vals_list]
        for vals in vals_list:
            vals["registration_date"] = vals.get("registration_date") or today
            vals["area_id"] = vals.get("area_id") or own_area
            vals.setdefault("is_registrant", default)
            vals.setdefault("is_group", is_group)
            if not vals.get("name"):
                parts = () if vals.get("is_group", is_group) else [vals.get(part) for part in NAME_PARTS]
                vals["name"] = parts and compose_name(*parts)
                if not vals["name"]:
                    raise ValidationError(_("Give the registrant a name."))
        if len(vals_list) >= MANY and self._may_be_made_in_bulk(vals_list):
            return self._create_many(vals_list)
        # No followers and no chatter: registrants are not correspondents.
        return (
            super(ResPartner, self.with_context(tracking_disable=True)).create(vals_list).with_env(self.env)
        )

    def _completed_for_bulk(self, vals_list):
        """Values with what create() would add; see tools/bulk_rows.py."""
        added = {
            "is_group": False,
            "registration_date": fields.Date.context_today(self),
            "area_id": self._own_area(),
            "registrant_status": "active",
        }
        return [
            {**added, **{name: value for name, value in vals.items() if value or name not in added}}
            for vals in vals_list
        ]

    def _may_be_made_in_bulk(self, vals_list):
        """Whether nothing is given but what describes registrants, by which no addon does anything else."""
        named = {name for vals in vals_list for name in vals}
        return named <= PLAIN and not self.env.context.get("import_file") and bulk_rows.fits(self)

    def _create_many(self, vals_list):
        """As the ORM does, which would need a statement for each of them."""
        self.check_access_rights("create")
        for vals in vals_list:
            for name, value in vals.items():
                self._fields[name].convert_to_cache(value, self)  # refuses what is no value of the field
        # sudo: the rules are asked about the rows as they are in the end
        registrants = bulk_rows.create(self.sudo(), vals_list).with_env(self.env)
        registrants.check_access_rule("create")
        return registrants

    def _created_in_bulk(self):
        """What is to be done for new rows that SQL made; see tools/bulk_rows.py."""

    def write(self, vals):
        if "is_registrant" in vals and not vals["is_registrant"] and any(self.mapped("is_registrant")):
            raise UserError(_("A registrant cannot turn into an ordinary contact; archive it instead."))
        if "registrant_status" in vals:
            vals = {"status_date": fields.Date.context_today(self), **vals}
        registrants = self.filtered(lambda partner: vals.get("is_registrant", partner.is_registrant))
        if not registrants:
            return super().write(vals)
        super(ResPartner, self - registrants).write(dict(vals))
        if "registrant_status" in vals:
            for partner in registrants:
                if partner.registrant_status != vals["registrant_status"]:
                    self.env["spp.audit.entry"]._log(
                        "Registrant's status changed",
                        partner,
                        old={"status": partner.registrant_status},
                        new={"status": vals["registrant_status"]},
                        note=vals.get("status_reason") or "",
                    )
        # No chatter: registrants are not correspondents.
        for partners, values in registrants.with_context(tracking_disable=True)._with_composed_name(vals):
            super(ResPartner, partners).write(dict(values))
        if {"is_registrant", "area_id", "company_id"} & vals.keys():
            registrants.check_access_rule("write")  # nobody may send a registrant out of their own reach
        return True

    def _as_of(self):
        """The date of what is shown: the context's `as_of`, or today."""
        return fields.Date.to_date(self.env.context.get("as_of")) or fields.Date.context_today(self)

    def _own_area(self):
        """The area of a user who is limited to one: they could not see a registrant without it."""
        areas = self.env.user.sudo().spp_area_ids  # sudo: only one's own areas
        return areas.id if len(areas) == 1 else False

    def _with_composed_name(self, vals):
        """Pairs (registrants, values): a name that was composed of its parts follows them."""
        if "name" in vals or not set(NAME_PARTS) & vals.keys():
            return [(self, vals)]
        pairs = []
        for partner in self:
            before = compose_name(*(partner[part] for part in NAME_PARTS))
            after = compose_name(*(vals.get(part, partner[part]) for part in NAME_PARTS))
            follows = not partner.is_group and after and partner.name in (before, False)
            pairs.append((partner, {**vals, "name": after} if follows else vals))
        return pairs

    @api.ondelete(at_uninstall=False)
    def _unlink_except_registrant(self):
        for partner in self:
            if partner.is_registrant:
                raise UserError(_("%s cannot be deleted; archive it instead.", partner.display_name))

    def get_formview_id(self, access_uid=None):
        """Links from anywhere open a registrant as a registrant, not as a contact."""
        if len(self) == 1 and self.is_registrant:
            kind = "group" if self.is_group else "individual"
            return self.env.ref(f"spp_registry.view_res_partner_form_{kind}").id
        return super().get_formview_id(access_uid)

    def action_disable(self):
        """Keep the registrant out of programs for the time being."""
        self.check_access_rights("write")
        self.check_access_rule("write")
        return self.write({"registrant_status": "disabled"})

    def action_reactivate(self):
        """Let the registrant take part again."""
        self.check_access_rights("write")
        self.check_access_rule("write")
        return self.write({"registrant_status": "active", "status_reason": False})
