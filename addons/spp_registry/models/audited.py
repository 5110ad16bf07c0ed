"""What people change of registrants, households, documents and accounts, in the audit trail.

Imports and other work on many rows leave one entry with their run; these are about what is done by hand.
"""

from odoo import models


class ResPartner(models.Model):
    _name = "res.partner"
    _inherit = ["res.partner", "spp.audited.mixin"]

    # What rules look at; the status is logged with its reason where it is changed.
    _audited_events = frozenset({"write"})
    _audited_fields = (
        "name",
        "birthdate",
        "birthdate_exact",
        "gender",
        "group_kind_id",
        "income",
        "vulnerability_score",
        "area_id",
        "active",
        "company_id",
    )

    def _audit(self, changes):
        return super()._audit([change for change in changes if change[0].is_registrant])


class GroupMembership(models.Model):
    _name = "spp.group.membership"
    _inherit = ["spp.group.membership", "spp.audited.mixin"]

    _audited_fields = ("group_id", "individual_id", "role_ids", "is_head", "start", "ended")
    _audit_other_partner = "individual_id"  # the entry is about the household

    def _audit_about(self):
        return self.group_id


class IdentityDocument(models.Model):
    _name = "spp.identity.document"
    _inherit = ["spp.identity.document", "spp.audited.mixin"]

    _audited_fields = ("type_id", "value", "expiry_date")
    _audited_secrets = frozenset({"value"})


class PaymentAccount(models.Model):
    _name = "spp.payment.account"
    _inherit = ["spp.payment.account", "spp.audited.mixin"]

    # Changes are logged by the account itself, with the number masked.
    _audited_events = frozenset({"create", "unlink"})
    _audited_fields = ("partner_id", "kind", "provider_id", "number_masked", "holder", "is_primary", "state")


class ResUsers(models.Model):
    _name = "res.users"
    _inherit = ["res.users", "spp.audited.mixin"]

    # Roles are logged where they are given; these are the other ways to what somebody may see and do.
    _audited_events = frozenset({"write"})
    _audited_fields = ("login", "active", "company_ids", "spp_area_ids")
