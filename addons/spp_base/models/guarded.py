"""Fields that only a model's own methods set.

`readonly=True` is a matter of forms: over XML-RPC every field can be written, and a context key can be sent along
as well. So what decides about people and money (states, who submitted, totals) is refused by create() and
write(), and set through `_write_guarded`, which no client can call.
"""

from odoo import _, api, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from .spp_bulk_mixin import BeingChanged


class GuardedMixin(models.AbstractModel):
    _name = "spp.guarded.mixin"
    _description = "Fields set by the model's own methods only"

    _guarded_fields = frozenset({"state"})

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._refuse_guarded(vals)
        guarded = self._guarded()
        context = {
            key: value
            for key, value in self.env.context.items()
            if not (key.startswith("default_") and key.removeprefix("default_") in guarded)
        }
        clean = self.with_context(context)  # pylint: disable=context-overridden  # taking keys out is the aim
        return super(GuardedMixin, clean).create(vals_list)

    def _create_guarded(self, vals_list):
        """Create with guarded fields. Callers have checked what the user may do."""
        # sudo: as in _write_guarded
        return super(GuardedMixin, self.sudo()).create(vals_list)  # pylint: disable=super-method-mismatch

    def write(self, vals):
        self._refuse_guarded(vals)
        return super().write(vals)

    def _guarded(self):
        """The guarded fields of the model and of everything that extends it."""
        parts = (vars(part).get("_guarded_fields") for part in type(self).__mro__)
        return self._guarded_fields.union(*(part for part in parts if isinstance(part, frozenset)))

    def _refuse_guarded(self, vals):
        refused = sorted(self._guarded().intersection(vals))
        if refused:
            raise UserError(
                _(
                    "%(model)s: %(fields)s can only be changed by the action meant for it.",
                    model=self._description,
                    fields=", ".join(self._fields[name].string for name in refused),
                )
            )

    def _write_guarded(self, vals):
        """Write guarded fields. Callers have checked the user's role and the record's state."""
        # sudo: the roles that decide (an approver, for one) have no write access to what they decide about.
        return super(GuardedMixin, self.sudo()).write(vals)  # pylint: disable=super-method-mismatch

    def _check_role(self, *groups):
        """Refuse users without one of the roles, and records that the user may not see.

        :param groups: roles of spp_base, like "program_manager"
        """
        if not any(self.env.user.has_group(f"spp_base.group_{group}") for group in groups):
            roles = " / ".join(self.env.ref(f"spp_base.group_{group}").sudo().name for group in groups)
            raise AccessError(_("This needs the role %s.", roles))
        self.check_access_rights("read")
        self.check_access_rule("read")

    @api.model
    def _given_reason(self, reason):
        """The reason that somebody gave, or a refusal."""
        reason = (reason or "").strip()
        if not reason:
            raise UserError(_("Give a reason: it is kept, and shown to whoever asks."))
        return reason

    def _lock(self):
        """Lock the rows until the end of the transaction, or say at once that somebody else has them."""
        self.flush_recordset()
        busy = SQL(
            "SELECT id FROM %s WHERE id IN %s ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
            SQL.identifier(self._table),
            tuple(self.ids) or (0,),
        )
        self.env.cr.execute(busy)
        if self.env.cr.rowcount < len(self):
            at_work = self.env["spp.run"]._at_work(self).values()
            raise BeingChanged(
                _(
                    "%(records)s is being changed by someone else at this moment%(by)s. Try again when that has ended.",
                    records=", ".join(self.mapped("display_name")),
                    by="".join(f" ({run.sudo().name})" for run in at_work),
                )
            )
        self.invalidate_recordset()
