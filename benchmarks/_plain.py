"""Plain SQL for what several benchmarks measure: the same work, written by hand for their one case."""

from odoo.tools import SQL


def difference(cycle, previous):
    """Statements: the difference of two cycles of one benefit and one payment a person, and its totals.

    Who joined, left, is due another amount or at another account, and whose household changed: the same question
    as the product's, of the same columns and stored in the same two tables. Left out are the causes that do not occur
    here, and what is kept to explain them.
    """
    due = """
        SELECT b.membership_id, b.partner_id, b.situation, sum(e.amount) AS amount
          FROM spp_cycle_beneficiary b
          JOIN spp_entitlement e ON e.beneficiary_id = b.id
         WHERE b.cycle_id = %s AND e.cycle_id = %s
         GROUP BY b.id
    """
    return [
        SQL("DELETE FROM spp_cycle_difference WHERE cycle_id = %s", cycle),
        SQL("DELETE FROM spp_cycle_difference_total WHERE cycle_id = %s", cycle),
        SQL(
            """
            WITH pair AS MATERIALIZED (
                SELECT COALESCE(now.partner_id, was.partner_id) AS partner_id,
                       COALESCE(now.membership_id, was.membership_id) AS membership_id,
                       was.amount AS before, now.amount AS after,
                       CASE WHEN paid.partner_id IS NULL THEN was.situation->>'print' ELSE paid.print END
                           IS DISTINCT FROM now.situation->>'print' AS account,
                       was.situation->'payee' IS DISTINCT FROM now.situation->'payee'
                           OR was.situation->'members' IS DISTINCT FROM now.situation->'members' AS household
                  FROM (%(was)s) was
             FULL JOIN (%(now)s) now ON now.membership_id = was.membership_id
             LEFT JOIN (SELECT partner_id,
                               md5(concat_ws('|', account_kind, account_provider_id, account_number)) AS print
                          FROM spp_payment WHERE cycle_id = %(previous)s AND state <> 'cancelled') paid
                    ON paid.partner_id = was.partner_id
            ), made AS (
                INSERT INTO spp_cycle_difference
                    (cycle_id, partner_id, kind, cause, note, amount_before, amount_after,
                     create_uid, create_date, write_uid, write_date)
                SELECT %(cycle)s, pair.partner_id, k.kind,
                       CASE k.kind WHEN 'joined' THEN 'enrolled' WHEN 'left' THEN m.state ELSE 'facts' END,
                       m.state_reason, COALESCE(before, 0), COALESCE(after, 0), 1, now(), 1, now()
                  FROM pair
                  JOIN spp_program_membership m ON m.id = pair.membership_id
            CROSS JOIN LATERAL (VALUES ('joined', before IS NULL), ('left', after IS NULL),
                                       ('amount_up', after > before), ('amount_down', after < before),
                                       ('account', before > 0 AND after > 0 AND account),
                                       ('household', before > 0 AND after > 0 AND household)) k(kind, holds)
                 WHERE k.holds
             RETURNING kind, amount_before, amount_after
            )
            INSERT INTO spp_cycle_difference_total
                (cycle_id, kind, people, amount_before, amount_after, amount_change,
                 create_uid, create_date, write_uid, write_date)
            SELECT %(cycle)s, kind, count(*), sum(amount_before), sum(amount_after),
                   sum(amount_after) - sum(amount_before), 1, now(), 1, now()
              FROM (SELECT kind, amount_before, amount_after FROM made
                     UNION ALL
                    SELECT 'unchanged', before, after FROM pair
                     WHERE before = after AND NOT account AND NOT household) lines
             GROUP BY kind
            """,
            cycle=cycle,
            previous=previous,
            was=SQL(due, previous, previous),
            now=SQL(due, cycle, cycle),
        ),
    ]


def fingerprint(cycle):
    """Statement: the fingerprint of who is paid how much, made when a cycle is submitted and again when it is approved:
    an approval is of what was submitted."""
    return SQL(
        """
        SELECT sha256(string_agg(concat_ws(':', e.id, e.partner_id, b.situation ->> 'payee', e.benefit_id, e.kind,
                                           e.amount, e.currency_id, e.quantity, e.product_name),
                                 ';' ORDER BY e.id)::bytea)
          FROM spp_entitlement e JOIN spp_cycle_beneficiary b ON b.id = e.beneficiary_id
         WHERE e.cycle_id = %s
        """,
        cycle,
    )


def submission(cycle, previous, uid):
    """Statements: a cycle is submitted. Its people are still enrolled, it is compared once more with the cycle before,
    of which payments may have changed meanwhile, and the fingerprint of who is paid how much is made."""
    return [
        SQL(
            """
            SELECT count(*) FROM spp_cycle_beneficiary b JOIN spp_program_membership m ON m.id = b.membership_id
             WHERE b.cycle_id = %s AND b.outcome = 'eligible' AND m.state <> 'enrolled'
            """,
            cycle,
        ),
        *(
            difference(cycle, previous)
            if previous
            else [SQL("SELECT count(DISTINCT partner_id) FROM spp_entitlement WHERE cycle_id = %s", cycle)]
        ),
        fingerprint(cycle),
        SQL("UPDATE spp_cycle SET state = 'submitted', submitted_by = %s WHERE id = %s", uid, cycle),
    ]
