"""Phones are kept as written, and in international form where they were written so."""

from odoo.exceptions import ValidationError

from ..models.spp_phone_number import sanitize
from .common import RegistryCase


class TestPhones(RegistryCase):
    def test_international_form(self):
        for written, expected in (
            ("+254 712-345 678", "+254712345678"),
            ("00254712345678", "+254712345678"),
            ("(+233) 24.123.4567", "+233241234567"),
            ("0712 345 678", False),
            ("+0712345678", False),
            ("", False),
        ):
            self.assertEqual(sanitize(written), expected, written)

    def test_a_phone_has_digits(self):
        person = self.person("Cruz", "Ana")
        phone = self.env["spp.phone.number"].create({"partner_id": person.id, "number": "0712 345 678"})
        self.assertEqual(phone.number, "0712 345 678")
        with self.assertRaisesRegex(ValidationError, "CRUZ, ANA: “none” is not a phone number"):
            phone.number = "none"
