"""Bounds that rules rely on: with them no arithmetic of a rule can raise in the database."""

from odoo import models


class ResPartner(models.Model):
    _inherit = "res.partner"

    _sql_constraints = [
        (
            "spp_cel_income_range",
            "CHECK (income = 0 OR abs(income) BETWEEN 1e-15 AND 1e15)",
            "The income is too large, or is not a number.",
        ),
        (
            "spp_cel_vulnerability_score_range",
            "CHECK (vulnerability_score = 0 OR abs(vulnerability_score) BETWEEN 1e-15 AND 1e15)",
            "The vulnerability score is too large, or is not a number.",
        ),
        (
            "spp_cel_birthdate_range",
            "CHECK (birthdate BETWEEN '0001-01-01' AND '9999-12-31')",
            "The birthdate is outside the calendar.",
        ),
    ]
