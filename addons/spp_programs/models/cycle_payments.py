"""What programs, cycles and entitlements have to do with payments."""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from ..tools.domain import checked

READERS = (
    "spp_base.group_auditor,spp_base.group_program_manager,spp_base.group_finance_officer,spp_base.group_approver,"
    "spp_base.group_payment_releaser"
)  # the roles that may read payments

LEFT_OPEN = ["sending", "unknown", "accepted"]
LEFT = [*LEFT_OPEN, "paid", "returned"]  # states in which money may have left


class Program(models.Model):
    _inherit = "spp.program"

    payment_manager_id = fields.Many2one(
        comodel_name="spp.payment.manager",
        ondelete="restrict",
        help="How the program pays. Without one, its payments are held.",
    )

    @api.constrains("payment_manager_id", "company_id")
    def _check_payment_manager_company(self):
        for program in self:
            manager = program.payment_manager_id
            if manager and manager.company_id != program.company_id:
                raise UserError(_("%s is a payment manager of another company.", manager.display_name))


class Entitlement(models.Model):
    _inherit = "spp.entitlement"

    payment_ids = fields.One2many(
        comodel_name="spp.payment",
        inverse_name="entitlement_id",
        string="Payments",
        readonly=True,
        groups=READERS,
    )

    @api.model
    def _may_have_left(self):
        return SQL(
            "(%s OR EXISTS (SELECT FROM spp_payment p WHERE p.entitlement_id = e.id AND p.state = ANY(%s)))",
            super()._may_have_left(),
            [*LEFT_OPEN, "paid"],
        )


class CycleWithdrawal(models.Model):
    _inherit = "spp.cycle.withdrawal"

    def _hold_payments(self):
        result = super()._hold_payments()
        for words, some in self.grouped(lambda one: one._hold_words()).items():
            self.env["spp.payment"].sudo()._hold_unsent(some._payments_sql(), words)
        return result

    def _let_payments_go(self):
        result = super()._let_payments_go()
        # sudo: what the proposals held goes on; the role was checked
        payments = self.env["spp.payment"].sudo()
        for cycle, some in self.grouped("cycle_id").items():
            held = payments.search(
                [
                    ("entitlement_id.beneficiary_id", "in", some.beneficiary_id.ids),
                    ("state", "=", "held"),
                    ("hold_reason", "in", [one._hold_words() for one in some]),
                ]
            )
            held._write_guarded({"hold_reason": False, "hold_by": False, "hold_at": False})
            if held:
                payments._recheck_holds(cycle)
        return result

    def _hold_words(self):
        return _("A withdrawal was proposed: %s", self.reason)

    def _payments_sql(self):
        return SQL(
            "p.entitlement_id IN (SELECT id FROM spp_entitlement WHERE beneficiary_id = ANY(%s))",
            self.beneficiary_id.ids,
        )


class Cycle(models.Model):
    _inherit = "spp.cycle"

    payment_ids = fields.One2many(
        comodel_name="spp.payment", inverse_name="cycle_id", string="Payments", readonly=True, groups=READERS
    )
    payment_batch_ids = fields.One2many(
        comodel_name="spp.payment.batch",
        inverse_name="cycle_id",
        string="Payment batches",
        readonly=True,
        groups=READERS,
    )
    payment_summary_ids = fields.One2many(
        comodel_name="spp.payment.summary",
        inverse_name="cycle_id",
        string="Where the money is",
        readonly=True,
    )
    payment_manager_id = fields.Many2one(related="program_id.payment_manager_id")
    payment_count = fields.Integer(compute="_compute_payment_counts", compute_sudo=True)
    ready_payment_count = fields.Integer(compute="_compute_payment_counts", compute_sudo=True)
    attention_payment_count = fields.Integer(
        string="Payments that need somebody", compute="_compute_payment_counts", compute_sudo=True
    )

    def _compute_payment_counts(self):
        counts = {}
        for cycle, state, count in self.env["spp.payment"]._read_group(
            [("cycle_id", "in", self.ids)], ["cycle_id", "state"], ["__count"]
        ):
            counts[cycle.id, state] = count
        for cycle in self:
            of_cycle = {state: count for (cycle_id, state), count in counts.items() if cycle_id == cycle.id}
            cycle.payment_count = sum(of_cycle.values())
            cycle.ready_payment_count = of_cycle.get("ready", 0)
            cycle.attention_payment_count = of_cycle.get("held", 0) + of_cycle.get("unknown", 0)

    # ------------------------------------------------------------------ actions

    def action_prepare_payments(self, domain=None):
        """Make a payment for every approved money entitlement without one, and put them into batches.

        Run again, it adds only what is missing. What was rejected or came back is not paid again by it: that is
        decided payment by payment (`spp.payment.action_reissue`). Role: program manager.

        :param domain: only entitlements that fit it: conditions on fields of the entitlement, and on the registrant's
            as `partner_id.…`; a list, or its text. Whom the user may not see fits none.
        :return: id of the run (spp.run)
        """
        self.ensure_one()
        self._check_role("program_manager")
        self._check_state("approved", "disbursing")
        self.program_id._check_active()
        domain = checked(self.env["spp.entitlement"], domain or [])
        return self._bulk(
            "prepare_payments",
            _("Prepare payments: %s", self.display_name),
            [domain],
            rows=self.entitlement_count,
            as_of=self.as_of,
        )

    def _do_prepare_payments(self, run, domain=None):
        due = self._due_query(domain)
        self._lock()
        self._check_state("approved", "disbursing")
        self.program_id._check_active()
        payments = self.env["spp.payment"]
        run._progress(0, total=2 * self.entitlement_count, stage=_("Payments"))
        made, batches = payments._prepare(self, due)
        # sudo: whom somebody proposed to withdraw is not paid until that is decided, whoever prepares
        self.sudo().withdrawal_ids.filtered(lambda one: one.state == "proposed")._hold_payments()
        run._progress(len(made), stage=_("What must be held, and batches"))
        batches += payments._recheck_holds(self)
        # sudo: a cycle is prepared whole, also where the user's area hides people.
        held = payments.sudo().search_count([("cycle_id", "=", self.id), ("state", "=", "held")])
        if made:
            self.env["spp.audit.entry"]._log(
                "Payments prepared",
                self,
                new={"prepared": len(made), "held": held, "batches": batches},
                run=run,
            )
        run._finish({_("Prepared"): len(made), _("Held"): held, _("Batches"): batches})

    def action_send_payments(self):
        """Release the ready payments: each of their batches is sent by a job.

        Role: payment releaser, and not who submitted or approved the cycle or prepared its payments.
        """
        self._check_role("payment_releaser")
        for cycle in self:
            cycle._lock()
            cycle._check_state("approved", "disbursing")
            cycle.program_id._check_active()
            # sudo: a cycle is sent whole, also where the user's area hides people.
            payments = self.env["spp.payment"].sudo()
            payments._recheck_holds(cycle)
            ready = [("cycle_id", "=", cycle.id), ("state", "=", "ready")]
            cycle._check_may_release(ready)
            batches = payments._read_group(ready, ["batch_id"], ["__count"])
            if not batches:
                raise UserError(
                    _(
                        "No payment of %s is ready to be sent. Prepare the payments, and look at those that are held.",
                        cycle.display_name,
                    )
                )
            for manager in {batch.manager_id for batch, _count in batches}:
                manager._check_can_send()
            if cycle.state == "approved":
                cycle._set_state("disbursing")
            for batch, _count in batches:
                batch._release()
            self.env["spp.audit.entry"]._log(
                "Payments released",
                cycle,
                new={"payments": sum(count for _batch, count in batches), "batches": len(batches)},
            )
        return True

    def action_recheck_payments(self):
        """Look again at what holds payments, and batch what is free. Roles: program manager, finance officer."""
        self._check_role("program_manager", "finance_officer")
        for cycle in self:
            self.env["spp.payment"]._recheck_holds(cycle)
        return True

    def action_view_payments(self):
        """Open the payments of the cycle."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("spp_programs.action_spp_payment")
        return {
            **action,
            "domain": [("cycle_id", "=", self.id)],
            "context": {"search_default_group_state": 1},
        }

    # ------------------------------------------------------------------ business

    def _due_query(self, domain=None):
        """SQL: the approved entitlements of money that have no payment, as `_prepare()` takes them.

        :param domain: only those that fit it, and that the user may see
        """
        chosen = SQL("TRUE")
        if domain:
            entitlements = self.env["spp.entitlement"]
            entitlements.check_access_rights("read")
            self.env.flush_all()
            fitting = entitlements._search([("cycle_id", "=", self.id), *checked(entitlements, domain)])
            chosen = SQL("e.id IN %s", fitting.subselect())
        return SQL(
            """
            SELECT e.id AS entitlement_id, NULL::integer AS reissue_of_id
              FROM spp_entitlement e
             WHERE e.cycle_id = %s AND e.kind = 'money' AND e.state = 'approved'
               -- Of this cycle: with the payments of others PostgreSQL expects next to nobody to be left, and loops.
               AND NOT EXISTS (SELECT FROM spp_payment p WHERE p.entitlement_id = e.id AND p.state <> 'cancelled'
                                                           AND p.cycle_id = %s)
               AND %s
             ORDER BY e.id
            """,
            self.id,
            self.id,
            chosen,
        )

    def _check_may_release(self, ready):
        """One person may hold several roles; on one cycle, who releases has done nothing else."""
        if self.env.user in self._barred_from_release():
            raise AccessError(
                _("You submitted or approved %s: somebody else sends its payments.", self.display_name)
            )
        mine = ["|", ("create_uid", "=", self.env.uid), ("confirmed_by", "=", self.env.uid)]
        if self.env["spp.payment"].sudo().search_count([*ready, *mine], limit=1):
            raise AccessError(
                _(
                    "You prepared payments of %s, or confirmed payees: somebody else sends them.",
                    self.display_name,
                )
            )

    def _barred_from_release(self):
        """Users who had a part in the cycle, and so do not send its payments."""
        return self.submitted_by | self.approved_by

    def _check_nothing_left(self):
        result = super()._check_nothing_left()
        # sudo: what may have left counts, whoever cancels the cycle.
        left = (
            self.env["spp.payment"].sudo().search_count([("cycle_id", "=", self.id), ("state", "in", LEFT)])
        )
        if left:
            raise UserError(
                _(
                    "Money of %(cycle)s may have left: %(count)s of its payments were sent. It can be closed, not cancelled.",
                    cycle=self.display_name,
                    count=left,
                )
            )
        return result

    def _unpaid(self):
        return SQL(
            "%s AND NOT EXISTS (SELECT FROM spp_payment p WHERE p.entitlement_id = e.id AND p.state = ANY(%s))",
            super()._unpaid(),
            LEFT_OPEN,
        )

    def _situation(self):
        return SQL(
            """
            CASE WHEN e.kind = 'goods' THEN 'goods'
                 ELSE COALESCE((SELECT CASE WHEN p.state IN ('sending', 'accepted') THEN 'in_progress'
                                            WHEN p.state <> 'cancelled' THEN p.state END
                                  FROM spp_payment p WHERE p.entitlement_id = e.id ORDER BY p.id DESC LIMIT 1),
                               'not_issued') END
            """
        )

    def _release(self, state, reason, scope=None):
        """What ends unpaid is not sent any more. A payment that is being sent at this moment fails the whole step."""
        ended = super()._release(state, reason, scope)
        if ended:
            self.env["spp.payment"]._cancel_unsent(
                SQL(
                    """
                    p.cycle_id = %s AND EXISTS (SELECT FROM spp_entitlement e WHERE e.id = p.entitlement_id
                                                   AND e.state IN ('cancelled', 'expired'))
                    """,
                    self.id,
                ),
                reason,
            )
        return ended

    def _what_next(self):
        if self.state not in ("approved", "disbursing"):
            return super()._what_next()
        if not self.payment_count:
            return _("Prepare the payments.")
        if self.ready_payment_count:
            return _("Somebody who neither submitted nor approved it sends the payments that are ready.")
        if self.attention_payment_count:
            return _("Some payments are held or unknown: look at the reasons.")
        return super()._what_next()
