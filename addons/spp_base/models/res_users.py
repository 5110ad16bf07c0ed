"""Users and their roles, kept by the SP-MIS Administrator.

Odoo's own right to keep users ("Access Rights") comes with the right to rewrite every access
rule, and so to read everything. The administrator of the MIS does not get it. Instead this
model lets the role do exactly this: make, change and archive users, and give them SPP roles.
"""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError
from odoo.fields import Command

# What an SP-MIS Administrator may set. Not groups_id, and nothing that leads to other records.
ADMIN_FIELDS = {
    "active",
    "company_id",
    "company_ids",
    "email",
    "image_1920",
    "lang",
    "login",
    "name",
    "password",
    "phone",
    "tz",
}


def _gives_groups(name):
    """Whether this field of a user is for groups, one of the user form's own among them."""
    return name == "groups_id" or name.startswith(("in_group_", "sel_groups_"))


class Users(models.Model):
    _inherit = "res.users"

    spp_role_ids = fields.Many2many(
        comodel_name="res.groups",
        string="Roles",
        compute="_compute_spp_role_ids",
        inverse="_inverse_spp_role_ids",
        domain=[("is_spp_role", "=", True)],
        help="One person may hold several. Per record, the one who prepares, the one who approves and "
        "the one who releases still differ.",
    )

    @api.depends("groups_id")
    def _compute_spp_role_ids(self):
        for user in self:
            user.spp_role_ids = user._spp_roles()

    def _inverse_spp_role_ids(self):
        roles = self.env["res.groups"].search([("is_spp_role", "=", True)])
        for user in self:
            chosen = user.spp_role_ids & roles
            user.groups_id = [Command.unlink(role.id) for role in roles - chosen] + [
                Command.link(role.id) for role in chosen
            ]

    @api.model_create_multi
    def create(self, vals_list):
        env, vals_list = self.env, [dict(values) for values in vals_list]
        is_keeper = self._spp_is_role_keeper()
        if is_keeper:
            self.check_access_rights("create")
            for values in vals_list:
                self._spp_check_role_keeper(values)
            # sudo: a user is also a contact, which the role need not be able to make
            self = self.sudo()
        for values in vals_list:
            if (is_keeper or values.get("spp_role_ids")) and not any(map(_gives_groups, values)):
                # Rights come with roles. What Odoo gives to every new user (export, all contacts) does not.
                values["groups_id"] = [Command.set(self.env.ref("base.group_user").ids)]
        # Roles are given to a user that is whole: until then it has no name for the trail.
        roles = [values.pop("spp_role_ids", None) for values in vals_list]
        users = super().create(vals_list)
        for user, chosen in zip(users, roles, strict=True):
            user._spp_log_roles(self.env["res.groups"])
            if chosen:
                user.write({"spp_role_ids": chosen})
        return users.with_env(env)

    def write(self, vals):
        before = {}
        if any(map(_gives_groups, vals)):
            before = {user: user._spp_roles() for user in self}
        if self._spp_is_role_keeper() and not self._spp_writes_own_preferences(vals):
            self.check_access_rights("write")
            self.check_access_rule("write")
            self._spp_check_role_keeper(vals)
            # sudo: as in create
            result = super(Users, self.sudo()).write(vals)
        else:
            result = super().write(vals)
        for user, roles in before.items():
            user._spp_log_roles(roles)
        return result

    def _spp_is_role_keeper(self):
        """Whether the caller keeps users as SP-MIS Administrator only."""
        user = self.env.user
        return (
            not self.env.su
            and user.has_group("spp_base.group_admin")
            and not user.has_group("base.group_erp_manager")
        )

    def _spp_writes_own_preferences(self, vals):
        return self == self.env.user and all(
            name in self.SELF_WRITEABLE_FIELDS or name.startswith("context_") for name in vals
        )

    @api.model
    def _spp_own_limits(self):
        """Fields that nobody changes on themselves: they say what one may do."""
        return {"spp_role_ids"}

    @api.model
    def _spp_admin_fields(self):
        """Fields of a user that an SP-MIS Administrator may set."""
        return ADMIN_FIELDS | self._spp_own_limits()

    def _spp_check_role_keeper(self, vals):
        """Refuse what would lead the administrator beyond the role."""
        if others := set(vals) - self._spp_admin_fields():
            raise AccessError(
                _("An SP-MIS Administrator may not set this on a user: %s.", ", ".join(sorted(others)))
            )
        if self.env.user in self and vals.keys() & self._spp_own_limits():
            raise AccessError(_("Nobody changes their own roles or limits. Ask another administrator."))
        template = self.env.ref("base.default_user", raise_if_not_found=False)
        for user in self:
            if user == template or not user._is_internal() or user.has_group("base.group_erp_manager"):
                raise AccessError(_("Only a system administrator may change the user %s.", user.name))
        companies = {vals.get("company_id")} if vals.get("company_id") else set()
        companies.update(self.new({"company_ids": vals.get("company_ids", [])}).company_ids._origin.ids)
        if companies - set(self.env.user.company_ids.ids):
            raise AccessError(_("You can give access only to companies that you have access to."))

    def _spp_roles(self):
        """The roles of this user, without those that another of them includes."""
        roles = self.groups_id.filtered("is_spp_role")
        return roles - roles.implied_ids

    def _spp_log_roles(self, old):
        new = self._spp_roles()
        if old != new:
            self.env["spp.audit.entry"]._log(
                "Roles changed", self, old=sorted(old.mapped("name")), new=sorted(new.mapped("name"))
            )
