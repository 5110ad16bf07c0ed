"""kill -9 in the middle of each bulk action: the next try ends in the same state as one that nothing disturbed."""

import base64
import contextlib

import bulk
import pytest
from money_laws import broken

from scripts import database, job

pytestmark = pytest.mark.deep

ACTIONS = [  # (model, action, arguments, who)
    ("spp.program", "action_import_list", lambda life: [life.households[:3]], "officer"),
    ("spp.program", "action_enroll_by_hand", lambda life: [life.households[:2], "Order 3"], "officer"),
    ("spp.enrollment.decision", "action_take_back", lambda life: ["Order 3 was withdrawn"], "officer"),
    ("spp.program", "action_import_candidates", lambda life: [], "officer"),
    ("spp.program", "action_enroll", lambda life: [job.AS_OF], "officer"),
    ("spp.program", "action_decide", lambda life: ["suspend", life.first_two(), "Flood"], "officer"),
    ("spp.cycle", "action_compute", lambda life: [], "manager"),
    ("spp.cycle", "action_submit", lambda life: [], "manager"),
    ("spp.cycle", "action_cancel", lambda life: ["Wrong month"], "manager"),
    ("spp.cycle", "action_compute", lambda life: [], "manager"),
    ("spp.cycle", "action_submit", lambda life: [], "manager"),
    ("spp.cycle", "action_approve", lambda life: [], "approver"),
    ("spp.cycle", "action_propose_withdrawals", lambda life: ["left", "Moved", life.last_one()], "officer"),
    ("spp.cycle", "action_hand_out", lambda life: ["Lists 1 to 3"], "officer"),
    ("spp.cycle", "action_prepare_payments", lambda life: [], "manager"),
    ("spp.cycle", "action_close", lambda life: ["cancel"], "manager"),
]


LIVES = 2  # are killed at once: as many as there are workers


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    from conftest import running_system

    with running_system("spp_crash_bulk", tmp_path_factory.mktemp("crash")) as running:
        chain = running.chain()
        chain.people()
        chain.systems()
        chain.programs()
        chain.import_registry()
        bulk.by_jobs(running)
        yield running


def test_each_bulk_action_killed_in_the_middle_is_done_once_and_whole(system):
    """Several lives are killed at once, each in the middle of another action: a restart takes longer than the rest."""
    undisturbed = Life(system, "CALM")
    for action in ACTIONS:
        undisturbed.act(*action)

    rounds = -(-len(ACTIONS) // LIVES)
    lives = []
    for number in range(LIVES):
        life = Life(system, f"KILLED{number}")
        for action in ACTIONS[: number * rounds]:
            life.act(*action)
        lives.append((life, ACTIONS[number * rounds : (number + 1) * rounds]))
    for number in range(rounds):
        now = [(life, actions[number]) for life, actions in lives if number < len(actions)]
        before = [life.state() for life, _action in now]
        with contextlib.ExitStack() as holding:
            for life, (model, action, _arguments, _who) in now:
                holding.enter_context(bulk.held(system.name, action, life.ids[model]))
            runs = [life.press(*action) for life, action in now]
            bulk.kill_held(system, len(now))
        assert [life.state() for life, _action in now] == before, "something was left behind"
        system.start()
        for (life, (_model, action, _arguments, _who)), run in zip(now, runs, strict=True):
            life.sessions.clear()
            result = bulk.over(life.session("manager"), run, wake=system.name)
            assert result["state"] == "done" and result["deaths"] >= 1, (action, result)
            life.look(action)
    for life, actions in lives:
        for action in ACTIONS[ACTIONS.index(actions[-1]) + 1 :]:
            life.act(*action)
        assert life.state() == undisturbed.state()
    assert (
        undisturbed.state()["payments"]
        and undisturbed.state()["handouts"]
        and undisturbed.state()["withdrawals"]
    )


def test_a_search_for_duplicates_killed_in_the_middle_finds_what_it_finds_undisturbed(system):
    officer = system.log_in("officer")
    for name in ("Ana Twin", "Bea Twin", "Cleo Twin"):
        for _twice in range(2):
            officer("res.partner", "create", {"name": name, "is_registrant": True, "birthdate": "1991-02-03"})

    def cases():
        with database.cursor(system.name) as cr:
            cr.execute(
                "SELECT partner_id, other_id, similar_name, same_phone, same_document, two_households, state"
                " FROM spp_duplicate_case ORDER BY partner_id, other_id"
            )
            return cr.fetchall()

    assert not cases()
    with bulk.held(system.name, "action_search_duplicates", None):
        run = officer("spp.duplicate.case", "action_search_duplicates", [])
        bulk.kill_held(system)
    assert not cases(), "the search left something behind"
    system.start()
    officer = system.log_in("officer")
    result = bulk.over(officer, run, wake=system.name)
    assert result["state"] == "done" and result["deaths"] >= 1, result
    killed = cases()
    assert len(killed) >= 3
    with database.cursor(system.name) as cr:
        cr.execute("DELETE FROM spp_duplicate_case")
    again = bulk.over(officer, officer("spp.duplicate.case", "action_search_duplicates", []))
    assert (again["state"], again["counts"]) == ("done", result["counts"])
    assert cases() == killed


def test_a_run_whose_workers_all_die_ends_and_one_click_repeats_it(system):
    life = Life(system, "DOOMED")
    with bulk.held(system.name, "action_import_candidates", life.ids["spp.program"]):
        run = life.press("spp.program", "action_import_candidates", lambda life: [], "officer")
        for _time in range(3):
            bulk.kill_held(system)
            system.start()
        life.sessions.clear()
        result = bulk.over(life.session("officer"), run, wake=system.name)
    assert result["state"] == "failed" and "3 workers died" in result["message"], result
    assert not life.state()["members"]
    again = life.session("officer")("spp.run", "action_retry", [run])
    assert bulk.over(life.session("officer"), again)["state"] == "done"
    assert life.state()["members"]


def test_results_killed_while_they_are_read_and_while_they_are_applied_count_once(system):
    life = Life(system, "RESULTS")
    payer = life.session("manager")("spp.payment.manager", "create", {"name": "Post", "provider": "manual"})
    life.session("manager")("spp.program", "write", [life.ids["spp.program"]], {"payment_manager_id": payer})
    for action in (
        "action_import_candidates", "action_enroll", "action_decide", "action_compute", "action_submit",
        "action_approve", "action_prepare_payments",
    ):  # fmt: skip
        model, _action, arguments, who = next(row for row in ACTIONS if row[1] == action)
        life.act(model, action, arguments, who)
    life.session("releaser")("spp.cycle", "action_send_payments", [life.ids["spp.cycle"]])
    issued = [("cycle_id", "=", life.ids["spp.cycle"]), ("state", "=", "accepted")]
    system.chain()._wait("the file", lambda: life.session("finance")("spp.payment", "search_count", issued))
    payments = life.session("finance")("spp.payment", "search_read", issued, ["reference", "amount"])
    lines = [
        f"{payment['reference']},paid,{payment['amount']:.2f},Line {payment['id']}" for payment in payments
    ]
    content = "\n".join(["reference,outcome,amount,evidence", *lines])

    wizard = life.session("finance")("spp.payment.result.read", "create", {
        "manager_id": payer, "file_name": "post.csv", "file": base64.b64encode(content.encode()).decode(),
    })  # fmt: skip
    with bulk.held(system.name, "action_read", 0):
        opened = life.session("finance")("spp.payment.result.read", "action_read", [wizard])
        bulk.kill_held(system)
    assert result_of(life, system, opened["res_id"], "read") == ("read", len(payments))

    before = life.state()
    with bulk.held(system.name, "action_apply", 0):
        life.session("finance")("spp.payment.result", "action_apply", [opened["res_id"]])
        bulk.kill_held(system)
    assert life.state() == before
    assert result_of(life, system, opened["res_id"], "apply") == ("applied", len(payments))
    paid = [("cycle_id", "=", life.ids["spp.cycle"]), ("state", "=", "paid")]
    assert life.session("finance")("spp.payment", "search_count", paid) == len(payments)
    assert not broken(system.name)


def result_of(life, system, result, action):
    """Start the killed server, wait until its run has gone on to the end; the result's state and number of rows."""
    system.start()
    life.sessions.clear()
    finance = life.session("finance")
    about = [("res_model", "=", "spp.payment.result"), ("res_id", "=", result)]
    (run,) = finance("spp.run", "search", [*about, ("kind", "=", f"payment_result_{action}")])
    ended = bulk.over(finance, run, wake=system.name)
    assert ended["state"] == "done" and ended["deaths"] >= 1, ended
    (row,) = finance("spp.payment.result", "read", [result], ["state", "row_count"])
    return row["state"], row["row_count"]


class Life:
    """A program of its own, from its candidates to its payments."""

    def __init__(self, system, code):
        self.system, self.sessions = system, {}
        manager = self.session("manager")
        (rule,) = manager("spp.rule", "search", [("name", "=", "Children under five")])
        (payer,) = manager("spp.payment.manager", "search", [], limit=1)
        program = manager("spp.program", "create", {
            "name": code, "code": code, "target": "group", "rule_id": rule, "payment_manager_id": payer,
            "benefit_ids": [
                (0, 0, {"name": "Cash", "kind": "money", "amount": 10.0}),
                (0, 0, {"name": "Flour", "kind": "goods", "quantity": 2, "product_name": "Flour"}),
            ],
        })  # fmt: skip
        manager("spp.program", "action_activate", [program])
        self.session("finance")("spp.program", "fund_allocate", [program], "5000.00", "Decree", code)
        self.ids = {"spp.program": program}
        self.households = self.session("officer")(
            "res.partner", "search", [("is_group", "=", True)], order="id"
        )

    def session(self, login):
        if login not in self.sessions:
            self.sessions[login] = self.system.log_in(login)
        return self.sessions[login]

    def press(self, model, action, arguments, who):
        return self.session(who)(model, action, [self.ids[model]], *arguments(self))

    def first_two(self):
        """Domain of two enrolled members, the same in each life."""
        enrolled = [("program_id", "=", self.ids["spp.program"]), ("state", "=", "enrolled")]
        found = self.session("officer")("spp.program.membership", "search_read", enrolled, ["partner_id"])
        return [("partner_id", "in", sorted(member["partner_id"][0] for member in found)[:2])]

    def last_one(self):
        """Domain of one beneficiary, the same in each life."""
        eligible = [("cycle_id", "=", self.ids["spp.cycle"]), ("outcome", "=", "eligible")]
        found = self.session("officer")("spp.cycle.beneficiary", "search_read", eligible, ["partner_id"])
        return [("partner_id", "=", max(one["partner_id"][0] for one in found))]

    def act(self, model, action, arguments, who):
        result = bulk.over(self.session("manager"), self.press(model, action, arguments, who))
        assert (result["state"], result["deaths"]) == ("done", 0), (action, result)
        self.look(action)

    def look(self, action):
        """What the next action is about."""
        if action == "action_enroll_by_hand":
            (self.ids["spp.enrollment.decision"],) = self.session("officer")(
                "spp.enrollment.decision", "search", [("program_id", "=", self.ids["spp.program"])]
            )
        if action in ("action_decide", "action_cancel"):
            self.ids["spp.cycle"] = self.session("manager")(
                "spp.program", "action_new_cycle", [self.ids["spp.program"]],
                "2026-11-01", "2026-11-30", job.AS_OF,
            )  # fmt: skip

    def state(self):
        """Everything that the bulk actions make, without ids and times, as it is in the database."""
        queries = {
            "members": """
                SELECT partner_id, state, outcome, facts::text, rule_version_id, evaluated_on, create_uid, write_uid
                  FROM spp_program_membership WHERE program_id = %(program)s""",
            "decisions": """
                SELECT d.kind, d.state, d.reason, d.member_count, l.partner_id, l.state, l.new_state
                  FROM spp_enrollment_decision d JOIN spp_enrollment_decision_line l ON l.decision_id = d.id
                 WHERE d.program_id = %(program)s""",
            "cycles": """
                SELECT state, entitlement_count, total_amount, rule_version_id, submitted_by, approved_by
                  FROM spp_cycle WHERE program_id = %(program)s""",
            "outcomes": """
                SELECT b.partner_id, b.outcome, b.facts::text FROM spp_cycle_beneficiary b
                  JOIN spp_cycle c ON c.id = b.cycle_id WHERE c.program_id = %(program)s""",
            "entitlements": """
                SELECT partner_id, amount, state, kind FROM spp_entitlement WHERE program_id = %(program)s""",
            "withdrawals": """
                SELECT w.partner_id, w.cause, w.reason, w.state, w.amount, w.proposed_by FROM spp_cycle_withdrawal w
                  JOIN spp_cycle c ON c.id = w.cycle_id WHERE c.program_id = %(program)s""",
            "handouts": """
                SELECT partner_id, handed_out_on, evidence, recorded_by, state FROM spp_handout
                 WHERE program_id = %(program)s""",
            "payments": """
                SELECT partner_id, amount, state, state_reason, hold_reason, account_id, batch_id IS NULL
                  FROM spp_payment WHERE program_id = %(program)s""",
            # which payment falls into which batch is the database's choice
            "batches": """
                SELECT state, count(*), sum(payment_count), sum(total_amount)
                  FROM spp_payment_batch WHERE program_id = %(program)s GROUP BY state""",
            "ledger": "SELECT kind, amount, user_id FROM spp_fund_entry WHERE program_id = %(program)s",
            "balance": """
                SELECT allocated, committed, disbursed FROM spp_fund_balance WHERE program_id = %(program)s""",
        }
        found = {}
        with database.cursor(self.system.name) as cr:
            for name, query in queries.items():
                cr.execute(query, {"program": self.ids["spp.program"]})
                found[name] = sorted(map(repr, cr.fetchall()))
        return found
