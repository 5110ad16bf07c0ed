"""What a rule or an amount comes to for many registrants: by one statement, or, where it has none, one by one."""

import json
import uuid

from odoo import models
from odoo.tools import SQL

_PAGE = 1000  # people whose records are in memory at once


class CelSchema(models.AbstractModel):
    _inherit = "spp.cel.schema"

    def _outcome_query(self, rule, constants, population, as_of):
        """SQL that selects (id, outcome, facts) for every id of `population`, a SQL that selects a column `id`."""
        if rule.not_compiled:
            return self._one_by_one(rule, constants, population, as_of)
        most = self._is_most(rule, population)
        text, params = rule.to_sql(population.code, population.params, as_of, constants, most=most)
        return SQL(text, *params)

    def _amount_query(self, rule, constants, population, as_of):
        """SQL that selects (id, value, facts) for every id of `population`; the value exact, NULL where it is missing."""
        if rule.not_compiled:
            return self._one_by_one(rule, constants, population, as_of)
        most = self._is_most(rule, population)
        text, params = rule.amounts_sql(population.code, population.params, as_of, constants, most=most)
        return SQL(text, *params)

    def _one_by_one(self, rule, constants, population, as_of):
        """As both, for what has no SQL: the interpreter answers page after page.

        The answers wait in a table of this transaction; memory holds one page.
        """
        cr = self.env.cr
        cr.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS spp_cel_answer"
            " (call uuid, number bigint, id integer, outcome varchar, value numeric, facts jsonb) ON COMMIT DROP"
        )
        call = str(uuid.uuid4())
        cr.execute(
            SQL(
                "INSERT INTO spp_cel_answer (call, number, id)"
                " SELECT %s, row_number() OVER (ORDER BY id), id FROM (%s) AS everybody",
                call,
                population,
            )
        )
        number = cr.rowcount
        for start in range(0, number, _PAGE):
            cr.execute(
                "SELECT id FROM spp_cel_answer WHERE call = %s AND number > %s AND number <= %s",
                [call, start, start + _PAGE],
            )
            partners = self.env["res.partner"].browse([row[0] for row in cr.fetchall()])
            found = [
                (partner_id, *self._answer(rule, record, as_of, constants))
                for partner_id, record in self._records(rule.target, partners).items()
            ]
            cr.execute(
                "UPDATE spp_cel_answer SET outcome = given.outcome, value = given.value, facts = given.facts"
                " FROM unnest(CAST(%s AS integer[]), CAST(%s AS varchar[]), CAST(%s AS numeric[]), CAST(%s AS jsonb[]))"
                " AS given (id, outcome, value, facts) WHERE call = %s AND spp_cel_answer.id = given.id",
                [*(list(column) for column in zip(*found, strict=True)), call],
            )
        answer = SQL.identifier("value" if rule.node.type.numeric else "outcome")
        return SQL("SELECT id, %s, facts FROM spp_cel_answer WHERE call = %s", answer, call)

    @staticmethod
    def _answer(rule, record, as_of, constants):
        """(outcome, value, facts as JSON) of one record; an amount has no outcome, a condition no value."""
        if rule.node.type.numeric:
            value, facts = rule.amount(record, as_of, constants)
            return None, value, json.dumps(facts)
        answer = rule.evaluate(record, as_of, constants)
        return answer.outcome, None, json.dumps(answer.facts)
