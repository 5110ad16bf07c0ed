"""What holds about money at every moment, whoever does what at the same time: SQL that finds what breaks it."""

from scripts import database

#: law: SQL selecting what breaks it, as text
LAWS = {
    "the balance of a fund is the sum of its ledger": """
        SELECT 'program ' || b.program_id
          FROM spp_fund_balance b
          JOIN LATERAL (
               SELECT COALESCE(sum(amount) FILTER (WHERE kind IN ('allocation', 'adjustment')), 0) AS allocated,
                      COALESCE(sum(CASE WHEN kind IN ('commitment', 'return') THEN amount
                                        WHEN kind IN ('release', 'disbursement') THEN -amount END), 0) AS committed,
                      COALESCE(sum(CASE kind WHEN 'disbursement' THEN amount WHEN 'return' THEN -amount END), 0)
                          AS disbursed
                 FROM spp_fund_entry WHERE program_id = b.program_id) l ON TRUE
         WHERE (b.allocated, b.committed, b.disbursed) IS DISTINCT FROM (l.allocated, l.committed, l.disbursed)
            OR b.allocated < b.committed + b.disbursed""",
    "a commitment stays while its entitlement may be paid, and what is paid is disbursed": """
        SELECT 'program ' || b.program_id
          FROM spp_fund_balance b
          JOIN LATERAL (SELECT COALESCE(sum(amount) FILTER (WHERE state = 'approved'), 0) AS committed,
                               COALESCE(sum(amount) FILTER (WHERE state = 'paid'), 0) AS disbursed
                          FROM spp_entitlement WHERE program_id = b.program_id AND kind = 'money') e ON TRUE
         WHERE (b.committed, b.disbursed) IS DISTINCT FROM (e.committed, e.disbursed)""",
    "an entitlement has at most one live payment, and is paid at most once": """
        SELECT 'entitlement ' || entitlement_id FROM spp_payment GROUP BY entitlement_id
        HAVING count(*) FILTER (WHERE state NOT IN ('rejected', 'returned', 'cancelled')) > 1""",
    "an entitlement is paid exactly when a payment of it is": """
        SELECT 'entitlement ' || e.id FROM spp_entitlement e
         WHERE (e.state = 'paid') <> EXISTS (SELECT FROM spp_payment WHERE entitlement_id = e.id AND state = 'paid')""",
    "what was released is never paid, and what ended unpaid after its approval was released": """
        SELECT 'entitlement ' || e.id
          FROM spp_entitlement e
          JOIN spp_fund_entry f ON f.kind = 'release' AND f.origin = 'entitlement:' || e.id
         WHERE e.state NOT IN ('cancelled', 'expired')""",
    "where the money is adds up to what was committed": """
        SELECT 'cycle ' || c.id
          FROM spp_cycle c
          JOIN spp_fund_entry f ON f.kind = 'commitment' AND f.origin = 'cycle:' || c.id
         WHERE f.amount IS DISTINCT FROM (
               SELECT sum(e.amount) FROM spp_entitlement e
                WHERE e.cycle_id = c.id AND e.kind = 'money' AND e.state <> 'draft'
                  AND (e.state NOT IN ('cancelled', 'expired') OR EXISTS (
                       SELECT FROM spp_fund_entry r WHERE r.kind = 'release' AND r.origin = 'entitlement:' || e.id)))""",
    "nobody approves what they submitted": """
        SELECT 'cycle ' || id FROM spp_cycle WHERE approved_by = submitted_by""",
    "nobody sends what they submitted, approved or prepared": """
        SELECT 'batch ' || b.id
          FROM spp_payment_batch b
          JOIN spp_cycle c ON c.id = b.cycle_id
         WHERE b.released_by IN (c.submitted_by, c.approved_by)
            OR EXISTS (SELECT FROM spp_payment p WHERE p.batch_id = b.id AND p.create_uid = b.released_by
                          AND p.state NOT IN ('ready', 'held', 'cancelled'))""",
    "nobody says alone how a payment ended": """
        SELECT 'contradiction ' || id FROM spp_payment_contradiction WHERE confirmed_by = proposed_by
         UNION ALL
        SELECT 'payment ' || p.id FROM spp_payment p JOIN spp_payment_batch b ON b.id = p.batch_id
         WHERE p.handed_by = b.released_by""",
    "no result is applied twice": """
        SELECT 'payment ' || payment_id FROM spp_payment_result_row WHERE verdict = 'applied'
         GROUP BY payment_id, outcome_text HAVING count(*) > 1""",
    "what left as a file is all with the payer": """
        SELECT 'batch ' || b.id
          FROM spp_payment_batch b
          JOIN spp_payment_manager m ON m.id = b.manager_id AND m.provider IN ('file', 'manual')
          JOIN spp_payment p ON p.batch_id = b.id
     LEFT JOIN spp_payment_file f ON f.batch_id = b.id
         WHERE p.state = 'sending'
            OR CASE WHEN f.id IS NULL THEN p.state NOT IN ('ready', 'held', 'cancelled')
                    ELSE p.state IN ('ready', 'held') OR (p.state = 'cancelled') <> (p.sent_at IS NULL) END""",
}
STATEMENT = " UNION ALL ".join(
    f"SELECT '{law}', found FROM ({sql}) AS broken(found)" for law, sql in LAWS.items()
)


def broken(name):
    """[(law, what breaks it)] in database `name`, looked at in one statement, so at one moment."""
    with database.cursor(name) as cr:
        cr.execute(STATEMENT)
        return cr.fetchall()
