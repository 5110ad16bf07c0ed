"""The example of the manual, as a model; and people with roles."""

import re
from pathlib import Path

from odoo import models
from odoo.tests import TransactionCase, new_test_user

from odoo.addons.spp_base.tests.common import CheapPasswords

USAGE = Path(__file__).parents[1] / "readme" / "USAGE.md"


def example_classes():
    """The classes that the manual shows, known to no module."""
    (code,) = re.findall(r"```python\n(.*?)```", USAGE.read_text(), re.DOTALL)
    known = getattr(models.MetaModel, "module_to_models", None) or models.MetaModel._module_to_models__
    before = list(known["spp_approval"])
    names = {"__name__": "odoo.addons.spp_approval.tests.example"}
    exec(compile(code, str(USAGE), "exec"), names)  # pylint: disable=exec-used
    known["spp_approval"][:] = before
    return [names["Chain"], names["Order"]]


class ApprovalCase(CheapPasswords, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls._install(example_classes())
        cls.submitter = cls.make_user("submitter", "program_manager")
        cls.first = cls.make_user("first", "approver")
        cls.second = cls.make_user("second", "approver")
        cls.finance = cls.make_user("finance", "finance_officer")
        cls.admin = cls.make_user("admin", "admin")
        cls.payee = cls.env["res.partner"].create({"name": "Payee", "is_registrant": True})

    @classmethod
    def _install(cls, classes):
        """Add models to the registry for the time of this class; the two series call it differently."""
        registry, cr = cls.registry, cls.env.cr
        chain = registry["spp.approval.chain"]
        bases = next(name for name in ("_BaseModel__base_classes", "_base_classes__") if hasattr(chain, name))
        before = getattr(chain, bases)
        setup = getattr(registry, "_setup_models__", None) or registry.setup_models

        def take_away():
            setattr(registry["spp.approval.chain"], bases, before)
            del registry.models["spp.example.order"]
            setup(cr)

        for definition in classes:
            if hasattr(definition, "_build_model"):
                definition._build_model(registry, cr)
            else:
                from odoo.orm.model_classes import add_to_registry  # 19.0

                add_to_registry(registry, definition)
        setup(cr)
        registry.init_models(cr, ["spp.example.order"], {"module": "spp_approval"})
        cls.addClassCleanup(take_away)

    @classmethod
    def make_user(cls, name, *roles):
        return new_test_user(
            cls.env, login=f"appr_{name}", groups=",".join(f"spp_base.group_{role}" for role in roles)
        )

    @classmethod
    def make_chain(cls, *levels, kind="order", **vals):
        return cls.env["spp.approval.chain"].create(
            {
                "name": f"Chain of {kind}",
                "kind": kind,
                "level_ids": [
                    (0, 0, {"name": f"Level {number}", "sequence": number, **level})
                    for number, level in enumerate(levels, 1)
                ],
                **vals,
            }
        )

    @classmethod
    def role(cls, name):
        return {"group_id": cls.env.ref(f"spp_base.group_{name}").id}

    def submit(self, amount=100, user=None, **vals):
        order = self.env["spp.example.order"].create(
            {"name": "Order", "payee_id": self.payee.id, "amount": amount, **vals}
        )
        # sudo: the example has no access rights of its own; who submits is the user.
        order.with_user(user or self.submitter).sudo().action_submit()
        self.order = order
        return order.sudo()._approval_request("order")

    def trail(self, request):
        decisions = self.env["spp.approval.decision"].search([("request_id", "=", request.id)], order="id")
        return [(decision.round, decision.decision, decision.user_id) for decision in decisions]
