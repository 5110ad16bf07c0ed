"""What ./spp run ends with: the demonstration, and three cycles of its child grant.

September is paid in full. October is paid with everything that goes wrong in a month: an answer is lost, an account
is closed, another one was changed after the approval, one payment comes back. November is submitted and waits for its
approver, with its difference to October. Each step is done over XML-RPC as the role whose work it is; run again at
any time, it finds what it made before, and pays nobody twice.
"""

import xmlrpc.client
from datetime import date

from . import job, paths
from .steps import Failed, say, step

PEOPLE = 9000  # generated, in about 2,000 households
PROGRAM = "child_grant"
#: First and last day of each cycle, and when it looks at people.
CYCLES = (
    ("2026-09-01", "2026-09-30", "2026-09-21"),
    ("2026-10-01", "2026-10-31", "2026-10-21"),
    ("2026-11-01", "2026-11-30", job.AS_OF),
)

#: What comes out with PEOPLE, who are the same every time.
FIGURES = {
    "Child grant: disbursed": "135630.00",
    "September: entitlements": 998,
    "September: total": "67680.00",
    "October: entitlements": 1001,
    "October: total": "67995.00",
    "November: entitlements": 998,
    "November: total": "67905.00",
    "November: joined since October": 8,
    "November: left since October": 11,
}
#: Whom a chain may ask: viewers, auditors and administrators decide nothing.
DECIDERS = ("approver", "finance", "manager", "officer", "releaser")
CLOSED_ACCOUNTS = ["ACC90000666"]  # at the payer, of the main job's people (sandbox/README.md)


def run(url, database, password, sandbox, people=None):
    """Make the demonstration and run its cycles. True if each came out as it should.

    :param people: how many are generated around the twelve; without it, as many as there are, or else PEOPLE
    """
    say("\nThe demonstration")
    try:
        chain = _made(url, database, password, sandbox, people)
        chain.enroll_in_others()
        for number in range(len(CYCLES)):
            chain.cycle(number)
        chain.at_home()
        return chain.report()
    except xmlrpc.client.Fault as fault:
        raise Failed(fault.faultString.strip(), f"the server's log is {paths.LOGS / 'odoo.log'}") from fault


def _made(url, database, password, sandbox, people):
    """The demonstration's chain, in its company."""
    with step("Six programs, twelve people with a story, and their neighbours") as note:
        administrator = job.Session(url, database, "administrator", password)
        found = administrator("spp.mis.demo", "search_read", [("company_id", "!=", False)], ["people"])
        if people is None:
            people = found[0]["people"] if found else PEOPLE
        made = administrator("spp.mis.demo", "create_demonstration", job.AS_OF, people, list(job.PEOPLE))
        chain = Demonstration(url, database, password, sandbox, made, people)
        if made.get("run"):
            chain.finished(made["run"])
        note(f"{people:,} generated")
    return chain


class Demonstration(job.Chain):
    def __init__(self, url, database, password, sandbox, made, people):
        super().__init__(url, database, password, sandbox, made["company"])
        self.programs, self.size = made["programs"], people
        self.personas, self.households = made["personas"], made["households"]
        self.program = self.programs[PROGRAM]

    def finished(self, run):
        """Wait for the end of a run, however large."""
        self._wait("a run", lambda: self._run_state(run) not in ("queued", "running"), 180 + self.size // 100)
        (result,) = self.as_officer("spp.run", "read", [run], ["name", "state", "message"])
        if result["state"] != "done":
            raise Failed(
                f"{result['name']}: {result['state']}. {result['message']}", "see Integrations ▸ Runs"
            )

    # Who is in, and who is not

    def enroll_in_others(self):
        """The rules of the other programs decide too; and the man who is registered twice is set aside."""
        with step("The other programs: who is eligible") as note:
            others = [program for program in self.programs.values() if program != self.program]
            for program in others:
                self.finished(self.as_manager("spp.program", "action_enroll", [program], job.AS_OF))
            note(self._by("spp.program.membership", [("program_id", "in", others)], "state"))
        with step("Suspected duplicates: found, and decided by a person") as note:
            self.finished(self.as_officer("spp.duplicate.case", "action_search_duplicates", []))
            reason = "The same man: registered again at another office, under another spelling"
            self._decide_case(self.personas["bakary"], "action_same", self.personas["bakary"], reason)
            reason = "He lives with his family, and is registered with his mother, too: two households"
            self._decide_case(self.households["gibril"], "action_different", reason)
            note(f"{self.as_officer('spp.duplicate.case', 'search_count', [])} pairs")

    def _decide_case(self, partner, method, *arguments):
        either = ["|", ("partner_id", "=", partner), ("other_id", "=", partner)]
        for case in self.as_officer("spp.duplicate.case", "search", [("state", "=", "open"), *either]):
            self.as_officer("spp.duplicate.case", method, [case], *arguments)

    # Cycles

    def cycle(self, number):
        start, end, as_of = CYCLES[number]
        found = self.as_manager(
            "spp.cycle", "search", [("program_id", "=", self.program), ("start", "=", start)]
        )
        with step(f"Child grant, {_month(number)}: who is due") as note:
            cycle = found[0] if found else self._open(start, end, as_of)
            if self._state(cycle) == "draft":
                self._submit(cycle)
            due = self.as_manager("spp.cycle", "read", [cycle], ["people"])[0]["people"]
            note(f"{due} households")
            note("waits for its approver" if self._is_last(number) else "approved")
            if not self._is_last(number):
                self._approve(cycle)
        if self._is_last(number):
            return
        with step(f"Child grant, {_month(number)}: payments") as note:
            if self._state(cycle) in ("approved", "disbursing"):  # not where a visitor has closed it
                self.finished(self.as_manager("spp.cycle", "action_prepare_payments", [cycle]))
                if number == 0:
                    self._send(cycle)
                else:
                    self._pay_what_goes_wrong(cycle)
            note(self._by("spp.payment", [("cycle_id", "=", cycle)], "state"))

    def _is_last(self, number):
        return number == len(CYCLES) - 1

    def _open(self, start, end, as_of):
        as_manager = self.as_manager
        self._have_manager()
        self.finished(as_manager("spp.program", "action_enroll", [self.program], as_of))
        return as_manager("spp.program", "action_new_cycle", [self.program], start, end, as_of)

    def _have_manager(self):
        """The program is paid by the treasury, over G2P Connect."""
        manager = self._treasury(
            company_id=self.company,
            # Of a small demonstration, a lost answer leaves some payments unknown, not most of them.
            batch_size=min(5000, max(10, self.size // 200)),
            status_interval=60,
        )
        (program,) = self.as_manager("spp.program", "read", [self.program], ["payment_manager_id"])
        if (program["payment_manager_id"] or [0])[0] != manager:
            self.as_manager("spp.program", "write", [self.program], {"payment_manager_id": manager})

    def _state(self, cycle):
        return self.as_manager("spp.cycle", "read", [cycle], ["state"])[0]["state"]

    def _submit(self, cycle):
        self.finished(self.as_manager("spp.cycle", "action_compute", [cycle]))
        (asked,) = self.as_manager("spp.cycle", "read", [cycle], ["difference_question"])
        if asked["difference_question"]:
            reason = "Births were registered, and children came of age"
            self.as_manager("spp.cycle", "write", [cycle], {"difference_reason": reason})
        self.finished(self.as_manager("spp.cycle", "action_submit", [cycle]))

    def _approve(self, cycle):
        """Everybody whom the chain asks agrees, one after the other."""
        while self._state(cycle) == "submitted":
            asked = next(filter(None, (self._who_is_asked(login, cycle) for login in DECIDERS)), None)
            if not asked:
                raise Failed(
                    "Nobody of the demonstration is asked to approve the cycle.", "see Approvals ▸ Chains"
                )
            self.finished(asked("spp.cycle", "action_approve", [cycle]))

    def _who_is_asked(self, login, cycle):
        session = getattr(self, f"as_{login}")
        waiting = [("to_decide", "=", True), ("res_model", "=", "spp.cycle"), ("res_id", "=", cycle)]
        return session if session("spp.approval.request", "search_count", waiting) else None

    # Payments

    def _send(self, cycle):
        """Send what is ready, and ask what became of it until everything has an end."""
        payments, patience = [("cycle_id", "=", cycle)], 180 + self.size // 100
        if self._count(payments, "ready"):
            self.as_releaser("spp.cycle", "action_send_payments", [cycle])
        self._wait("sending", lambda: not self._count(payments, "ready", "sending"), patience)
        self._wait("settlement", lambda: self._settled(payments), patience)

    def _settled(self, payments):
        if not self._count(payments, "accepted", "unknown"):
            return True
        self.as_finance("spp.payment.manager", "action_ask_status", [self._manager_of(payments)])
        return False

    def _manager_of(self, payments):
        (batch,) = self.as_finance("spp.payment.batch", "search_read", payments, ["manager_id"], limit=1)
        return batch["manager_id"][0]

    def _pay_what_goes_wrong(self, cycle):
        """An answer is lost, an account was changed, another is closed, one payment comes back."""
        fields = [
            "reference",
            "state",
            "amount",
            "payee_id",
            "account_number",
            "account_provider_id",
            "reissue_ids",
        ]
        changed, closed, back, *_others = self.as_finance(
            "spp.payment",
            "search_read",
            [("cycle_id", "=", cycle), ("reissue_of_id", "=", False)],
            fields,
            order="id desc",  # the answer that is lost is the first
            limit=3,
        )
        if changed["state"] == "ready":
            self._another_account(changed, "Came to the office with the card of the new bank account")
            self.as_manager("spp.payment", "action_recheck", [changed["id"]])
            changed["state"] = "held"
        if changed["state"] == "held":
            self.as_manager("spp.payment", "action_use_current_account", [changed["id"]])
        if self._count([("cycle_id", "=", cycle)], "ready"):
            numbers = [*CLOSED_ACCOUNTS, closed["account_number"]]
            self._control("payer", "set", {"closed_accounts": numbers})
            self._lose_one_answer()
        self._send(cycle)
        if not closed["reissue_ids"]:
            self._another_account(closed, "The bank confirms that the old account was closed in August")
            self.as_manager(
                "spp.payment", "action_reissue", [closed["id"]], "Paid to the new account, seen at the office"
            )
        self._send(cycle)
        row = {"reference": back["reference"], "outcome": "returned", "amount": f"{back['amount']:.2f}",
               "reason": "Sent back by the bank: the holder has moved away"}  # fmt: skip
        self.as_finance(
            "spp.payment.manager", "import_results", [self._manager_of([("cycle_id", "=", cycle)])], [row],
            f"Returns of the treasury, {_month(1)}",
        )  # fmt: skip

    def _another_account(self, payment, evidence):
        """A beneficiary asks for another account: recorded by an officer, confirmed by somebody else."""
        payee = payment["payee_id"][0]
        values = {
            "kind": "bank",
            "number_entry": f"2026{payee:08d}",
            "provider_id": payment["account_provider_id"][0],
        }
        key = f"demonstration {payment['reference']}"
        request = self.as_officer("spp.payment.account", "request_change", payee, values, evidence, key)
        (asked,) = self.as_approver("spp.approval.request", "read", [request], ["state"])
        if asked["state"] == "waiting":
            self.as_approver(
                "spp.approval.request", "action_approve", [request], "Called the payee, who confirms it"
            )

    # What there is to see

    def at_home(self):
        """Who logs in begins in the demonstration; the import's and SPAR's pages are in the other company."""
        users = self.as_admin("res.users", "search", [("login", "in", list(job.PEOPLE))])
        self.as_admin("res.users", "write", users, {"company_id": self.company})

    def report(self):
        """Print what there is to see, and what it should be: by laws that hold for any number of people, and by FIGURES."""
        rows = [
            *self._paid_in_full(0),
            *self._paid_after_all(1),
            *self._waits(2),
            *self._fund(),
            ("Payments that the payer received twice", self._received_twice(), 0, "its own books"),
        ]
        say("\nWhat happened to the child grant")
        known = FIGURES if self.size == PEOPLE else {}
        return job.table(
            [(label, figure, known.get(label, expected), place) for label, figure, expected, place in rows]
        )

    def _due(self, number):
        """The cycle of that number, and its rows of who is due how much."""
        domain = [("program_id", "=", self.program), ("start", "=", CYCLES[number][0])]
        fields = ["state", "entitlement_count", "total_amount"]
        (cycle,) = self.as_manager("spp.cycle", "search_read", domain, fields)
        count, total = cycle["entitlement_count"], f"{cycle['total_amount']:.2f}"
        rows = [
            (f"{_month(number)}: entitlements", count, count or "some", "Programs ▸ Entitlements"),
            (f"{_month(number)}: total", total, total, "Programs ▸ Cycles"),
        ]
        return cycle, rows

    def _paid_in_full(self, number):
        cycle, rows = self._due(number)
        paid = self._count([("cycle_id", "=", cycle["id"])], "paid")
        return [
            *rows,
            (f"{_month(number)}: payments paid", paid, cycle["entitlement_count"], "Payments ▸ Payments"),
        ]

    def _paid_after_all(self, number):
        cycle, rows = self._due(number)
        payments = [("cycle_id", "=", cycle["id"])]
        paid = [*payments, ("state", "=", "paid")]
        first, again = ("reissue_of_id", "=", False), ("reissue_of_id.state", "=", "rejected")
        figures = [
            ("payments paid", paid, cycle["entitlement_count"] - 1),
            ("came back", [*payments, ("state", "=", "returned")], 1),
            ("rejected", [*payments, ("state", "=", "rejected")], 1),
            ("rejected, then paid to a new account", [*paid, again], 1),
            ("held for a changed account, cleared, paid", [*paid, first, ("confirmed_by", "!=", False)], 1),
            ("payments unknown", [*payments, ("state", "=", "unknown")], 0),
        ]
        lost, sent, once = self._of_lost_answers(cycle["id"])
        month = _month(number)
        return [
            *rows,
            *(
                (f"{month}: {label}", self._number(domain), expected, "Payments ▸ Payments")
                for label, domain, expected in figures
            ),
            (f"{month}: answers lost", lost, 1, "Payments ▸ Messages"),
            (f"{month}: payments of the lost answer, paid once", once, sent, "Payments ▸ Messages"),
        ]

    def _number(self, domain):
        return self.as_finance("spp.payment", "search_count", domain)

    def _of_lost_answers(self, cycle):
        """How many answers of the payer were lost, how many payments they were about, and how many it received once."""
        lost = self.as_finance(
            "spp.payment.exchange",
            "search_read",
            [("batch_id.cycle_id", "=", cycle), ("outcome", "=", "lost")],
            ["batch_id", "payment_count"],
        )
        domain = [("batch_id", "in", [message["batch_id"][0] for message in lost]), ("state", "=", "paid")]
        payments = self.as_finance("spp.payment", "search_read", domain, ["reference"])
        received = self._control("payer", "state")["paid"]
        once = sum(received.get(payment["reference"]) == 1 for payment in payments)
        return len(lost), sum(message["payment_count"] for message in lost), once

    def _waits(self, number):
        cycle, rows = self._due(number)
        totals = self.as_manager(
            "spp.cycle.difference.total", "search_read", [("cycle_id", "=", cycle["id"])], ["kind", "people"]
        )
        people = {total["kind"]: total["people"] for total in totals if total["kind"] != "unchanged"}
        joined, left, differences = people.get("joined", 0), people.get("left", 0), sum(people.values())
        month, before = _month(number), _month(number - 1)
        return [
            *rows,
            (f"{month}: state", cycle["state"], "submitted", "Approvals ▸ To approve"),
            (f"{month}: differences to {before}", differences, differences or "some", "the cycle"),
            (f"{month}: joined since {before}", joined, joined, "the cycle"),
            (f"{month}: left since {before}", left, left, "the cycle"),
        ]

    def _fund(self):
        fields = ["fund_allocated", "fund_committed", "fund_disbursed", "fund_free"]
        (fund,) = self.as_finance("spp.program", "read", [self.program], fields)
        spent = fund["fund_allocated"] - fund["fund_committed"] - fund["fund_free"]
        disbursed, spent = f"{fund['fund_disbursed']:.2f}", f"{spent:.2f}"
        return [("Child grant: disbursed", disbursed, spent, "Programs ▸ Fund ledger")]


def _month(number):
    return date.fromisoformat(CYCLES[number][0]).strftime("%B")
