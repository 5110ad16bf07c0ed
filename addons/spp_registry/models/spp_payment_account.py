"""Where a person is paid. Only finance officers read whole numbers; officers enter and see them masked."""

import re

from stdnum import iban

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..tools.deferred import check_before_commit

HIDDEN = "••••"


def clean_number(kind, number):
    """The number as it is stored: without the spaces and hyphens people write it with."""
    number = (number or "").strip()
    if kind == "iban":
        return iban.compact(number)
    if kind == "mobile_wallet":
        return re.sub(r"[\s().\-]", "", number)
    return number


def mask_number(number):
    """What others see: "••••4321"; at most half of a short number; of an e-mail address its domain."""
    number = number or ""
    if "@" in number:
        return f"{HIDDEN}@{number.rpartition('@')[2]}"
    return HIDDEN + number[max(len(number) - 4, (len(number) + 1) // 2) :]


class SppPaymentAccount(models.Model):
    _name = "spp.payment.account"
    _description = "Payment Account"
    _order = "state, is_primary desc, id"
    _rec_names_search = ["partner_id", "number_masked"]

    partner_id = fields.Many2one(
        comodel_name="res.partner", string="Registrant", required=True, index=True, ondelete="restrict",
        domain="[('is_registrant', '=', True)]",
    )  # fmt: skip
    kind = fields.Selection(
        selection=[
            ("bank", "Bank account"),
            ("iban", "IBAN"),
            ("mobile_wallet", "Mobile wallet"),
            ("email_wallet", "E-mail wallet"),
        ],
        required=True,
        default="bank",
    )
    provider_id = fields.Many2one(
        comodel_name="res.bank", ondelete="restrict",
        help="The bank or wallet company that holds the account.",
    )  # fmt: skip
    number = fields.Char(
        string="Full number", required=True, copy=False, groups="spp_base.group_finance_officer"
    )
    number_entry = fields.Char(
        string="Enter number", compute="_compute_number_entry", readonly=False,
        help="Write the account number here to set or replace it. Once saved, it shows masked.",
    )  # fmt: skip
    number_masked = fields.Char(string="Number", compute="_compute_number_masked", store=True)
    holder = fields.Char(help="The name the provider knows the account by, where it is not the person's.")
    is_primary = fields.Boolean(
        string="Primary", copy=False,
        help="Payments go to the primary account. A person's first account is it without being ticked.",
    )  # fmt: skip
    state = fields.Selection(
        selection=[("active", "Active"), ("ended", "Ended")], required=True, default="active", copy=False
    )

    _spp_deferred = ("one_primary",)
    _sql_constraints = [
        (
            "one_primary",
            "EXCLUDE USING btree (partner_id WITH =) WHERE (is_primary AND state = 'active')"
            " DEFERRABLE INITIALLY DEFERRED",
            "Only one account can be the primary one. Untick the former first, or in the same save.",
        ),
    ]

    @api.depends("number")
    def _compute_number_masked(self):
        for account in self:
            account.number_masked = mask_number(account.number)

    def _compute_number_entry(self):
        self.number_entry = False

    @api.depends("kind", "provider_id", "number_masked")
    def _compute_display_name(self):
        kinds = dict(self._fields["kind"]._description_selection(self.env))
        for account in self:
            parts = [kinds.get(account.kind), account.number_masked, account.provider_id.name]
            account.display_name = " ".join(part for part in parts if part)

    @api.constrains("kind", "number")
    def _check_number(self):
        # sudo: who enters a number may not read numbers. The messages do not repeat them.
        for account in self.sudo():
            person, number = account.partner_id, account.number
            if not number:
                raise ValidationError(_("%s: enter the account number.", person.display_name))
            if account.kind == "iban":
                if not iban.is_valid(number) or iban.compact(number) != number:
                    raise ValidationError(
                        _(
                            "%s: this is not a valid IBAN; check for a missing or swapped digit.",
                            person.display_name,
                        )
                    )
            elif account.kind == "mobile_wallet" and not re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
                raise ValidationError(
                    _(
                        "%s: write the wallet's phone number with + and country code (+254712345678).",
                        person.display_name,
                    )
                )
            elif account.kind == "email_wallet" and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", number):
                raise ValidationError(_("%s: this is not an e-mail address.", person.display_name))

    @api.constrains("partner_id")
    def _check_partner_id(self):
        for account in self:
            if not account.partner_id.is_registrant:
                raise ValidationError(_("%s is not a registrant.", account.partner_id.display_name))

    @api.model_create_multi
    def create(self, vals_list):
        vals_list = [dict(vals) for vals in vals_list]
        for vals in vals_list:
            number = vals.pop("number_entry", False) or vals.get("number")
            if not number:
                person = self.env["res.partner"].browse(vals.get("partner_id") or ())
                raise ValidationError(
                    _("%s: enter the account number.", person.display_name or _("Payment account"))
                )
            vals["number"] = clean_number(vals.get("kind", "bank"), number)
        self._make_first_primary(vals_list)
        self.check_access_rights("create")
        # sudo: who enters a number may not read numbers
        accounts = super(SppPaymentAccount, self.sudo()).create(vals_list).with_env(self.env)
        accounts.check_access_rule("create")
        check_before_commit(self)
        return accounts

    def _completed_for_bulk(self, vals_list):
        """Values with what create() would add; see tools/bulk_rows.py. Numbers must be clean."""
        vals_list = [{"kind": "bank", "state": "active", **vals} for vals in vals_list]
        self._make_first_primary(vals_list)
        return vals_list

    def _created_in_bulk(self):
        """What is to be done for new rows that SQL made; see tools/bulk_rows.py."""
        check_before_commit(self)

    def write(self, vals):
        vals = dict(vals)
        accounts = self
        if entry := vals.pop("number_entry", False):
            vals["number"] = entry
            self.check_access_rights("write")
            self.check_access_rule("write")
            accounts = self.sudo()  # sudo: who enters a number may not read numbers
        if vals.get("state") == "ended":
            vals["is_primary"] = False
        if any(account.partner_id.id != vals.get("partner_id", account.partner_id.id) for account in self):
            raise UserError(_("An account cannot pass to somebody else: end it here and enter it there."))
        before = {account: account._audited() for account in self}
        if vals.get("number"):
            for account in accounts:
                number = clean_number(vals.get("kind", account.kind), vals["number"])
                super(SppPaymentAccount, account).write({**vals, "number": number})
        else:
            super().write(vals)
        for account, (old_number, old) in before.items():
            new_number, new = account._audited()
            if (old_number, old) != (new_number, new):
                self.env["spp.audit.entry"]._log("Payment account changed", account, old=old, new=new)
        check_before_commit(self)
        return True

    def action_make_primary(self):
        """Pay to this account from now on."""
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        if self.state != "active":
            raise UserError(_("%s has ended.", self.display_name))
        former = self.search(
            [("partner_id", "=", self.partner_id.id), ("is_primary", "=", True), ("state", "=", "active")]
        )
        (former - self).write({"is_primary": False})
        self.write({"is_primary": True})
        return True

    def action_end(self):
        """No longer pay to these accounts."""
        self.check_access_rights("write")
        self.check_access_rule("write")
        self.write({"state": "ended"})
        return True

    def _make_first_primary(self, vals_list):
        """Tick `is_primary` in the values of each person's first account."""
        partner_ids = [vals.get("partner_id") for vals in vals_list]
        held = [("partner_id", "in", partner_ids), ("is_primary", "=", True), ("state", "=", "active")]
        taken = set(self.search(held).partner_id.ids)
        taken |= {vals.get("partner_id") for vals in vals_list if vals.get("is_primary")}
        for vals in vals_list:
            if vals.get("state", "active") == "active" and vals.get("partner_id") not in taken:
                taken.add(vals.get("partner_id"))
                vals["is_primary"] = True

    def _audited(self):
        """The number, to compare; and what the trail may show."""
        account = self.sudo()  # sudo: the number is compared here and goes nowhere
        return account.number, {
            "number": account.number_masked,
            "kind": account.kind,
            "provider": account.provider_id.display_name,
            "holder": account.holder,
            "primary": account.is_primary,
            "state": account.state,
        }
