"""How large a number can get: arithmetic is accepted only where its result is known to fit.

PostgreSQL raises on overflow (and, for decimals, on underflow), which would stop the statement for
everybody. Since stored values and variables are bounded (schema.py), bounds of every expression
follow from its form.
"""

from . import ir
from .schema import DOUBLE_LEAST, DOUBLE_MOST, INT_MOST, Type

_COUNT_MOST = 2**31  # rows of a table have 32-bit keys
_AGE_MOST = 10_000
_INT64 = range(-(2**63), 2**63)
_SAFE_MOST, _SAFE_LEAST = 1e300, 1e-300


def int_range(node):
    """(lowest, highest) value of a whole number."""
    match node:
        case ir.Literal():
            return node.value, node.value
        case ir.Count() | ir.Length():
            return 0, _COUNT_MOST
        case ir.FieldOf() if node.field.age_of:
            return 0, _AGE_MOST
        case ir.Negative():
            low, high = int_range(node.operand)
            return -high, -low
        case ir.Arithmetic():
            (a, b), (c, d) = int_range(node.left), int_range(node.right)
            if node.operator == "+":
                return a + c, b + d
            if node.operator == "-":
                return a - d, b - c
            products = (a * c, a * d, b * c, b * d)
            return min(products), max(products)
    return -INT_MOST, INT_MOST


def double_range(node):
    """(smallest magnitude other than 0, largest magnitude) of a decimal number."""
    match node:
        case ir.Literal():
            return (abs(node.value), abs(node.value)) if node.value else (DOUBLE_MOST, 0.0)
        case ir.Negative():
            return double_range(node.operand)
        case ir.Arithmetic():
            (a, b), (c, d) = double_range(node.left), double_range(node.right)
            if node.operator == "*":
                return a * c, b * d
            return min(a, c) * 2.0**-53, b + d  # what is left after cancellation
    return DOUBLE_LEAST, DOUBLE_MOST


def fits(node):
    """Whether the result of an arithmetic node is always a number of its type."""
    low, high = int_range(node) if node.type is Type.INT else double_range(node)
    if node.type is Type.INT:
        return low in _INT64 and high in _INT64
    return low >= _SAFE_LEAST and high <= _SAFE_MOST


def exact_as_double(node):
    """Whether every value of a whole number can be compared with decimals without loss."""
    low, high = int_range(node)
    return -INT_MOST <= low and high <= INT_MOST
