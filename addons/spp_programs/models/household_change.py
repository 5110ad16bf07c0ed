"""What a household change does to programs, cycles and payments: told before it is done, then done with it.

Nothing that was submitted is rewritten. What is due to who is gone is told, and withdrawn by two people; a payment
that was not sent waits until somebody has looked at its payee.
"""

from odoo import _, fields, models
from odoo.tools import SQL, format_amount

from odoo.addons.spp_registry.tools.membership import live_sql

from ..tools.goods import goods_text
from .program_membership import DECISIONS

RUNNING = (
    "candidate",
    "enrolled",
    "suspended",
)  # states in which a membership says that help is wanted or given
MAY_EXIT = DECISIONS["exit"][0]


class HouseholdChangePlan(models.AbstractModel):
    _inherit = "spp.household.change.plan"

    def _plan(self):
        steps = super()._plan()
        # sudo: what a change does to programs is done whole, also where the user does not see a program's company.
        plan = self.sudo()
        closed = plan._closed(steps)
        exits = plan._exits(closed)
        candidates = plan._candidates()
        steps += exits + candidates
        steps += plan._outdated_drafts(closed, bool(exits or candidates))
        steps += plan._dues(closed)
        steps += plan._recipients(steps)
        return steps + plan._unsent_payments(closed, steps)

    # ------------------------------------------------------------------ memberships of programs

    def _exits(self, closed):
        """Whoever is over leaves every program."""
        memberships = self.env["spp.program.membership"].search(
            [
                ("partner_id", "in", closed.ids),
                ("state", "in", MAY_EXIT),
                ("program_id.state", "!=", "closed"),
            ],
            order="id",
        )
        return [
            {
                "do": "exit",
                "membership": membership.id,
                "text": _(
                    "%(registrant)s leaves the program %(program)s (was: %(state)s).",
                    registrant=membership.partner_id.display_name,
                    program=self._name_of(membership.program_id),
                    state=membership._fields["state"].convert_to_export(membership.state, membership).lower(),
                ),
            }
            for membership in memberships
        ]

    def _candidates(self):
        """Who comes into a household's place is looked at by its programs; nobody is enrolled by the way."""
        if self.kind == "split":
            source, target, name = self.household_id, self.env["res.partner"], self.household_name
        elif self.kind == "merge":
            source, target, name = self.other_household_id, self.household_id, self.household_id.display_name
        else:
            return []
        programs = self.env["spp.program.membership"].search(
            [
                ("partner_id", "=", source.id),
                ("state", "in", RUNNING),
                ("program_id.state", "!=", "closed"),
                ("program_id", "not in", target.program_membership_ids.program_id.ids),
            ],
            order="program_id",
        ).program_id  # fmt: skip
        steps = [
            {
                "do": "candidate",
                "household": target.id,
                "program": program.id,
                "text": _(
                    "%(household)s becomes a candidate of %(program)s, and is paid nothing before it is enrolled.",
                    household=name,
                    program=self._name_of(program),
                ),
            }
            for program in programs
        ]
        if self.kind == "split" and programs:
            steps.append(
                {
                    "do": "",
                    "text": _(
                        "%(household)s stays in its programs as it is; exit or suspend it there if it should not. Who "
                        "left it counts with it no more from %(date)s.",
                        household=source.display_name,
                        date=self._day(),
                    ),
                }
            )
        return steps

    # ------------------------------------------------------------------ cycles

    def _touched(self, closed):
        """Registrants for whom a rule may now say something else: they, and the households they are or were in."""
        touched = closed | self.household_id | self.other_household_id
        if self.kind == "death":
            touched |= self._rows(self.person_id, of="individual_id").group_id
        return touched

    def _outdated_drafts(self, closed, enrollment_changes):
        """Drafts that were computed with what now changes must be computed again."""
        if self.kind in ("head", "move"):
            return []
        domain = [
            ("state", "=", "draft"),
            ("computed_at", "!=", False),
            ("beneficiary_ids.partner_id", "in", self._touched(closed).ids),
        ]
        if not closed and not enrollment_changes:
            domain.append(("as_of", ">=", self.date))
        return [
            {
                "do": "outdate",
                "cycle": cycle.id,
                "text": _("The draft cycle %s has to be computed again before it is submitted.", self._name_of(cycle)),
            }
            for cycle in self.env["spp.cycle"].search(domain, order="id")
        ]  # fmt: skip

    def _dues(self, closed):
        """What is due in submitted cycles and not paid yet: frozen, so it is told, and withdrawn by two people."""
        if self.kind in ("head", "move"):
            return []
        entitlements = self.env["spp.entitlement"].search(
            [
                ("partner_id", "in", self._touched(closed).ids),
                ("state", "in", ["draft", "approved"]),
                ("cycle_id.state", "in", ["submitted", "approved", "disbursing"]),
            ],
            order="id",
        )
        steps = []
        for (cycle, registrant), due in entitlements.grouped(
            lambda entitlement: (entitlement.cycle_id, entitlement.partner_id)
        ).items():
            words = {
                "registrant": registrant.display_name,
                "due": self._amounts(due),
                "cycle": self._name_of(cycle),
            }
            if registrant not in closed:
                text = _(
                    "%(registrant)s is due %(due)s in %(cycle)s as it was before; that stays. Its people are not paid "
                    "for again in the same period.",
                    **words,
                )
                steps.append({"do": "", "text": text})
                continue
            for beneficiary in due.beneficiary_id:
                steps.append(self._withdrawal(beneficiary, words))
        return steps

    def _withdrawal(self, beneficiary, words):
        """Who is gone is proposed to be withdrawn, unless that was done before or their payment may have left."""
        text, step = "", {"do": ""}
        if beneficiary.withdrawal_ids.filtered(lambda withdrawal: withdrawal.state != "refused"):
            text = _(
                "%(registrant)s is due %(due)s in %(cycle)s; the withdrawal is proposed already.", **words
            )
        elif beneficiary._withdrawal_problems().get(beneficiary.id) == "left":
            text = _(
                "%(registrant)s is due %(due)s in %(cycle)s, and may have got it already: it cannot be withdrawn.",
                **words,
            )
        else:
            step = {"do": "withdraw", "beneficiary": beneficiary.id}
            text = _(
                "%(registrant)s is due %(due)s in %(cycle)s, which is frozen: the withdrawal is proposed, and somebody "
                "else confirms it.",
                **words,
            )
        return {**step, "text": text}

    # ------------------------------------------------------------------ payments

    def _recipients(self, steps):
        """Whose account the household is paid to from now on."""
        told = []
        for step in steps:
            if step["do"] not in ("head", "found"):
                continue
            person = self.env["res.partner"].browse(step["person"] if step["do"] == "head" else step["head"])
            account = person.payment_account_ids.filtered(
                lambda account: account.is_primary and account.state == "active"
            )
            text = (
                _("Paid from now on: %(person)s, %(account)s.",
                  person=person.display_name, account=account.display_name)
                if account
                else _("%s has no active account: payments wait until one is entered.", person.display_name)
            )  # fmt: skip
            told.append({"do": "", "text": text})
        return told

    def _unsent_payments(self, closed, steps):
        """Payments that were not sent wait for a look; those with the payer are told of."""
        led = self.env["res.partner"].browse([step["household"] for step in steps if step["do"] == "head"])
        payments = self.env["spp.payment"].search(
            [
                ("state", "in", ["ready", "held", "sending", "accepted", "unknown"]),
                "|", ("partner_id", "in", (closed | led).ids), ("payee_id", "in", closed.ids),
            ],
            order="id",
        )  # fmt: skip
        told = []
        for (cycle, waits), some in payments.grouped(
            lambda payment: (payment.cycle_id, payment.state in ("ready", "held"))
        ).items():
            words = {"count": len(some), "amount": self._amounts(some), "cycle": self._name_of(cycle)}
            if waits:
                text = _(
                    "%(count)s payments of %(cycle)s (%(amount)s) were not sent: they are held, for whoever is to be "
                    "paid now, until a program manager or finance officer lets them go.",
                    **words,
                )
                told.append({"do": "hold", "payments": some.ids, "text": text})
            else:
                text = _(
                    "%(count)s payments of %(cycle)s (%(amount)s) are with the payer already, and are not stopped.",
                    **words,
                )
                told.append({"do": "", "text": text})
        return told

    # ------------------------------------------------------------------ words

    def _amounts(self, records):
        """Sums of money by currency, goods by name."""
        parts = [
            format_amount(self.env, sum(some.mapped("amount")), currency)
            for currency, some in records.filtered("amount").grouped("currency_id").items()
        ]
        goods = records.filtered(lambda record: not record.amount)
        return ", ".join(parts + [goods_text(item.quantity, item.unit, item.product_name) for item in goods])

    def _name_of(self, record):
        """The name of a program or cycle, for whoever may see it."""
        # The plan is worked out as superuser; who reads it is the user.
        if record.company_id in self.env.user.company_ids:
            return record.display_name
        return _("of another company")


class HouseholdChange(models.Model):
    _inherit = "spp.household.change"

    def _do_exit(self, step):
        # sudo: as the plan; the officer's role was checked when the change was carried out.
        membership = self.env["spp.program.membership"].sudo().browse(step["membership"])
        membership.action_exit(f"{self._kind_label()}: {self.reason}", self.date)

    def _do_candidate(self, step):
        program = self.env["spp.program"].sudo().browse(step["program"])
        program._add_candidates(SQL("%s", step["household"] or self.other_household_id.id))

    def _do_outdate(self, step):
        self.env["spp.cycle"].browse(step["cycle"])._write_guarded({"computed_at": False})

    def _do_withdraw(self, step):
        # sudo: as the plan. Who proposes is the officer who records the change.
        beneficiary = self.env["spp.cycle.beneficiary"].sudo().browse(step["beneficiary"])
        beneficiary.action_withdraw("died" if self.kind == "death" else "left", self._words())

    def _words(self):
        return f"{self._kind_label()}: {self.partner_id.display_name}, {self.reason}"

    def _do_hold(self, step):
        """The payee follows, and somebody looks before anything is sent."""
        payments = self.env["spp.payment"].sudo()
        scope = SQL("p.id = ANY(%s)", step["payments"])
        payments._fill_destination(scope, renew=True)
        payments._hold_unsent(scope, self._words())


class Payment(models.Model):
    _inherit = "spp.payment"

    def _hold_queries(self):
        """A household's payment goes to its head of today, and nobody is paid for in two households."""
        today = fields.Date.context_today(self)
        return super()._hold_queries() + [
            SQL(
                """
                SELECT p.id, %s
                  FROM spp_payment p
                  JOIN spp_group_membership m ON m.group_id = p.partner_id AND m.is_head AND %s
                 WHERE p.state IN ('ready', 'held') AND m.individual_id <> p.payee_id
                """,
                _("The household's head is somebody else by now: use the current account, or cancel."),
                live_sql("m", today),
            ),
            # Two cycles of one program that overlap, a supplementary one for example, before and after people went
            # from one household to another.
            SQL(
                """
                SELECT p.id, %s
                  FROM spp_payment p
                  JOIN spp_household_change h
                    ON (h.kind = 'split' AND h.other_household_id = p.partner_id)
                    OR (h.kind = 'merge' AND h.household_id = p.partner_id)
                  JOIN spp_cycle c ON c.id = p.cycle_id AND c.as_of >= h.date
                  JOIN spp_cycle o ON o.program_id = c.program_id AND o.as_of < h.date
                                  AND o.start <= c."end" AND o."end" >= c.start
                  JOIN spp_entitlement e
                    ON e.cycle_id = o.id AND e.state IN ('draft', 'approved', 'paid', 'handed_out')
                   AND e.partner_id = CASE h.kind WHEN 'split' THEN h.household_id ELSE h.other_household_id END
                  JOIN spp_household_change_member moved ON moved.change_id = h.id
                  JOIN spp_group_membership m
                    ON m.individual_id = moved.partner_id AND m.group_id = e.partner_id AND %s
                 WHERE p.state IN ('ready', 'held')
                """,
                _(
                    "Some of its people are paid for with the household they came from, in a cycle of the same period: "
                    "withdraw one of the two, or cancel."
                ),
                live_sql("m", SQL("o.as_of")),
            ),
        ]
