"""Secrets that can be set and used, and never read back.

They live in a table without a model, one row a record, so there is no ORM path to them: no read, search,
export, group-by or copy, whatever the access rules are. ::

    SECRETS = SecretTable("spp_endpoint_secret", "spp_endpoint", "endpoint_id")

    SECRETS.make(cr)                # from a model's init()
    SECRETS.set(cr, endpoint.id, "…")
    SECRETS.get(cr, endpoint.id)    # the secret, or None. Never log it, store it, or put it into an error.
"""

from odoo.tools import SQL


class SecretTable:
    """One secret text for a row of `parent`, which goes with that row.

    :param table: name of the table that holds the secrets
    :param parent: table of the records that have one
    :param column: column of the secret's table that holds the record's id
    """

    def __init__(self, table, parent, column):
        self.table = SQL.identifier(table)
        self.parent = SQL.identifier(parent)
        self.column = SQL.identifier(column)

    def make(self, cr):
        cr.execute(
            SQL(
                "CREATE TABLE IF NOT EXISTS %s (%s integer PRIMARY KEY REFERENCES %s ON DELETE CASCADE,"
                " secret text NOT NULL)",
                self.table,
                self.column,
                self.parent,
            )
        )

    def set(self, cr, record_id, secret):
        # log_exceptions=False: Odoo would log a failing statement with its values
        cr.execute(
            SQL(
                "INSERT INTO %s (%s, secret) VALUES (%s, %s)"
                " ON CONFLICT (%s) DO UPDATE SET secret = excluded.secret",
                self.table,
                self.column,
                record_id,
                secret,
                self.column,
            ),
            log_exceptions=False,
        )

    def get(self, cr, record_id):
        cr.execute(SQL("SELECT secret FROM %s WHERE %s = %s", self.table, self.column, record_id))
        return (cr.fetchone() or [None])[0]

    def known(self, cr, record_ids):
        """Those of the ids that have a secret."""
        cr.execute(
            SQL(
                "SELECT %s FROM %s WHERE %s = ANY(%s)", self.column, self.table, self.column, list(record_ids)
            )
        )
        return {record_id for (record_id,) in cr.fetchall()}

    def forget(self, cr, record_ids):
        cr.execute(SQL("DELETE FROM %s WHERE %s = ANY(%s)", self.table, self.column, list(record_ids)))
