"""Payments that were freed from a hold after a releaser had sent those of their cycle, sent without asking again.

It is that releaser's decision, and is carried out in their name by the action that they would use: every guard holds.
Only payments that were there when the releaser sent the cycle's are sent so; what was issued since, or was refused by
the payer as a whole message, waits for a person.
"""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL


class PaymentManager(models.Model):
    _inherit = "spp.payment.manager"

    auto_send = fields.Boolean(
        string="Send what is freed",
        help="Payments that were held when a releaser sent those of their cycle are sent in that releaser's name once "
        "nothing holds them any more. What was issued since then waits for a person.",
    )

    def write(self, vals):
        changed = self.filtered(
            lambda manager: "auto_send" in vals and manager.auto_send != vals["auto_send"]
        )
        result = super().write(vals)
        for manager in changed:
            self.env["spp.audit.entry"]._log(
                "Payment manager changed", manager, new={"auto_send": manager.auto_send}
            )
        return result

    @api.model
    def _cron_send_freed(self):
        """Look again at what is held in cycles that were sent, and send what is free."""
        # sudo: a cycle is looked at whole; what is sent is sent as its releaser
        payments = self.env["spp.payment"].sudo()
        waiting = payments._read_group(
            [
                ("state", "in", ["ready", "held"]),
                ("cycle_id.state", "=", "disbursing"),
                ("program_id.payment_manager_id.auto_send", "=", True),
            ],
            ["cycle_id"],
        )
        for (cycle,) in waiting:
            payments._recheck_holds(cycle)
            self._send_freed(cycle)

    def _send_freed(self, cycle):
        batches = self._freed(cycle)
        if not batches:
            return
        # The newest release of the cycle's payments by a person.
        released = self.env["spp.payment.batch"].sudo().search(
            [("cycle_id", "=", cycle.id), ("released_by", "!=", False)], order="released_at DESC, id DESC", limit=1
        )  # fmt: skip
        releaser = released.released_by
        try:
            if not releaser.active:
                raise AccessError(_("%s, who sent the cycle's payments, is no user any more.", releaser.name))
            with self.env.cr.savepoint():
                cycle.with_user(releaser).action_send_payments()
        except (AccessError, UserError) as error:
            batches._write_guarded({"message": _("Not sent without a person: %s", error.args[0])})

    @api.model
    def _freed(self, cycle):
        """Batches of the cycle that wait, when nothing else of the cycle waits for a person; else none."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                SELECT array_agg(DISTINCT b.id)
                  FROM spp_payment p
                  JOIN spp_payment_batch b ON b.id = p.batch_id
                 WHERE p.cycle_id = %(cycle)s AND p.state = 'ready' AND b.released_by IS NULL
                HAVING bool_and(b.message IS NULL)
                   AND max(p.create_date) <= (SELECT max(released_at) + interval '1 second' FROM spp_payment_batch
                                               WHERE cycle_id = %(cycle)s)
                """,
                cycle=cycle.id,
            )
        )
        (batch_ids,) = self.env.cr.fetchone() or [None]
        return self.env["spp.payment.batch"].sudo().browse(batch_ids or [])
