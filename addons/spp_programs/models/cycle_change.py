"""What the latest computation of a draft changed: whose outcome or amount is another one than before it."""

from odoo import fields, models
from odoo.tools import SQL

from ..tools.freeze import freeze_with_cycle
from .cycle_beneficiary import OUTCOMES

FROZEN = ["cycle_id", "partner_id", "outcome_before", "outcome_after", "amount_before", "amount_after"]


class CycleChange(models.Model):
    _name = "spp.cycle.change"
    _description = "Change by the latest computation"
    _order = "id"
    _rec_name = "partner_id"
    _rec_names_search = ["partner_id"]

    cycle_id = fields.Many2one(comodel_name="spp.cycle", required=True, readonly=True, ondelete="restrict")
    company_id = fields.Many2one(comodel_name="res.company", related="cycle_id.program_id.company_id")
    currency_id = fields.Many2one(comodel_name="res.currency", related="cycle_id.program_id.currency_id")
    partner_id = fields.Many2one(
        comodel_name="res.partner",
        string="Registrant",
        required=True,
        readonly=True,
        index=True,
        ondelete="restrict",
    )
    outcome_before = fields.Selection(
        string="Outcome before",
        selection=OUTCOMES,
        readonly=True,
        help="Empty: was not considered by the computation before.",
    )
    outcome_after = fields.Selection(
        selection=OUTCOMES, string="Outcome now", readonly=True, help="Empty: is no longer enrolled."
    )
    amount_before = fields.Monetary(string="Amount before", readonly=True)
    amount_after = fields.Monetary(string="Amount now", readonly=True)

    _sql_constraints = [
        ("partner_once", "UNIQUE(cycle_id, partner_id)", "Each person's change is listed once."),
    ]

    def init(self):
        freeze_with_cycle(self.env.cr, self._table, FROZEN)


class Cycle(models.Model):
    _inherit = "spp.cycle"

    recomputed_outcomes = fields.Integer(
        string="Outcomes changed",
        readonly=True,
        copy=False,
        help="By the latest computation, compared with the one before it.",
    )
    recomputed_amounts = fields.Integer(
        string="Amounts changed",
        readonly=True,
        copy=False,
        help="By the latest computation, compared with the one before it.",
    )

    def _remember(self):
        """Keep, until the end of the transaction, what the last computation of this draft said."""
        self.env.cr.execute(
            "CREATE TEMPORARY TABLE IF NOT EXISTS spp_cycle_earlier"
            " (cycle_id integer, partner_id integer, outcome varchar, amount numeric) ON COMMIT DROP"
        )
        self.env.cr.execute("DELETE FROM spp_cycle_earlier WHERE cycle_id = %s", [self.id])
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO spp_cycle_earlier (cycle_id, partner_id, outcome, amount)
                SELECT b.cycle_id, b.partner_id, b.outcome, COALESCE(due.amount, 0)
                  FROM spp_cycle_beneficiary b
             LEFT JOIN (SELECT beneficiary_id, sum(amount) AS amount FROM spp_entitlement
                         WHERE cycle_id = %(cycle)s GROUP BY beneficiary_id) due ON due.beneficiary_id = b.id
                 WHERE b.cycle_id = %(cycle)s
                """,
                cycle=self.id,
            )
        )

    def _compare_with_earlier(self):
        """List whose outcome or amount is not what `_remember` kept. The first computation changes nothing."""
        self.env.flush_all()
        self.env.cr.execute(SQL("DELETE FROM spp_cycle_change WHERE cycle_id = %s", self.id))
        self.env.cr.execute(
            SQL(
                """
                WITH now AS (
                    SELECT b.partner_id, b.outcome, COALESCE(due.amount, 0) AS amount
                      FROM spp_cycle_beneficiary b
                 LEFT JOIN (SELECT beneficiary_id, sum(amount) AS amount FROM spp_entitlement
                             WHERE cycle_id = %(cycle)s GROUP BY beneficiary_id) due ON due.beneficiary_id = b.id
                     WHERE b.cycle_id = %(cycle)s
                ), was AS (
                    SELECT partner_id, outcome, amount FROM spp_cycle_earlier WHERE cycle_id = %(cycle)s
                ), made AS (
                    INSERT INTO spp_cycle_change
                        (cycle_id, partner_id, outcome_before, outcome_after, amount_before, amount_after,
                         create_uid, create_date, write_uid, write_date)
                    SELECT %(cycle)s, COALESCE(now.partner_id, was.partner_id), was.outcome, now.outcome,
                           COALESCE(was.amount, 0), COALESCE(now.amount, 0), %(uid)s, %(time)s, %(uid)s, %(time)s
                      FROM was FULL JOIN now ON now.partner_id = was.partner_id
                     WHERE (was.outcome IS DISTINCT FROM now.outcome
                            OR COALESCE(was.amount, 0) <> COALESCE(now.amount, 0))
                       AND EXISTS (SELECT FROM was)
                 RETURNING outcome_before, outcome_after, amount_before, amount_after
                )
                SELECT count(*) FILTER (WHERE outcome_before IS DISTINCT FROM outcome_after),
                       count(*) FILTER (WHERE amount_before <> amount_after)
                  FROM made
                """,
                cycle=self.id,
                uid=self.env.uid,
                time=self.env.cr.now(),
            )
        )
        outcomes, amounts = self.env.cr.fetchone()
        self._write_guarded({"recomputed_outcomes": outcomes, "recomputed_amounts": amounts})
