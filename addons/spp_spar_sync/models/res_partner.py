"""What SPAR holds for a registrant is asked there, while the person looks. What we sent is shown as no more than that."""

from odoo import _, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from odoo.addons.spp_base.http import CallError

from ..wire import DIALECTS, Verdict


class Partner(models.Model):
    _inherit = "res.partner"

    def spar_now(self):
        """Ask SPAR which account it holds for this registrant, now. For every role that sees accounts; numbers are
        masked. Where it is not the one that SPAR had confirmed, the change is looked at again, and becomes a conflict.

        :return: `state`: "off" (no mapper), "no_id", "unreachable", "none", "same" or "other"; `words` that say it;
            `account` that SPAR holds and `sent`, what we sent last, with `sent_state`; `asked_at`. Texts, "" for none
        """
        self.env["spp.payment.account"].check_access_rights("read")
        self.ensure_one()
        self.check_access_rights("read")
        self.check_access_rule("read")
        # sudo: the outbox is not for every role that sees accounts; only what is masked goes out.
        mapper = self.env["spp.spar.mapper"].sudo()
        company = self.company_id or self.env.company
        mapper = mapper.search([("active", "=", True), ("company_id", "=", company.id)], limit=1)
        answer = dict.fromkeys(("words", "account", "sent", "sent_state"), "")
        answer |= {"state": "off", "asked_at": fields.Datetime.to_string(fields.Datetime.now())}
        if not mapper:
            return answer
        changes = self.env["spp.spar.change"].sudo()
        changes._record_edited()
        spar_id = mapper._spar_id(self)
        if not spar_id:
            words = _(
                "The document that makes the SPAR ID is missing, or holds characters SPAR cannot carry."
            )
            return {**answer, "state": "no_id", "words": words}
        newest = changes.search(
            [("mapper_id", "=", mapper.id), ("spar_id", "=", spar_id)], order="seq desc", limit=1
        )
        if newest.partner_id == self:
            labels = dict(newest._fields["state"]._description_selection(self.env))
            answer |= {"sent": newest.target_masked or "", "sent_state": labels[newest.state]}
        try:
            outcome = mapper._ask([spar_id], mapper.ask_seconds)[spar_id]
        except CallError as error:
            return {**answer, "state": "unreachable", "words": error.reason}
        except UserError as error:
            return {**answer, "state": "unreachable", "words": str(error)}
        if outcome.verdict is not Verdict.DONE:
            return {**answer, "state": "unreachable", "words": outcome.reason}
        dialect = DIALECTS[mapper.dialect]
        same = newest.partner_id == self and dialect.same(newest.target_fa or "", outcome.fa)
        if newest.state == "done" and not same:
            mapper._look_again(SQL("change.id = %s", newest.id))
        answer["account"] = dialect.mask(outcome.fa)
        if not outcome.found:
            words = _("SPAR holds no account for this person.")
            return {**answer, "state": "none", "words": words}
        if same:
            return {**answer, "state": "same", "words": _("SPAR holds the account that we sent.")}
        return {**answer, "state": "other", "words": _("SPAR holds another account than the one we sent.")}
