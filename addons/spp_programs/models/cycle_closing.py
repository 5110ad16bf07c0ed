"""Closing a cycle: somebody says what becomes of everything that was approved and not paid or collected.

What is on its way to the payer, or may be, is waited for: a cycle with such a payment is not closed.
"""

from collections import namedtuple
from decimal import Decimal

from odoo import _, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..tools.money import step

Open = namedtuple("Open", "situation label count amount answers")

WAIT = "wait"
ANSWERS = {"cancel": "cancelled", "expire": "expired"}
# Where an approved entitlement may stand, and what may become of it when the cycle is closed.
SITUATIONS = [
    ("goods", "Goods that nobody collected", ("expire", "cancel")),
    ("not_issued", "No payment was prepared", ("expire", "cancel")),
    ("held", "Payment held", ("expire", "cancel")),
    ("ready", "Payment ready, not sent", ("expire", "cancel")),
    ("rejected", "Payment rejected by the payer", ("expire", "cancel")),
    ("returned", "Paid, and the money came back", ("expire", "cancel")),
    ("in_progress", "Payment on its way", ()),
    ("unknown", "Payment unknown: it may have reached the payer", ()),
]


class Cycle(models.Model):
    _inherit = "spp.cycle"

    def close_questions(self):
        """What of the cycle is approved and not paid, and what may become of it.

        :return: [{situation, label, count, amount (decimal string), answers}]; what has no answers but "wait" must
            come to an end before the cycle can be closed
        """
        self.ensure_one()
        self.check_access_rights("read")
        self.check_access_rule("read")
        return [
            {**question._asdict(), "amount": str(question.amount), "answers": [WAIT, *question.answers]}
            for question in self._open()
        ]

    def action_close(self, unpaid=None):
        """End a cycle. What expires or is cancelled is not paid any more, and its money is free again.

        Refused while a payment is on its way, and where it is not said what becomes of what is unpaid.
        Role: program manager.

        :param unpaid: "expire" or "cancel", for everything unpaid; or {situation: "expire", "cancel" or "wait"} for
            each situation that `close_questions` lists. With "wait" the cycle is not closed.
        :return: id of the run (spp.run)
        """
        self.ensure_one()
        self._check_role("program_manager")
        if unpaid is None and self.env.context.get("ask_about_unpaid") and self._open():
            return self._ask_about_unpaid()
        self._lock()
        self._check_state("approved", "disbursing")
        self._answers(unpaid)
        return self._bulk("close", _("Close: %s", self.display_name), [unpaid], rows=self.entitlement_count)

    def _do_close(self, run, unpaid):
        self._lock()
        self._check_state("approved", "disbursing")
        answers = self._answers(unpaid)  # as things are now
        run._progress(0, total=self.entitlement_count)
        ended = 0
        for answer, state in ANSWERS.items():
            situations = [situation for situation, given in answers.items() if given == answer]
            if situations:
                ended += self._release(
                    state,
                    _("Not paid or collected when the cycle was closed."),
                    SQL("%s = ANY(%s)", self._situation(), situations),
                )
        self._close()
        run._finish({_("Entitlements that are not paid any more"): ended})

    # ------------------------------------------------------------------ business

    def _ask_about_unpaid(self):
        """The dialog in which the web client asks."""
        self._check_state("approved", "disbursing")
        dialog = self.env["spp.cycle.close"].create({"cycle_id": self.id})
        return {
            "type": "ir.actions.act_window",
            "name": _("Close %s", self.display_name),
            "res_model": dialog._name,
            "res_id": dialog.id,
            "view_mode": "form",
            "target": "new",
        }

    def _close(self):
        """The cycle ends; nothing of it is unpaid any more."""
        self._set_state("closed", closed_at=fields.Datetime.now())

    def _answers(self, unpaid):
        """{situation: answer} for everything unpaid; UserError where one is missing or not possible."""
        questions = self._open()
        given = (
            unpaid
            if isinstance(unpaid, dict)
            else {question.situation: unpaid for question in questions if unpaid}
        )
        waiting = [question for question in questions if not question.answers]
        if waiting:
            raise UserError(
                _(
                    "%(cycle)s cannot be closed yet. This must come to an end first: %(waiting)s.",
                    cycle=self.display_name,
                    waiting=", ".join(self._counted(question) for question in waiting),
                )
            )
        missing = [
            question for question in questions if given.get(question.situation) not in question.answers
        ]
        if missing:
            raise UserError(
                _(
                    "%(cycle)s is not closed. Say for each of these whether it expires or is cancelled: %(missing)s.",
                    cycle=self.display_name,
                    missing=", ".join(self._counted(question) for question in missing),
                )
            )
        return {question.situation: given[question.situation] for question in questions}

    @staticmethod
    def _counted(question):
        return f"{question.label} ({question.count})"

    def _open(self):
        """[Open] for each situation in which something approved is and was not paid, in one statement."""
        self.env.flush_all()
        smallest = step(self.currency_id)
        # As superuser, as it were: a cycle is closed whole, also where the user's area hides people.
        self.env.cr.execute(
            SQL(
                """
                SELECT %s AS situation, count(*), sum(e.amount)::text
                  FROM spp_entitlement e
                 WHERE e.cycle_id = %s AND e.state = 'approved'
                 GROUP BY 1
                """,
                self._situation(),
                self.id,
            )
        )
        found = {
            situation: (count, Decimal(amount).quantize(smallest))
            for situation, count, amount in self.env.cr.fetchall()
        }
        labels = self.env["spp.cycle.close.line"]._fields["situation"]._description_selection(self.env)
        return [
            Open(situation, dict(labels)[situation], *found[situation], answers)
            for situation, _label, answers in SITUATIONS
            if situation in found
        ]

    def _situation(self):
        """SQL about the row `e` of spp_entitlement, an approved one: where it stands. What pays overrides it."""
        return SQL("CASE WHEN e.kind = 'goods' THEN 'goods' ELSE 'not_issued' END")
