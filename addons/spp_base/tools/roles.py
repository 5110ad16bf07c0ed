"""Who holds which group, in SQL."""

from odoo.tools import SQL

#: A relation (uid, gid) for FROM and JOIN: groups that somebody has, and those that they imply. Odoo 17.0 stores both,
#: 19.0 only what was given.
HELD_SQL = """
    (WITH RECURSIVE held(uid, gid) AS (
        SELECT uid, gid FROM res_groups_users_rel
         UNION
        SELECT held.uid, implied.hid FROM held JOIN res_groups_implied_rel implied ON implied.gid = held.gid)
     SELECT uid, gid FROM held)
"""
HELD = SQL(HELD_SQL)
