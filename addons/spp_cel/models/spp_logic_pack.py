"""A named set of rules and the variables they need, with test cases, installed from a YAML file."""

import base64
import binascii
from pathlib import Path

from markupsafe import Markup

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..lang import RuleError
from ..tools import logic_pack
from .spp_cel_variable import COMPUTED

_SHIPPED = Path(__file__).parents[1] / "packs"


class SppLogicPack(models.Model):
    _name = "spp.logic.pack"
    _description = "Logic Pack"
    _order = "name, id"

    upload = fields.Binary(
        string="YAML file",
        store=False,
        help="A file with constants, computed variables, rules and their test cases.",
    )
    file_name = fields.Char(readonly=True)
    content = fields.Text(required=True, readonly=True, help="The pack as it was written.")
    shipped = fields.Boolean(readonly=True, help="It comes with the system and is kept up to date with it.")
    code = fields.Char(compute="_compute_from_content", store=True)
    name = fields.Char(compute="_compute_from_content", store=True)
    description = fields.Text(compute="_compute_from_content", store=True)
    basis = fields.Text(
        compute="_compute_from_content", store=True, help="The law or usual practice that it follows."
    )
    state = fields.Selection(
        selection=[
            ("available", "Not installed"),
            ("partial", "Partly installed"),
            ("installed", "Installed"),
        ],
        string="Status",
        compute="_compute_state",
        help="Partly installed: something of it was deleted, renamed or added since.",
    )
    preview = fields.Html(string="What it makes", compute="_compute_state")
    rule_count = fields.Integer(string="Rules", compute="_compute_state")
    test_results = fields.Json(readonly=True, copy=False)
    tested_at = fields.Datetime(string="Tested", readonly=True, copy=False)
    test_failures = fields.Integer(
        string="Failed test cases", compute="_compute_test_report", help="When its tests were last run."
    )
    test_report = fields.Html(string="Test cases", compute="_compute_test_report")

    _sql_constraints = [
        ("code_unique", "UNIQUE (code)", "There is already a logic pack with this code."),
    ]

    @api.depends("content", "file_name")
    def _compute_from_content(self):
        for record in self:
            pack = record._pack()
            record.code, record.name = pack.code, pack.name
            record.description, record.basis = pack.description, pack.basis

    @api.depends("content")
    def _compute_state(self):
        for record in self:
            pack = record._pack()
            plan = record._plan(pack)
            made = [there for kind, _item, there, _note in plan if kind == "rule" and there]
            record.rule_count = len(made)
            complete = all(there for _kind, _item, there, _note in plan)
            record.state = "available" if not made else "installed" if complete else "partial"
            record.preview = record._preview(plan)

    @api.depends("test_results", "content")
    def _compute_test_report(self):
        outcomes = dict(self.env["spp.rule.trial"]._fields["outcome"]._description_selection(self.env))
        for record in self:
            results = record.test_results or [
                {"name": case.name, "rule": case.rule, "as_of": str(case.as_of), "expect": case.expect}
                for case in record._pack().cases
            ]
            record.test_failures = sum(
                "outcome" in row and row["outcome"] != row["expect"] for row in results
            )
            head = (_("Test case"), _("Rule"), _("As of"), _("Must be"), _("Is"), _("Why"))
            record.test_report = _table(
                head,
                [
                    (
                        row["name"],
                        row["rule"],
                        row["as_of"],
                        outcomes[row["expect"]],
                        _verdict(row, outcomes),
                        " ".join(row.get("why", [])),
                    )
                    for row in results
                ],
            )

    @api.model_create_multi
    def create(self, vals_list):
        prepared = [self._prepared(vals) for vals in vals_list]
        if not all(vals.get("content") for vals in prepared):
            raise ValidationError(_("Choose a file that has something in it."))
        return super().create(prepared)

    def write(self, vals):
        vals = self._prepared(vals)
        if {"content", "shipped"}.intersection(vals) and not self.env.su and any(self.mapped("shipped")):
            raise UserError(_("This pack comes with the system. Upload yours under a code of its own."))
        if "content" in vals:
            vals = {**vals, "test_results": False, "tested_at": False}
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_unless_shipped(self):
        if any(self.mapped("shipped")):
            raise UserError(_("A pack that comes with the system cannot be deleted."))

    def action_install(self):
        """Run the pack's tests, then make its draft rules and the variables that are missing, or nothing.

        What is there already stays as it is; installing twice makes nothing twice.
        """
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        self.env.cr.execute("SELECT id FROM spp_logic_pack WHERE id = %s FOR UPDATE", [self.id])
        pack = self._pack()
        plan = self._plan_without_conflict(pack)
        failed = [row for row in self._run_tests(pack) if row["outcome"] != row["expect"]]
        if failed:
            raise UserError(
                _(
                    "“%(pack)s” was not installed: test cases fail: %(cases)s.",
                    pack=pack.name,
                    cases=", ".join(row["name"] for row in failed),
                )
            )
        missing = [(kind, item) for kind, item, there, _note in plan if not there]
        variables = self._make_variables(plan)
        rules = self.env["spp.rule"].create(
            [
                {
                    "name": item.name,
                    "target": item.target,
                    "description": f"{item.description}\n\n{pack.basis}",
                    "expression": item.expression,
                    "pack_key": f"{pack.code}.{item.key}",
                }
                for kind, item in missing
                if kind == "rule"
            ]
        )
        if missing:
            self.env["spp.audit.entry"]._log(
                "Logic pack installed",
                self,
                new={"variables": variables.mapped("name"), "rules": rules.mapped("name")},
            )
        self.invalidate_recordset()
        return self.action_open_rules()

    def _make_variables(self, plan=None):
        """Make the pack's variables that are missing, or refuse; returns those made."""
        self.ensure_one()
        plan = plan or self._plan_without_conflict(self._pack())
        return self.env["spp.cel.variable"].create(
            [
                _variable_values(kind, item)
                for kind, item, there, _note in plan
                if kind != "rule" and not there
            ]
        )

    def action_run_tests(self):
        """Run the pack's test cases and keep what came out."""
        self.ensure_one()
        self.check_access_rights("write")
        self.check_access_rule("write")
        self._run_tests(self._pack())
        return True

    def action_open_rules(self):
        """Open the rules made from the pack."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": _("Rules of %s", self.name),
            "res_model": "spp.rule",
            "views": [(False, "list"), (False, "form")],
            "domain": [("pack_key", "=like", f"{self.code}.%")],
        }

    @api.model
    def _load_shipped(self):
        """Bring the packs of the files into the database; called whenever the addon is updated."""
        packs = {pack.code: pack for pack in self.search([("shipped", "=", True)])}
        for path in sorted(_SHIPPED.glob("*.yaml")):
            vals = {"file_name": path.name, "content": path.read_text(encoding="utf-8"), "shipped": True}
            known = packs.get(logic_pack.read(vals["content"], path.name).code)
            if not known:
                self.create(vals)
            elif known.content != vals["content"]:
                known.write(vals)

    def _prepared(self, vals):
        """Values with the content of an uploaded file, which must be a pack. Only the system ships packs."""
        vals = dict(vals)
        upload = vals.pop("upload", None)
        if upload:
            try:
                vals["content"] = base64.b64decode(upload, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise ValidationError(
                    _("%s: this is no text file in UTF-8.", vals.get("file_name") or _("The file"))
                ) from None
        if "content" in vals:
            self._from_file(vals["content"], vals.get("file_name"))
        if not self.env.su:
            for name in ("shipped", "test_results", "tested_at"):
                vals.pop(name, None)
        return vals

    def _pack(self):
        """The pack as read from its content; an empty one before there is any."""
        self.ensure_one()
        return self._from_file(self.content, self.file_name) if self.content else logic_pack.EMPTY

    @api.model
    def _from_file(self, content, file_name):
        try:
            return logic_pack.read(content or "", file_name or _("The file"))
        except logic_pack.PackError as error:
            raise ValidationError(str(error)) from None

    def _run_tests(self, pack):
        """[{name, rule, as_of, expect, outcome, why}] of all test cases, which are kept with the pack."""
        schema = self.env["spp.cel.schema"]._schema()
        try:
            answers = pack.run(schema, *self.env["spp.cel.variable"]._definitions())
        except (logic_pack.PackError, RuleError) as error:
            raise UserError(str(error)) from None
        results = [
            {
                "name": case.name,
                "rule": case.rule,
                "as_of": str(case.as_of),
                "expect": case.expect,
                "outcome": outcome,
                "why": why,
            }
            for case, outcome, why in answers
        ]
        # sudo: what a test run says is written by it only, also into a shipped pack
        self.sudo().write({"test_results": results, "tested_at": fields.Datetime.now()})
        return results

    def _plan(self, pack):
        """[(kind, item, there, note)]: `there` is True, False where it will be made, None for a conflict."""
        names = [item.name for item in (*pack.constants, *pack.computed)]
        variables = {
            variable.name: variable
            for variable in self.env["spp.cel.variable"].search([("name", "in", names)])
        }
        keys = [f"{pack.code}.{rule.key}" for rule in pack.rules]
        made = self.env["spp.rule"].with_context(active_test=False).search([("pack_key", "in", keys)])
        keys_made = set(made.mapped("pack_key"))
        plan = [
            ("constant", item, *self._standing(item, variables.get(item.name))) for item in pack.constants
        ]
        plan += [
            ("computed", item, *self._standing(item, variables.get(item.name))) for item in pack.computed
        ]
        for rule in pack.rules:
            there = f"{pack.code}.{rule.key}" in keys_made
            plan.append(
                ("rule", rule, there, _("is there already") if there else _("will be made, as a draft"))
            )
        return plan

    def _plan_without_conflict(self, pack):
        plan = self._plan(pack)
        conflicts = [note for _kind, _item, there, note in plan if there is None]
        if conflicts:
            raise UserError(
                _("“%(pack)s” was not installed.\n%(why)s", pack=pack.name, why="\n".join(conflicts))
            )
        return plan

    def _standing(self, item, variable):
        """(there, note) of a variable of the pack."""
        if not variable:
            return False, _("will be made")
        same, proposed = variable._means(item)
        if not same:
            return None, _(
                "There is a variable “%(name)s” already, with another meaning (%(summary)s). "
                "Rename or delete it first.",
                name=item.name,
                summary=variable.summary,
            )
        if proposed:
            return True, _("is there already and stays %s", variable.value)
        return True, _("is there already")

    def _preview(self, plan):
        kinds = {"constant": _("Constant"), "computed": _("Computed variable"), "rule": _("Rule")}
        rows = []
        for kind, item, _there, note in plan:
            text = item.expression if kind != "constant" else str(_value_text(item.constant))
            rows.append((kinds[kind], item.name, Markup("<code>%s</code>") % text, item.description, note))
        return _table((_("Kind"), _("Name"), _("Value or condition"), _("Meaning"), _("Here")), rows)


def _value_text(constant):
    """A constant as it is entered in a form."""
    return str(constant.value).lower() if isinstance(constant.value, bool) else str(constant.value)


def _variable_values(kind, item):
    if kind == "constant":
        return {
            "name": item.name,
            "kind": "constant",
            "value_type": item.constant.type.value,
            "value": _value_text(item.constant),
            "description": item.description,
        }
    return {
        "name": item.name,
        "kind": next(kind for kind, record in COMPUTED.items() if record == item.target),
        "expression": item.expression,
        "description": item.description,
    }


def _table(head, rows):
    cells = [
        Markup("<tr>%s</tr>") % Markup("").join(Markup("<td>%s</td>") % cell for cell in row) for row in rows
    ]
    titles = Markup("").join(Markup("<th>%s</th>") % title for title in head)
    return Markup("<table class='table table-sm'><thead><tr>%s</tr></thead><tbody>%s</tbody></table>") % (
        titles,
        Markup("").join(cells),
    )


def _verdict(row, outcomes):
    if "outcome" not in row:
        return ""
    sign, colour = ("✓", "success") if row["outcome"] == row["expect"] else ("✗", "danger")
    return Markup("<span class='text-%s'>%s %s</span>") % (colour, sign, outcomes[row["outcome"]])
