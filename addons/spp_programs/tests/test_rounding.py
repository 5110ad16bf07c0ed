"""The one rounding place: half up, to the currency's step."""

from decimal import Decimal

from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged
from odoo.tools import SQL

from odoo.addons.spp_programs.tools.money import exact, rounded, shown


@tagged("post_install", "-at_install")
class TestRounding(TransactionCase):
    def currency(self, name, rounding):
        return self.env["res.currency"].create({"name": name, "symbol": name, "rounding": rounding})

    def test_half_up_to_the_step(self):
        for number, (rounding, amount, expected) in enumerate(
            (
                (0.01, "2.675", "2.68"),
                (0.01, "2.674999", "2.67"),
                (0.01, "1.005", "1.01"),
                (1, "0.5", "1"),
                (1, "10.49", "10"),
                (0.05, "10.075", "10.10"),
                (0.05, "10.07", "10.05"),
                (0.001, "0.0005", "0.001"),
            )
        ):
            currency = self.currency(f"X{number}", rounding)
            self.env.cr.execute(SQL("SELECT (%s)::text", rounded(SQL("%s", amount), currency)))
            self.assertEqual(Decimal(self.env.cr.fetchone()[0]), Decimal(expected), amount)

    def test_typed_amounts_are_exact_or_refused(self):
        cent, whole = self.currency("XCT", 0.01), self.currency("XWH", 1)
        self.assertEqual(exact(" 1250.50 ", cent), Decimal("1250.50"))
        self.assertEqual(exact("90071992547409.93", cent), Decimal("90071992547409.93"))
        for text, currency in (("1.001", cent), ("0.5", whole), ("ten", cent), ("NaN", cent), ("", cent)):
            with self.assertRaises(UserError):
                exact(text, currency)

    def test_shown(self):
        self.assertEqual(shown(Decimal("1234567.5"), self.currency("XCT", 0.01)), "1,234,567.50 XCT")
