"""Bounds that rules rely on: with them no arithmetic of a rule can raise in the database."""

from odoo import models


class ResPartner(models.Model):
    _inherit = "res.partner"

    _sql_constraints = [
        (
            "spp_cel_income_range",
            "CHECK (abs(income) <= 1e15 AND income = round(income, 2))",
            "The income is too large, is not a number, or has more than two decimal places.",
        ),
        (
            "spp_cel_vulnerability_score_range",
            "CHECK (abs(vulnerability_score) <= 1e15 AND vulnerability_score = round(vulnerability_score, 2))",
            "The vulnerability score is too large, is not a number, or has more than two decimal places.",
        ),
        (
            "spp_cel_birthdate_range",
            "CHECK (birthdate BETWEEN '0001-01-01' AND '9999-12-31')",
            "The birthdate is outside the calendar.",
        ),
    ]
