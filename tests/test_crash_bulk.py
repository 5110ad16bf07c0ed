"""kill -9 in the middle of each bulk action: the next try ends in the same state as one that nothing disturbed."""

import bulk
import pytest

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
    ("spp.cycle", "action_prepare_payments", lambda life: [], "manager"),
    ("spp.cycle", "action_close", lambda life: ["cancel"], "manager"),
]


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
    undisturbed = Life(system, "CALM")
    for model, action, arguments, who in ACTIONS:
        result = undisturbed.act(model, action, arguments, who)
        assert (result["state"], result["deaths"]) == ("done", 0), (action, result)

    killed = Life(system, "KILLED")
    for model, action, arguments, who in ACTIONS:
        before = killed.state()
        with bulk.held(system.name, action, killed.ids[model]):
            run = killed.press(model, action, arguments, who)
            bulk.kill_held(system)
        assert killed.state() == before, f"{action} left something behind"
        system.start()
        killed.sessions.clear()
        result = bulk.over(killed.session("manager"), run, wake=system.name)
        assert result["state"] == "done" and result["deaths"] >= 1, (action, result)
        killed.look(action)
    assert killed.state() == undisturbed.state()
    assert killed.state()["payments"]


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


class Life:
    """A program of its own, from its candidates to its payments."""

    def __init__(self, system, code):
        self.system, self.sessions = system, {}
        manager = self.session("manager")
        (rule,) = manager("spp.rule", "search", [("name", "=", "Children under five")])
        (payer,) = manager("spp.payment.manager", "search", [], limit=1)
        program = manager("spp.program", "create", {
            "name": code, "code": code, "target": "group", "rule_id": rule, "payment_manager_id": payer,
            "benefit_ids": [(0, 0, {"name": "Cash", "kind": "money", "amount": 10.0})],
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

    def act(self, model, action, arguments, who):
        result = bulk.over(self.session("manager"), self.press(model, action, arguments, who))
        self.look(action)
        return result

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
            "payments": """
                SELECT p.partner_id, p.amount, p.state, p.state_reason, p.account_id, b.payment_count, b.total_amount
                  FROM spp_payment p LEFT JOIN spp_payment_batch b ON b.id = p.batch_id
                 WHERE p.program_id = %(program)s""",
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
