"""Rows of a cycle cannot change any more once the cycle is no draft.

The guard is a trigger, so that it also holds for SQL: a row may only come, go, or change in the named columns
while its cycle is a draft. `SET LOCAL spp.allow_rewrite = 'on'` lifts it for a migration.
Whole rows are checked per statement; a change of a column fires only where that column really differs, so that
`UPDATE … SET state` over a million rows costs nothing extra.
"""

from odoo.tools import SQL

FUNCTIONS = """
CREATE OR REPLACE FUNCTION spp_cycle_row_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('spp.allow_rewrite', true) IS DISTINCT FROM 'on'
       AND EXISTS (SELECT 1 FROM spp_cycle WHERE id IN (OLD.cycle_id, NEW.cycle_id) AND state <> 'draft') THEN
        RAISE EXCEPTION 'The cycle was submitted: its outcomes and amounts cannot be changed any more.'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE OR REPLACE FUNCTION spp_cycle_rows_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('spp.allow_rewrite', true) IS DISTINCT FROM 'on'
       AND EXISTS (SELECT 1 FROM spp_cycle
                    WHERE state <> 'draft' AND id IN (SELECT cycle_id FROM touched)) THEN
        RAISE EXCEPTION 'The cycle was submitted: nothing can be added to it or taken out of it any more.'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
"""


def freeze_with_cycle(cr, table, columns):
    """Install the triggers on `table`, which has a column cycle_id. Called from a model's init()."""
    cr.execute(FUNCTIONS)
    name = SQL.identifier(table)
    differs = SQL(" OR ").join(
        SQL("OLD.%s IS DISTINCT FROM NEW.%s", SQL.identifier(c), SQL.identifier(c)) for c in columns
    )
    cr.execute(
        SQL(
            "CREATE OR REPLACE TRIGGER frozen_update BEFORE UPDATE ON %s FOR EACH ROW WHEN (%s)"
            " EXECUTE FUNCTION spp_cycle_row_frozen()",
            name,
            differs,
        )
    )
    cr.execute(
        SQL(
            "CREATE OR REPLACE TRIGGER frozen_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS touched"
            " FOR EACH STATEMENT EXECUTE FUNCTION spp_cycle_rows_frozen()",
            name,
        )
    )
    cr.execute(
        SQL(
            "CREATE OR REPLACE TRIGGER frozen_delete AFTER DELETE ON %s REFERENCING OLD TABLE AS touched"
            " FOR EACH STATEMENT EXECUTE FUNCTION spp_cycle_rows_frozen()",
            name,
        )
    )
