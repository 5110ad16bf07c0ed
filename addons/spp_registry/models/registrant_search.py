"""Registrants, documents and phones are found through indexes, and listed in an order that has one."""

from odoo import _, api, fields, models
from odoo.exceptions import UserError
from odoo.tools import SQL

from ..tools.search import by_beginning, by_words, digits_index, found, words_index, words_of

LIKE = ("ilike", "like", "=ilike", "=like")
NAME = "res_partner.complete_name"


def _text(operator, value):
    """What is looked for; these fields answer nothing else than "like"."""
    if operator not in LIKE or not isinstance(value, str):
        raise UserError(_("This can be searched for by what it is like only."))
    return value.strip("% ")


class ResPartner(models.Model):
    _inherit = "res.partner"

    found_by = fields.Char(
        string="Name or reference", store=False, search="_search_found_by",
        help="Finds by the beginnings of words of the name, in any order, or by the whole reference.",
    )  # fmt: skip

    def init(self):
        result = super().init()
        for statement in (
            f"""
            CREATE INDEX IF NOT EXISTS res_partner_spp_words_idx
                ON res_partner USING gin (({words_index("complete_name")}))
            """,
            # The lists of individuals and of households, page by page.
            """
            CREATE INDEX IF NOT EXISTS res_partner_spp_individuals_idx ON res_partner (complete_name, id DESC)
             WHERE is_registrant = true AND (is_group IS NULL OR is_group = false)
            """,
            """
            CREATE INDEX IF NOT EXISTS res_partner_spp_groups_idx ON res_partner (complete_name, id DESC)
             WHERE is_registrant = true AND is_group = true
            """,
        ):
            self.env.cr.execute(statement)
        return result

    @api.model
    def _search_found_by(self, operator, value):
        text = _text(operator, value)
        if not words_of(text):
            return [(1, "=", 1)]
        partners = self.sudo().with_context(active_test=False)
        named = partners._search([])
        named.add_where(by_words(NAME, text))
        referred = partners._search([("ref", "=", text), ("is_registrant", "=", True)])
        # Contacts that are no registrants are few, and found as Odoo finds them.
        contact = [(name, "ilike", text) for name in self._rec_names_search]
        contacts = partners._search([("is_registrant", "=", False), *["|"] * (len(contact) - 1), *contact])
        union = SQL(" UNION ALL ").join(SQL("(%s)", query.select()) for query in (named, referred, contacts))
        return found(self, SQL("res_partner.id IN (%s)", union))

    # 17.0 asks the first of these two, 19.0 the second.

    @api.model
    def _name_search(self, name, domain=None, operator="ilike", limit=None, order=None):
        if operator not in LIKE or not isinstance(name, str) or not words_of(name):
            return super()._name_search(name, domain, operator, limit, order)
        return self._search(
            [*(domain or []), *self._search_found_by(operator, name)], limit=limit, order=order
        )

    @api.model
    def _search_display_name(self, operator, value):
        if operator not in LIKE or not isinstance(value, str) or not words_of(value):
            return super()._search_display_name(operator, value)
        return self._search_found_by(operator, value)


class SppIdentityDocument(models.Model):
    _inherit = "spp.identity.document"

    number_begins = fields.Char(string="Document number", store=False, search="_search_number_begins")

    def init(self):
        result = super().init()
        self.env.cr.execute("""
            CREATE INDEX IF NOT EXISTS spp_identity_document_value_idx
                ON spp_identity_document (lower(value) text_pattern_ops)
        """)
        return result

    @api.model
    def _search_number_begins(self, operator, value):
        return found(self, by_beginning("spp_identity_document.value", _text(operator, value)))


class SppPhoneNumber(models.Model):
    _inherit = "spp.phone.number"

    number_begins = fields.Char(string="Phone", store=False, search="_search_number_begins")

    def init(self):
        result = super().init()
        # sql-injection: the expression of an index is ours alone, and takes no parameters
        # pylint: disable-next=sql-injection
        self.env.cr.execute(f"""
            CREATE INDEX IF NOT EXISTS spp_phone_number_digits_idx
                ON spp_phone_number (({digits_index("number")}) text_pattern_ops);
            CREATE INDEX IF NOT EXISTS spp_phone_number_ending_idx
                ON spp_phone_number (reverse({digits_index("number")}) text_pattern_ops);
        """)
        return result

    @api.model
    def _search_number_begins(self, operator, value):
        """By the first digits, or by the last ones without the 0 that a number has within its country."""
        digits = "".join(sign for sign in _text(operator, value) if sign in "0123456789")
        if not digits:
            return [(0, "=", 1)]
        digits = digits.removeprefix("00")
        expression = digits_index("spp_phone_number.number")
        condition = SQL(f"{expression} LIKE %s", digits + "%")
        local = digits.removeprefix("0")
        if len(local) >= 6:
            condition = SQL(f"(%s OR reverse({expression}) LIKE %s)", condition, local[::-1] + "%")
        return found(self, condition)


class SppPaymentAccount(models.Model):
    _inherit = "spp.payment.account"

    def init(self):
        result = super().init()
        self.env.cr.execute("""
            CREATE INDEX IF NOT EXISTS spp_payment_account_order_idx
                ON spp_payment_account (state, is_primary DESC, id)
        """)
        return result
