"""What comes out for each of the twelve in each program: the whole chain is run, and docs/demo.md must say the same.

    SPP_WRITE_DEMO=1 ./spp test addons/spp_mis_demo/tests/test_table.py     # writes the page

Each step is done by the role whose work it is: enrollment, duplicates, cycle, approval, payments, results, goods.
"""

import difflib
import os
import re
from datetime import date
from pathlib import Path

from odoo.tests import tagged

from odoo.addons.queue_job.tests.common import trap_jobs
from odoo.addons.spp_programs.tools.goods import goods_text

from ..tools import story
from .common import AS_OF, DemoCase

PAGE = "docs/demo.md"
HEAD = """\
# The demonstration: what comes out for whom, and why

*Configuration ▸ Demonstration* makes six programs, twelve people with a story each, and generated households around them. Here is
what becomes of the twelve, in each program, as of 2026-11-21. Nothing of it is written down beforehand: the page is made by a test that
enrolls, decides the suspected duplicate, computes, submits and approves a cycle of each program, pays it by a file and reads the
results, and hands the goods out, each step as the role whose work it is (`addons/spp_mis_demo/tests/test_table.py`). The same test
compares the page, whole, with what comes out today.

Programs for households look at the person's household, the others at the person. The reasons are those that the web client shows.
The programs are written in `addons/spp_mis_demo/data/programs.yaml`, the people in `addons/spp_mis_demo/data/personas.yaml`.
"""


@tagged("post_install", "-at_install")
class TestTable(DemoCase):
    people = 0  # the twelve alone

    def test_what_comes_out_for_each_of_the_twelve(self):
        self.enroll()
        self.set_the_duplicate_aside()
        cycles = {code: self.pay(code) for code in self.programs}
        self.check_eight_and_four()
        text = self.page(cycles)
        page = next(folder / PAGE for folder in Path(__file__).parents if (folder / PAGE).exists())
        if os.environ.get("SPP_WRITE_DEMO"):
            page.write_text(text, encoding="utf-8")
        written = page.read_text(encoding="utf-8")
        changes = difflib.unified_diff(
            written.splitlines(), text.splitlines(), "page", "system", "", "", 0, ""
        )
        self.assertEqual(written, text, "\n".join(changes))

    # ------------------------------------------------------------------ the chain

    def enroll(self):
        for program in self.programs.values():
            self.as_role("enrollment_officer", program).action_enroll(AS_OF)

    def set_the_duplicate_aside(self):
        cases = self.as_role("enrollment_officer", self.env["spp.duplicate.case"])
        cases.action_search_duplicates()
        case = cases.search([]).filtered(
            lambda case: self.personas["bakary"] in case.partner_id + case.other_id
        )
        self.assertEqual(case.partner_id + case.other_id, self.personas["bakari"] + self.personas["bakary"])
        case.action_same(self.personas["bakary"].id, "His brother-in-law knows him under both spellings")

    def pay(self, code):
        """Run a cycle of the program to its end; returns it."""
        program = self.as_role("program_manager", self.programs[code])
        cycle = program.env["spp.cycle"].browse(program.action_new_cycle("2026-11-01", "2026-11-30", AS_OF))
        cycle.action_compute()
        cycle.action_submit()
        self.as_role("approver", cycle).action_approve()
        if code == "farm_inputs":
            self.as_role("enrollment_officer", cycle).action_hand_out("Signed list 1")
            return cycle.with_env(self.env)
        cycle.action_prepare_payments()
        # Jobs work on cursors of their own, which must see what the test made.
        self.registry.enter_test_mode(self.cr)
        try:
            with trap_jobs() as jobs:
                self.as_role("payment_releaser", cycle).action_send_payments()
                jobs.perform_enqueued_jobs()
        finally:
            self.registry.leave_test_mode()
        self.env.invalidate_all()
        sent = cycle.payment_ids.filtered(lambda payment: payment.state == "accepted")
        rows = [
            {"reference": payment.reference, "outcome": "paid", "amount": f"{payment.amount:.2f}"}
            for payment in sent
        ]
        if rows:
            manager = self.as_role("finance_officer", cycle.with_env(self.env).program_id.payment_manager_id)
            answer = manager.import_results(rows, f"results of {code}")
            self.assertEqual((answer["applied"], answer["errors"]), (len(rows), []))
        self.env.invalidate_all()
        return cycle.with_env(self.env)

    def check_eight_and_four(self):
        """Eight end in a benefit; four do not: too young, income too high, no child, a duplicate."""
        given = self.env["spp.entitlement"].search([("program_id.company_id", "=", self.company.id)])
        self.assertEqual(set(given.mapped("state")), {"approved", "paid", "handed_out"})
        without = [key for key in self.personas if not given.partner_id & self.of(key)]
        self.assertEqual(without, ["jonas", "karima", "lamin", "bakary"])

    # ------------------------------------------------------------------ the page

    def of(self, key):
        return self.personas[key] | self.households[key]

    def page(self, cycles):
        told = story.personas(date.fromisoformat(AS_OF))
        rows = {
            (key, code): self.row(key, program, cycles[code])
            for key in self.personas
            for code, program in self.programs.items()
        }
        names = [program.name for program in self.programs.values()]
        parts = [HEAD, f"\n| | {' | '.join(names)} |\n|{'---|' * (1 + len(names))}\n"]
        for key, person in self.personas.items():
            cells = [self.shortly(*rows[key, code]) for code in self.programs]
            link = f"{person.given_name} {told[key]['is']}".lower().replace(",", "").replace(" ", "-")
            parts.append(f"| [{person.given_name}](#{link}) | {' | '.join(cells)} |\n")
        for key, person in self.personas.items():
            parts.append(
                f"\n## {person.given_name}: {told[key]['is']}\n\n{' '.join(told[key]['story'].split())}\n"
            )
            parts.append("\n| program | outcome | what is due | reason |\n|---|---|---|---|\n")
            for code, program in self.programs.items():
                cells = (program.name, *rows[key, code])
                parts.append(f"| {' | '.join(' '.join(cell.split()) for cell in cells)} |\n")
        return "".join(parts)

    def row(self, key, program, cycle):
        registrant = self.households[key] if program.target == "group" else self.personas[key]
        member = self.env["spp.program.membership"].search(
            [("program_id", "=", program.id), ("partner_id", "=", registrant.id)]
        )
        if not member:
            return "–", "–", "Is registered in no household."
        beneficiary = self.env["spp.cycle.beneficiary"].search(
            [("cycle_id", "=", cycle.id), ("membership_id", "=", member.id)]
        )
        record = beneficiary or member
        outcome = self.label(record, "outcome")
        if member.state == "duplicate":
            outcome = self.label(member, "state")
        due = self.env["spp.entitlement"].search(
            [("cycle_id", "=", cycle.id), ("partner_id", "=", registrant.id)], order="id"
        )
        return outcome, "; ".join(map(self.due, due)) or "–", record.reason

    def due(self, entitlement):
        if entitlement.kind == "goods":
            goods = goods_text(entitlement.quantity, entitlement.unit, entitlement.product_name)
            return f"{goods}, {self.label(entitlement, 'state').lower()}"
        payment = entitlement.payment_ids
        why = f" ({payment.state_reason})" if payment.state == "held" else ""
        return f"{entitlement.amount:.2f} {entitlement.currency_id.name}, {self.label(payment, 'state').lower()}{why}"

    @staticmethod
    def shortly(outcome, due, _reason):
        """A cell of the table of all: what is due if anything is, else the outcome, with a dash for the usual one."""
        if due != "–":
            return re.sub(r" \(.*?\)$", "", due.replace(" USD", ""))
        return {"Not eligible": "–", "–": ""}.get(outcome, outcome.lower())

    def label(self, record, name):
        return dict(record._fields[name]._description_selection(self.env))[record[name]]
