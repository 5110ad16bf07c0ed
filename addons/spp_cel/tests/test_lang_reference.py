"""The table of functions: what the editor and the manual promise is what the engine accepts."""

from odoo.tests import BaseCase

from ..lang import check, compile_rule, functions
from ..lang.reference import FUNCTIONS
from .lang_registry import SCHEMA, VARIABLES


class TestLangReference(BaseCase):
    def test_every_example_is_a_rule(self):
        for function in FUNCTIONS:
            with self.subTest(function.example):
                compile_rule(function.example, SCHEMA, function.target, VARIABLES)
                for symbol in function.name.split():
                    self.assertIn(symbol, function.example)

    def test_every_function_of_the_engine_is_in_the_table(self):
        self.assertLessEqual({*check._OTHERS, *functions.BY_NAME}, {function.name for function in FUNCTIONS})

    def test_a_signature_says_on_what_and_what_comes_out(self):
        parts = [function.parts() for function in FUNCTIONS if function.name == "filter"]
        self.assertEqual(parts, [{"receivers": ["list"], "arguments": "m, condition", "result": "list"}])
        self.assertEqual([function.parts() for function in FUNCTIONS if function.name == "&&"], [{}])
