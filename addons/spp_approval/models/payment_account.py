"""A new payment account, or a change of one, waits for approval where a chain says so.

This is about what people enter. An importer and the confirmation of accounts work as the system does.
"""

import hashlib

from odoo import _, api, fields, models

from odoo.addons.spp_registry.models.spp_payment_account import clean_number, mask_number

from .approval_mixin import GRANTED

KIND = "account_change"
# What decides where the money goes.
DECIDES = {"number", "number_entry", "kind", "provider_id", "holder", "is_primary", "state"}


class PaymentAccount(models.Model):
    _name = "spp.payment.account"
    _inherit = ["spp.payment.account", "spp.approval.mixin"]

    state = fields.Selection(selection_add=[("waiting", "Waiting for approval"), ("ended",)],
                             ondelete={"waiting": "set default"})  # fmt: skip

    @api.model_create_multi
    def create(self, vals_list):
        if not self._approval_needed():
            return super().create(vals_list)
        primary = [bool(vals.get("is_primary")) for vals in vals_list]
        asked = [{**vals, "state": "waiting", "is_primary": False} for vals in vals_list]
        accounts = super().create(asked)
        for account, wanted in zip(accounts, primary, strict=True):
            account._approval_ask_change(
                "_approval_begin", [wanted], _("New: %s", account.display_name), "new"
            )
        return accounts

    def _created_in_bulk(self):
        return super()._created_in_bulk()  # rows made in bulk are the system's own: nothing waits

    def write(self, vals):
        decides = DECIDES & vals.keys()
        if not decides or not self._approval_needed():
            return super().write(vals)
        self.check_access_rights("write")
        self.check_access_rule("write")
        if set(vals) - decides:
            super().write({name: vals[name] for name in vals if name not in decides})
        wanted = {name: vals[name] for name in decides}
        for account in self:
            key = hashlib.sha256(str([sorted(wanted.items()), fields.Datetime.now()]).encode()).hexdigest()
            account._approval_ask_change("write", [wanted], account._approval_words(wanted), key)
        return True

    def _approval_needed(self):
        """Whether what is entered now waits. The system's own steps do not."""
        if self.env.su or self.env.context.get("spp_approval_granted") is GRANTED:
            return False
        return bool(self.env["spp.approval.chain"]._find(KIND, self))

    def _approval_ask_change(self, method, args, words, key):
        name = _("Account of %(person)s: %(change)s", person=self.partner_id.display_name, change=words)
        return self._approval_ask(
            KIND, method, args, name, key, partner=self.partner_id, summary=words, count=1
        )

    def _approval_words(self, wanted):
        """What shall change, without the number."""
        values = []
        for name, value in wanted.items():
            if name in ("number", "number_entry"):
                value = mask_number(clean_number(wanted.get("kind", self.kind), value))
            elif name == "provider_id":
                value = self.env["res.bank"].browse(value or ()).display_name
            values.append(f"{self._fields[name]._description_string(self.env)}: {value}")
        return f"{self.display_name} → {', '.join(values)}"

    def _approval_begin(self, primary):
        """The account is approved: people are paid to it, if it is meant to be or there is no other."""
        others = self.sudo().search_count(
            [("partner_id", "=", self.partner_id.id), ("is_primary", "=", True), ("state", "=", "active")]
        )
        self.write({"state": "active"})
        if primary or not others:
            self.action_make_primary()

    def _approval_refused(self, request, reason):
        result = super()._approval_refused(request, reason)
        if request.kind == KIND and self.state == "waiting" and request.state in ("rejected", "withdrawn"):
            # sudo: an account that was refused is never paid to, whoever refused it.
            self.sudo().write({"state": "ended"})
        return result
