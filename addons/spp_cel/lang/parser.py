"""Second stage: cel-python's grammar, then a small syntax tree instead of its deep one.

The grammar wraps every literal in a dozen nodes with one child; the walk below skips those, and
its own depth is limited, so that no text can exhaust Python's stack.
"""

import functools
import importlib.resources

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput

from . import syntax
from .errors import Position, RuleError, position_of
from .prescan import scan

MAX_DEPTH = 24

_CHAINS = {"conditionalor": "||", "conditionaland": "&&"}
_BINARY = {
    "relation_lt": "<",
    "relation_le": "<=",
    "relation_gt": ">",
    "relation_ge": ">=",
    "relation_eq": "==",
    "relation_ne": "!=",
    "relation_in": "in",
    "addition_add": "+",
    "addition_sub": "-",
    "multiplication_mul": "*",
    "multiplication_div": "/",
    "multiplication_mod": "%",
}
_UNARY = {"unary_not": "!", "unary_neg": "-"}
_REFUSED = {
    "member_object": "Building an object with { } is not supported.",
    "map_lit": "Building an object with { } is not supported.",
    "dot_ident": "A name does not start with a dot.",
    "dot_ident_arg": "A name does not start with a dot.",
}


def parse(text):
    """The syntax tree of `text`; RuleError with line and column where it cannot be read."""
    text = text.replace("\r\n", "\n")
    scanned = scan(text)
    try:
        tree = _grammar().parse(scanned.text)
    except UnexpectedInput as error:
        raise _plain(error, text) from None
    return _Walker(scanned.strings).walk(tree, 0)


@functools.cache
def _grammar():
    """cel-python's grammar, set up as cel-python does, but with the positions of true and false."""
    return Lark(
        (importlib.resources.files("celpy") / "cel.lark").read_text(),
        parser="lalr",
        start="expr",
        lexer_callbacks={"IDENT": _true_or_false},
        propagate_positions=True,
        maybe_placeholders=False,
        priority="invert",
    )


def _true_or_false(token):
    return Token.new_borrow_pos("BOOL_LIT", token, token) if token in ("true", "false") else token


def _plain(error, text):
    if isinstance(error, UnexpectedCharacters):
        return RuleError(f"“{error.char}” has no meaning here.", Position(error.line, error.column))
    if error.token.type == "$END":
        return RuleError("The rule ends too early: something is missing here.", _end(text))
    return RuleError(f"“{error.token}” is not expected here.", Position(error.line, error.column))


def _end(text):
    return position_of(text, len(text.rstrip()))


class _Walker:
    def __init__(self, strings):
        self.strings = strings

    def walk(self, tree, depth):
        tree = self._unwrap(tree)
        position = Position(tree.meta.line, tree.meta.column)
        if depth > MAX_DEPTH:
            raise RuleError(f"The rule is nested too deeply: at most {MAX_DEPTH} levels.", position)
        kind = str(tree.data)
        if kind in _CHAINS:
            return self._chain(tree, kind, position, depth)
        if kind in ("relation", "addition", "multiplication"):
            head, right = tree.children
            operands = (self.walk(head.children[0], depth + 1), self.walk(right, depth + 1))
            return syntax.Operator(_BINARY[str(head.data)], operands, position)
        if kind == "unary":
            head, operand = tree.children
            return syntax.Operator(_UNARY[str(head.data)], (self.walk(operand, depth + 1),), position)
        if kind in ("expr", "member_index"):
            operands = tuple(self.walk(child, depth + 1) for child in tree.children)
            return syntax.Operator({"expr": "?:", "member_index": "[]"}[kind], operands, position)
        if kind in _REFUSED:
            raise RuleError(_REFUSED[kind], position)
        return getattr(self, f"_{kind}")(tree, position, depth)

    @staticmethod
    def _unwrap(tree):
        wrappers = (*_CHAINS, "expr", "relation", "addition", "multiplication", "unary", "member")
        while tree.data in (*wrappers, "primary", "paren_expr") and len(tree.children) == 1:
            tree = tree.children[0]
        return tree

    def _chain(self, tree, kind, position, depth):
        operands = []
        while tree.data == kind and len(tree.children) == 2:
            tree, right = tree.children
            operands.append(self.walk(right, depth + 1))
        operands.append(self.walk(tree, depth + 1))
        return syntax.Operator(_CHAINS[kind], tuple(reversed(operands)), position)

    def _ident(self, tree, position, depth):
        return syntax.Name(str(tree.children[0]), position)

    def _member_dot(self, tree, position, depth):
        operand, field = tree.children
        return syntax.Select(self.walk(operand, depth + 1), str(field), Position(field.line, field.column))

    def _member_dot_arg(self, tree, position, depth):
        operand, function, *arguments = tree.children
        return syntax.Call(
            str(function),
            self.walk(operand, depth + 1),
            self._list(arguments, depth),
            Position(function.line, function.column),
        )

    def _ident_arg(self, tree, position, depth):
        function, *arguments = tree.children
        return syntax.Call(str(function), None, self._list(arguments, depth), position)

    def _list_lit(self, tree, position, depth):
        return syntax.Items(self._list(tree.children, depth), position)

    def _list(self, children, depth):
        """The items of an optional exprlist."""
        return tuple(self.walk(item, depth + 1) for exprlist in children for item in exprlist.children)

    def _literal(self, tree, position, depth):
        token = tree.children[0]
        if token.type == "STRING_LIT":
            return syntax.Constant("string", self.strings[token.start_pos], position)
        if token.type == "BOOL_LIT":
            return syntax.Constant("bool", token == "true", position)
        if token.type == "NULL_LIT":
            return syntax.Constant("null", None, position)
        if token.type == "INT_LIT":
            value = int(token, 16 if "0x" in token else 10)
            if not -(2**63) <= value < 2**63:
                raise RuleError("This whole number is too large.", position)
            return syntax.Constant("int", value, position)
        if token.type == "FLOAT_LIT":
            value = float(token)
            if value in (float("inf"), float("-inf")):
                raise RuleError("This decimal number is too large.", position)
            return syntax.Constant("double", value, position)
        raise RuleError(f"“{token}” is not supported: write a plain number.", position)
