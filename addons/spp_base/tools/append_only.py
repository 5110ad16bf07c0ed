"""Tables that keep what was written.

A trail or a ledger is worth something only if nobody can change it afterwards, so the
database refuses, whoever asks: the ORM as superuser, a server action, a forgotten script::

    class FundEntry(models.Model):
        _name = "spp.fund.entry"

        def init(self):
            make_append_only(self.env.cr, self._table)

A migration that must touch such a table (adding a stored column fills it with an UPDATE)
says so first, for its own transaction only, in its pre-migration script::

    cr.execute("SET LOCAL spp.allow_rewrite = 'on'")
"""

from odoo.tools import SQL

# Row triggers, not statement triggers: ON DELETE SET NULL of a foreign key is an UPDATE
# statement on this table too, even when it touches no row.
_FUNCTION = """
    CREATE OR REPLACE FUNCTION spp_refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF coalesce(current_setting('spp.allow_rewrite', true), '') <> 'on' THEN
            RAISE EXCEPTION '"%" keeps what was written: its rows are never changed or deleted (% refused).',
                TG_TABLE_NAME, TG_OP
                USING ERRCODE = 'insufficient_privilege',
                      HINT = 'Write a new row that corrects the old one.';
        END IF;
        RETURN CASE TG_OP WHEN 'UPDATE' THEN NEW ELSE OLD END;
    END $$
"""


def make_append_only(cr, table):
    """Let ``table`` refuse UPDATE, DELETE and TRUNCATE. Safe to call again."""
    cr.execute(_FUNCTION)
    cr.execute(
        SQL(
            """
            CREATE OR REPLACE TRIGGER spp_append_only BEFORE UPDATE OR DELETE ON %(table)s
                FOR EACH ROW EXECUTE FUNCTION spp_refuse_rewrite();
            CREATE OR REPLACE TRIGGER spp_append_only_truncate BEFORE TRUNCATE ON %(table)s
                FOR EACH STATEMENT EXECUTE FUNCTION spp_refuse_rewrite()
            """,
            table=SQL.identifier(table),
        )
    )
