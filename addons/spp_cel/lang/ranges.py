"""How large a number can get: where a result is known to fit, the SQL computes it without looking.

PostgreSQL raises on overflow (and, for decimals, on underflow), which would stop the statement for
everybody. Since stored values and variables are bounded (schema.py), bounds of every expression
follow from its form.
"""

from . import ir
from .functions import DECIMAL_LEAST, DECIMAL_MOST, INT64
from .schema import DOUBLE_LEAST, DOUBLE_MOST, INT_MOST, Type

COUNT_MOST = 2**31  # rows of a table have 32-bit keys
_AGE_MOST = 10_000


def int_range(node):
    """(lowest, highest) value of a whole number."""
    match node:
        case ir.Literal():
            return node.value, node.value
        case ir.Count():
            return 0, COUNT_MOST
        case ir.FieldOf() if node.field.age_of:
            return 0, _AGE_MOST
        case ir.FieldOf() | ir.Variable():
            return -INT_MOST, INT_MOST
        case ir.If():
            (a, b), (c, d) = int_range(node.then), int_range(node.otherwise)
            return min(a, c), max(b, d)
        case ir.Apply():
            low, high = _int_result(node)
            return max(low, INT64[0]), min(high, INT64[-1])  # what does not fit is missing
    return INT64[0], INT64[-1]


def _int_result(node):
    """The range of a function's result before it is held to 64 bits."""
    name, operands = node.function.name, node.operands
    if not all(operand.type is Type.INT for operand in operands):
        return (0, COUNT_MOST) if name == "size" or name.startswith("get") else (INT64[0], INT64[-1])
    if node.function.form == "prefix":
        low, high = int_range(operands[0])
        return -high, -low
    if node.function.form != "operator":
        return INT64[0], INT64[-1]
    (a, b), (c, d) = map(int_range, operands)
    if name == "+":
        return a + c, b + d
    if name == "-":
        return a - d, b - c
    if name == "*":
        products = (a * c, a * d, b * c, b * d)
        return min(products), max(products)
    most = max(abs(a), abs(b))
    return -most, most


def double_range(node):
    """(smallest magnitude other than 0, largest magnitude) of a decimal number."""
    match node:
        case ir.Literal():
            return (abs(node.value), abs(node.value)) if node.value else (DOUBLE_MOST, 0.0)
        case ir.FieldOf() | ir.Variable():
            return DOUBLE_LEAST, DOUBLE_MOST
        case ir.If():
            (a, b), (c, d) = double_range(node.then), double_range(node.otherwise)
            return min(a, c), max(b, d)
        case ir.Apply():
            low, high = _double_result(node)
            return max(low, DECIMAL_LEAST), min(high, DECIMAL_MOST)  # what does not fit is missing
    return DECIMAL_LEAST, DECIMAL_MOST


def _double_result(node):
    name, operands = node.function.name, node.operands
    if name == "double" and operands[0].type is Type.INT:
        return 1.0, float(max(map(abs, int_range(operands[0]))))
    if node.function.form == "prefix" or (name == "double" and operands[0].type is Type.DOUBLE):
        return double_range(operands[0])
    if node.function.form != "operator":
        return DECIMAL_LEAST, DECIMAL_MOST
    (a, b), (c, d) = map(double_range, operands)
    if name == "*":
        return a * c, b * d
    if name == "/":
        return a / d if d else DECIMAL_MOST, b / c
    return min(a, c) * 2.0**-53, b + d  # what is left after cancellation


def fits(node):
    """Whether the result of a function is always a number of its type, so that SQL need not look."""
    if node.type is Type.INT:
        low, high = _int_result(node)
        return low in INT64 and high in INT64
    low, high = _double_result(node)
    return low >= DECIMAL_LEAST and high <= DECIMAL_MOST


def exact_as_double(node):
    """Whether every value of a whole number can be compared with decimals without loss."""
    low, high = int_range(node)
    return -INT_MOST <= low and high <= INT_MOST
