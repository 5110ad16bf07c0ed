"""A beneficiary asks to be paid elsewhere: kept with the evidence, and nothing until a second person confirms it."""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError

from .approval_mixin import GRANTED
from .payment_account import DECIDES, KIND

GIVEN = {"kind", "provider_id", "number", "number_entry", "holder"}


class PaymentAccount(models.Model):
    _inherit = "spp.payment.account"

    @api.model
    def request_change(self, partner_id, values, evidence, request_key, file=False, filename=""):
        """Record that a beneficiary asks to be paid to another account. Role: enrollment officer.

        The account waits until somebody else has confirmed it: those whom the chain for changes of accounts names,
        and without one an approver. Until then payments go to the former account.

        :param partner_id: id of the registrant
        :param values: of the account: `kind`, `number`, `provider_id` (id of the bank or wallet company), `holder`
        :param evidence: how the beneficiary asked, and what was seen: "Came to the office with her bank card"
        :param request_key: says which request it is: asked again with the same, it is recorded once
        :param file: a scan of what was seen, in base64, with its `filename`
        :return: id of the request (spp.approval.request)
        """
        if not self.env.user.has_group("spp_base.group_enrollment_officer"):
            raise AccessError(_("Only an Enrollment Officer records what a beneficiary asks for."))
        if not (evidence or "").strip():
            raise UserError(
                _("Say how the beneficiary asked, and what was seen: who confirms it relies on that.")
            )
        if not request_key or set(values) - GIVEN:
            raise UserError(_("A request needs its key, and takes kind, number, provider and holder only."))
        person = self.env["res.partner"].browse(partner_id)
        person.check_access_rights("read")
        person.check_access_rule("read")
        origin = f"{self._name}:asked:{request_key}"
        requests = self.env["spp.approval.request"]
        # sudo: the same request sent twice is one, whoever may see it.
        known = requests.sudo().search([("origin", "=", origin)])
        if known:
            if known.partner_id != person:
                raise UserError(_("This request was recorded before, for somebody else."))
            return known.id
        entered = self.with_context(spp_approval_granted=GRANTED)  # it waits already
        account = entered.create({**values, "partner_id": person.id, "state": "waiting", "is_primary": False})
        account = account.with_env(self.env)
        former = self.search(
            [("partner_id", "=", person.id), ("is_primary", "=", True), ("state", "=", "active")], limit=1
        )
        words = _(
            "%(former)s → %(new)s", former=former.display_name or _("No account"), new=account.display_name
        )
        request = account._approval_open(
            KIND,
            _("%s asks for another account", person.display_name),
            requests,
            payload={"method": "_approval_begin", "args": [True], "ids": account.ids},
            origin=origin,
            figures={"partner": person, "summary": words, "count": 1},
            reason=evidence,
        )
        if file:
            # sudo: nobody writes requests; who reads one reads what belongs to it.
            self.env["ir.attachment"].sudo().create(
                {
                    "name": filename or _("Evidence"),
                    "datas": file,
                    "res_model": request._name,
                    "res_id": request.id,
                }
            )
        return request.id

    def write(self, vals):
        if (
            DECIDES & vals.keys()
            and not self.env.su
            and self.env.context.get("spp_approval_granted") is not GRANTED
        ):
            for account in self:
                if account.state == "waiting":
                    raise UserError(
                        _(
                            "%s waits for approval. Withdraw the request to enter another one.",
                            account.display_name,
                        )
                    )
        return super().write(vals)


class ApprovalRequest(models.Model):
    _inherit = "spp.approval.request"

    evidence_ids = fields.One2many(
        comodel_name="ir.attachment",
        inverse_name="res_id",
        domain=[("res_model", "=", "spp.approval.request")],
        readonly=True,
    )
