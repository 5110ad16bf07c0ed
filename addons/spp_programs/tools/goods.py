"""How quantities of goods are written: "2 bags of 10 kg Maize flour", without a unit "2 × Maize flour"."""

from odoo.tools import SQL


def goods_text(quantity, unit, product):
    return f"{quantity:g} {unit or '×'} {product or ''}"


def goods_sql(row):
    """As goods_text(), as SQL about the row named `row`, with the columns quantity, unit and product_name."""
    name = SQL.identifier(row)
    return SQL(
        "trim_scale(%s.quantity) || ' ' || COALESCE(NULLIF(%s.unit, ''), '×') || ' ' || %s.product_name",
        name,
        name,
        name,
    )
