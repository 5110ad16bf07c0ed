"""Deferred constraints that answer in plain words.

A head can be swapped within one save only if PostgreSQL checks "one head" at the end of the
transaction; but an error at COMMIT comes too late for Odoo to turn it into a message. So a model with
deferred constraints asks here, after each create and write, that they be checked at Odoo's flush before
the commit, where a violation becomes a ValidationError that names the registrant. The model names such constraints in
`_spp_deferred`.
"""

import re
from functools import partial

from psycopg2.errors import ExclusionViolation

from odoo.exceptions import ValidationError
from odoo.tools import SQL


def check_before_commit(model):
    """Check the deferred constraints of `model`, once, before this transaction commits.

    Their key must begin with a res.partner id: that registrant is named in the error.
    """
    precommit = model.env.cr.precommit
    if model._name in precommit.data.setdefault("spp_deferred", set()):
        return
    precommit.data["spp_deferred"].add(model._name)
    precommit.add(partial(check_now, model.browse()))


def check_now(model):
    """Check the deferred constraints of `model` for what this transaction has written so far."""
    cr = model.env.cr
    names = SQL(", ").join(SQL.identifier(f"{model._table}_{key}") for key in model._spp_deferred)
    model.env.flush_all()
    try:
        with cr.savepoint(flush=False):
            cr.execute(SQL("SET CONSTRAINTS %s IMMEDIATE", names), log_exceptions=False)
            cr.execute(SQL("SET CONSTRAINTS %s DEFERRED", names))
    except ExclusionViolation as error:
        # "Key (group_id)=(7) conflicts with existing key (group_id)=(7)."
        ids = re.findall(r"\d+", error.diag.message_detail or "")
        # sudo: whoever caused the clash was allowed to edit this registrant's lines.
        partner = model.env["res.partner"].sudo().browse(int(ids[0]) if ids else ()).exists()
        constraint = (
            model.env["ir.model.constraint"].sudo().search([("name", "=", error.diag.constraint_name)])
        )
        message = constraint.message
        raise ValidationError(f"{partner.display_name}: {message}" if partner else message) from None
