"""Which payments go together: the routes of a payment manager, tried in order. What fits none is the rest."""

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..tools.domain import checked


class PaymentRoute(models.Model):
    _name = "spp.payment.route"
    _description = "Payment route"
    _order = "manager_id, sequence, id"

    manager_id = fields.Many2one(
        comodel_name="spp.payment.manager", required=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(comodel_name="res.company", related="manager_id.company_id")
    sequence = fields.Integer(default=10, help="The first route that fits takes the payment.")
    name = fields.Char(
        string="Tag", required=True, help="Written on the batches of this route: North, Wallets."
    )
    domain = fields.Char(
        required=True,
        default="[]",
        help="Which entitlements: fields of the entitlement, or of the registrant as partner_id.…",
    )
    batch_size = fields.Integer(
        required=True, default=500, help="The most payments in one batch of this route."
    )

    _sql_constraints = [
        ("name_unique", "UNIQUE(manager_id, name)", "Two routes of one manager have different tags."),
        ("batch_size_range", "CHECK(batch_size BETWEEN 1 AND 10000)", "A batch has 1 to 10,000 payments."),
    ]

    @api.constrains("domain")
    def _check_domain(self):
        for route in self:
            checked(self.env["spp.entitlement"].sudo(), route.domain)


class PaymentManager(models.Model):
    _inherit = "spp.payment.manager"

    route_ids = fields.One2many(
        comodel_name="spp.payment.route",
        inverse_name="manager_id",
        string="Routes",
        copy=True,
        help="Payments of different routes come into different batches. What fits no route is batched as the rest, "
        "with the size above.",
    )


class PaymentBatch(models.Model):
    _inherit = "spp.payment.batch"

    tag = fields.Char(readonly=True, help="The route that its payments fit; empty for the rest.")

    def _refuse_guarded(self, vals):
        if "tag" in vals:
            raise UserError(_("The tag of a batch is given when it is made."))
        return super()._refuse_guarded(vals)


class Payment(models.Model):
    _inherit = "spp.payment"

    @api.model
    def _route_case(self, cycles):
        """SQL: the route of the row `p` of spp_payment, which is of one of the cycles; NULL for the rest."""
        # sudo: what decides about a route does not depend on who prepares.
        cycles = cycles.sudo()
        whens = []
        for route in cycles.program_id.payment_manager_id.route_ids:
            of_manager = cycles.filtered(
                lambda cycle, route=route: cycle.program_id.payment_manager_id == route.manager_id
            )
            entitlements = self.env["spp.entitlement"].sudo()
            fitting = entitlements.with_context(active_test=False)._search(
                [("cycle_id", "in", of_manager.ids), *checked(entitlements, route.domain)]
            )
            whens.append(
                SQL(
                    "WHEN m.id = %s AND p.entitlement_id IN %s THEN %s",
                    route.manager_id.id,
                    fitting.subselect(),
                    route.id,
                )
            )
        return SQL("CASE %s END", SQL(" ").join(whens)) if whens else SQL("NULL::integer")
