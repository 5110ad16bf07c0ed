"""Replay: a decision or an amount computed again from what was frozen with it, which must give the same answer.

Nothing of the registry is read. What was looked at (fields, counts, sums, variables) are the frozen facts; the rule is
the version that was kept, the benefits are the cycle's terms. A difference means that somebody changed what is frozen,
or that two versions of this software do not compute the same.
"""

from decimal import ROUND_HALF_UP, Decimal

from odoo import _, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from odoo.addons.spp_cel.lang import RuleError
from odoo.addons.spp_cel.models.spp_rule_version import typed

from ..tools.money import step

_MANY = 10000  # the most that one call replays
_PAGE = 2000
REPLAYERS = ("auditor", "program_manager", "approver", "finance_officer")


class CannotReplay(Exception):
    """Something that the replay needs was not kept. Says what."""


class Asked:
    """A rule or a formula as it was kept, to be asked about frozen facts."""

    def __init__(self, compiled, as_of, constants):
        self.compiled = compiled
        self.as_of = as_of
        self.constants = constants

    def outcome(self, facts):
        return self._ask(self.compiled.again, facts)

    def value(self, facts):
        return self._ask(self.compiled.value_again, facts)

    def seen(self, facts):
        return self.compiled.seen(facts) if self.compiled.answers(facts) else []

    def _ask(self, ask, facts):
        if not isinstance(facts, dict):
            raise CannotReplay(_("No facts were kept."))
        try:
            return ask(facts, self.as_of, self.constants)
        except KeyError as absent:
            raise CannotReplay(_("These facts were not kept: %s.", absent.args[0])) from None
        except (TypeError, ValueError):
            raise CannotReplay(_("The facts that were kept cannot be read.")) from None


class CycleReplay:
    """What is the same for everybody of a cycle, compiled once."""

    def __init__(self, cycle):
        self.cycle = cycle
        self.eligibility = self._rule(cycle.rule_version_id, cycle.variable_values)
        terms = cycle.terms or {}
        self.compliance = None
        if cycle.compliance_version_id:
            self.compliance = self._rule(cycle.compliance_version_id, terms.get("compliance_values"))
        self.benefits = terms.get("benefits", [])
        self.terms = {
            (benefit["id"], label): self._term(terms, benefit, label)
            for benefit in self.benefits
            for label in ("condition", "formula")
        }
        self.step = step(cycle.currency_id)

    def _rule(self, version, values):
        return _asked(version, self.cycle.as_of, values)

    def _term(self, terms, benefit, label):
        if not benefit[label]:
            return None
        try:
            compiled, constants = self.cycle._term_compiled(terms, benefit, label)
        except RuleError as error:
            raise UserError(
                _("%(benefit)s can no longer be computed. %(error)s", benefit=benefit["name"], error=error)
            ) from None
        return Asked(compiled, self.cycle.as_of, constants)

    def answer(self, row):
        """One beneficiary: [(what, then, now)], and sentences about what could not be replayed."""
        compared, problems = [], []
        try:
            outcome, compliance = self._outcome(row)
            compared.append(("outcome", row["outcome"], outcome))
            if row["compliance"] or compliance:
                compared.append(("compliance", row["compliance"], compliance))
        except CannotReplay as problem:
            problems.append(str(problem))
            outcome = row["outcome"]
        lines = row["lines"] or {}
        known = {str(benefit["id"]) for benefit in self.benefits}
        for number in sorted(set(lines) - known):
            compared.append((number, lines[number]["due"], None))  # a benefit that the terms do not have
        for benefit in self.benefits:
            line = lines.get(str(benefit["id"]))
            try:
                due = self._due(benefit, line, row) if outcome == "eligible" else None
                compared.append((str(benefit["id"]), line and line["due"], due))
            except CannotReplay as problem:
                problems.append(f"{benefit['name']}: {problem}")
        return compared, problems

    def _outcome(self, row):
        """(outcome, what the compliance rule said or None) from the facts."""
        facts = row["facts"] or {}
        if "registrant_status" in facts:
            return "excluded", None
        outcome = "eligible" if "by_hand" in facts else self.eligibility.outcome(row["facts"])
        compliance = None
        if outcome == "eligible" and self.compliance:
            compliance = self.compliance.outcome(row["compliance_facts"])
            outcome = {"eligible": "eligible", "not_eligible": "not_compliant"}.get(
                compliance, "undetermined"
            )
        if outcome == "eligible" and row["exclusion_reason"]:
            outcome = "excluded"
        return outcome, compliance

    def _due(self, benefit, line, row):
        """What a benefit gives an eligible beneficiary, as a decimal string; None where it gives nothing."""
        facts = line["facts"] if line else (row["amount_facts"] or {}).get(str(benefit["id"]))
        facts = facts or {}
        if facts.get("instalments"):
            return None  # as many as the program gives were given before
        condition = self.terms[benefit["id"], "condition"]
        if condition and condition.outcome(facts.get("condition")) != "eligible":
            return None
        if benefit["kind"] == "goods":
            return _plain(Decimal(str(benefit["quantity"])))
        formula = self.terms[benefit["id"], "formula"]
        amount = formula.value(facts.get("formula")) if formula else Decimal(benefit["amount"])
        if amount is None:
            return None
        if benefit["cap"]:
            amount = min(amount, Decimal(benefit["cap"]))
        amount = (amount / self.step).quantize(Decimal(1), ROUND_HALF_UP) * self.step
        return _plain(amount) if amount > 0 else None

    def seen(self, row):
        """What was looked at, in words."""
        said = []
        for asked, facts in (
            (self.eligibility, row["facts"]),
            (self.compliance, row["compliance_facts"]),
            *(
                (self.terms[benefit["id"], label], self._facts(benefit, row).get(label))
                for benefit in self.benefits
                for label in ("condition", "formula")
            ),
        ):
            if asked and isinstance(facts, dict):
                said += asked.seen(facts)
        return list(dict.fromkeys(said))

    @staticmethod
    def _facts(benefit, row):
        line = (row["lines"] or {}).get(str(benefit["id"]))
        return (line["facts"] if line else (row["amount_facts"] or {}).get(str(benefit["id"]))) or {}


class RuleVersion(models.Model):
    _inherit = "spp.rule.version"

    def _texts(self):
        """The rule as it was published, with the computed variables that it uses."""
        texts = [f"{self.display_name}: {self.expression}"]
        for name, kept in (self.variables_snapshot or {}).items():
            if "expression" in kept:
                texts.append(f"{kept['computed_for']}.{name} = {kept['expression']}")
        return texts


class CycleBeneficiary(models.Model):
    _inherit = "spp.cycle.beneficiary"

    def replay(self):
        """Compute what was decided about these beneficiaries again, from their frozen facts.

        :return: a list of dicts, one each: `beneficiary` and `registrant` (ids), `same`, `compared` (a list of `what`:
            "outcome", "compliance" or the id of a benefit, `then`, `now`, `same`), `problems` (sentences: what was not
            kept). Amounts are decimal strings; an empty string is nothing.
        """
        self.check_access_rights("read")
        self.check_access_rule("read")
        if len(self) > _MANY:
            raise UserError(_("At most %s beneficiaries are replayed at once.", _MANY))
        return [
            answer
            # sudo: everybody who may see the person may see whether the decision stands.
            for cycle, chosen in self.grouped("cycle_id").items()
            for answer in cycle.sudo()._replay(chosen.ids)
        ]

    def action_replay(self):
        """Show what was decided, and what its frozen facts give now."""
        self.ensure_one()
        (answer,) = self.replay()
        # sudo: everybody who may see the person may see what the decision rests on.
        cycle = self.cycle_id.sudo()
        replay = CycleReplay(cycle)
        row = cycle._replay_rows(self.ids)[0]
        benefits = {str(benefit["id"]): benefit for benefit in replay.benefits}
        texts = cycle.rule_version_id._texts()
        if cycle.compliance_version_id:
            texts += cycle.compliance_version_id._texts()
        for benefit in replay.benefits:
            for label, words in (("condition", _("Condition")), ("formula", _("Amount"))):
                if benefit[label]:
                    texts.append(f"{benefit['name']}, {words.lower()}: {benefit[label]}")
        values = {**(cycle.variable_values or {}), **(cycle.terms or {}).get("compliance_values", {})}
        values.update(
            {name: kept for name, kept in (cycle.terms or {}).get("variables", {}).items() if "value" in kept}
        )
        return self.env["spp.replay"]._show(
            self.partner_id, answer, cycle.as_of, texts, replay.seen(row), values, benefits
        )


class Cycle(models.Model):
    _inherit = "spp.cycle"

    def replay(self, after=0, limit=1000):
        """Compute a part of the cycle's decisions and amounts again, from their frozen facts.

        Asked with the `next` of the last answer as `after`, again and again until it is 0, it goes through all the
        beneficiaries whom the user may see.

        :param after: id of the last beneficiary that was replayed; 0 to begin
        :param limit: how many, at most 10,000
        :return: {`replayed`, `same`: numbers; `different`: a list as of `spp.cycle.beneficiary.replay`; `next`}
        """
        self.ensure_one()
        self._check_role(*REPLAYERS)
        return self._replay_page(after, limit)

    def _replay_page(self, after, limit):
        return _page(self.env["spp.cycle.beneficiary"], [("cycle_id", "=", self.id)], after, limit)

    def _replay_pages(self):
        """All answers of `replay`, page after page; memory holds one of them."""
        return _pages(self)

    def _replay(self, beneficiary_ids):
        """As `spp.cycle.beneficiary.replay`, in one statement."""
        if not self.rule_version_id:
            raise UserError(_("%s was never computed.", self.display_name))
        replay = CycleReplay(self)
        return [
            _as_answer(row["id"], row["partner_id"], *replay.answer(row))
            for row in self._replay_rows(beneficiary_ids)
        ]

    def _replay_rows(self, beneficiary_ids):
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                SELECT b.id, b.partner_id, b.outcome, b.facts, b.compliance, b.compliance_facts, b.exclusion_reason,
                       b.amount_facts, due.lines
                  FROM spp_cycle_beneficiary b
             LEFT JOIN (SELECT e.beneficiary_id,
                               jsonb_object_agg(e.benefit_id, jsonb_build_object(
                                   'due', trim_scale(CASE e.kind WHEN 'goods' THEN e.quantity ELSE e.amount END)::text,
                                   'facts', e.facts)) AS lines
                          FROM spp_entitlement e
                         WHERE e.beneficiary_id = ANY(%(ids)s)
                         GROUP BY e.beneficiary_id) due ON due.beneficiary_id = b.id
                 WHERE b.id = ANY(%(ids)s)
                 ORDER BY b.id
                """,
                ids=list(beneficiary_ids),
            )
        )
        return self.env.cr.dictfetchall()


class ProgramMembership(models.Model):
    _inherit = "spp.program.membership"

    def replay(self):
        """Compute the outcome of these members' enrollment again, from the facts that were kept with it.

        :return: as `spp.cycle.beneficiary.replay`, with `membership` in place of `beneficiary`; who was not evaluated
            yet is left out
        """
        self.check_access_rights("read")
        self.check_access_rule("read")
        if len(self) > _MANY:
            raise UserError(_("At most %s members are replayed at once.", _MANY))
        asked = {}
        answers = []
        # sudo: everybody who may see the person may see whether the decision stands.
        for member in self.sudo().filtered("outcome"):
            key = member.rule_version_id, member.evaluated_on
            if member.rule_version_id and key not in asked:
                asked[key] = _asked(*key)
            compared, problems = [], []
            try:
                if "registrant_status" in (member.facts or {}):
                    now = "not_eligible"
                elif member.rule_version_id:
                    now = asked[key].outcome(member.facts)
                else:
                    raise CannotReplay(_("The rule's version was not kept."))
                compared.append(("outcome", member.outcome, now))
            except CannotReplay as problem:
                problems.append(str(problem))
            answer = _as_answer(member.id, member.partner_id.id, compared, problems)
            answer["membership"] = answer.pop("beneficiary")
            answers.append(answer)
        return answers

    def action_replay(self):
        """Show what the rule said, and what the facts that were kept give now."""
        self.ensure_one()
        answers = self.replay()
        if not answers:
            raise UserError(_("The rule was never asked about %s.", self.partner_id.display_name))
        # sudo: everybody who may see the person may see what the decision rests on.
        member = self.sudo()
        version = member.rule_version_id
        seen, values = [], {}
        if version:
            seen = _asked(version, member.evaluated_on).seen(member.facts or {})
            values = {
                name: {"value": member.facts[f"variables.{name}"]}
                for name in version.variables_snapshot or {}
                if f"variables.{name}" in (member.facts or {})
            }
        return self.env["spp.replay"]._show(
            self.partner_id,
            answers[0],
            member.evaluated_on,
            version._texts() if version else [],
            seen,
            values,
            {},
        )


class Program(models.Model):
    _inherit = "spp.program"

    def replay_enrollment(self, after=0, limit=1000):
        """Compute a part of the enrollment decisions again; as `spp.cycle.replay`, for the members of the program."""
        self.ensure_one()
        self._check_role(*REPLAYERS)
        return self._replay_page(after, limit)

    def _replay_page(self, after, limit):
        return _page(self.env["spp.program.membership"], [("program_id", "=", self.id)], after, limit)

    def _replay_pages(self):
        """All answers of `replay_enrollment`, page after page; memory holds one of them."""
        return _pages(self)


def _asked(version, as_of, values=None):
    """A version of a rule to be asked, with the values of variables where they were kept apart from the facts."""
    try:
        compiled, _constants = version._compile()
    except RuleError as error:
        raise UserError(
            _("%(rule)s can no longer be read. %(error)s", rule=version.display_name, error=error)
        ) from None
    return Asked(compiled, as_of, {name: typed(kept) for name, kept in (values or {}).items()})


def _page(records, domain, after, limit):
    """What `replay` answers about the records of a domain, as far as the user may see them, from one id on."""
    if not 0 < limit <= _MANY:
        raise UserError(_("At most %s are replayed at once.", _MANY))
    chosen = records.search([*domain, ("id", ">", after)], order="id", limit=limit)
    answers = chosen.replay()
    different = [answer for answer in answers if not answer["same"]]
    return {
        "replayed": len(answers),
        "same": len(answers) - len(different),
        "different": different,
        "next": chosen[-1].id if len(chosen) == limit else 0,
    }


def _pages(record):
    after = -1
    while after:
        page = record._replay_page(max(after, 0), _PAGE)
        yield page
        after = page["next"]
        record.env.invalidate_all()


def _as_answer(record_id, partner_id, compared, problems):
    lines = [
        {"what": what, "then": then or "", "now": now or "", "same": (then or "") == (now or "")}
        for what, then, now in compared
    ]
    return {
        "beneficiary": record_id,
        "registrant": partner_id,
        "same": not problems and all(line["same"] for line in lines),
        "compared": lines,
        "problems": problems,
    }


def _plain(number):
    """A decimal string as PostgreSQL's trim_scale writes it."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
