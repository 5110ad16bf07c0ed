"""What decorators name is there and can change: what is declared about a field is never silently without effect."""

from odoo.tests import TransactionCase, tagged


@tagged("post_install", "-at_install")
class TestDeclarations(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.models = [
            cls.env[name]
            for name in cls.env.registry
            if name.startswith("spp.") and not cls.env[name]._abstract
        ] + [cls.env["res.partner"]]

    def ours(self, field):
        return any(module.startswith("spp_") for module in field._modules or ())

    def test_constraints_watch_fields_that_can_be_written(self):
        for model in self.models:
            for method in model._constraint_methods:
                names = method._constrains
                for name in names(model) if callable(names) else names:
                    field = model._fields[name]
                    writable = field.store or field.inverse or field.inherited
                    self.assertTrue(writable, f"{model._name}.{method.__name__}: {name}")

    def test_forms_react_to_fields_that_exist(self):
        for model in self.models:
            for name in model._onchange_methods:
                self.assertIn(name, model._fields, f"{model._name}: onchange of {name}")

    def test_what_is_computed_and_stored_says_what_it_depends_on(self):
        for model in self.models:
            for name, field in model._fields.items():
                if field.store and field.compute and self.ours(field):
                    depends = self.env.registry.field_depends[field]
                    self.assertTrue(depends, f"{model._name}.{name} is computed once and never again")
