"""Registries that must come out the same: of an import that was killed again and again, and of one SPP that imported
another."""

import hashlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import bulk
import pytest

from scripts import database, services

pytestmark = pytest.mark.deep

REGISTRANT = """
    p.name, p.complete_name, p.is_group, p.active, p.family_name, p.given_name, p.additional_name, p.gender, p.birthdate,
    p.birthdate_exact, p.birth_place, p.email, p.email_normalized, p.street, p.street2, p.city, p.zip,
    p.registration_date, p.registrant_status, p.status_date, p.income, p.vulnerability_score,
    (SELECT code FROM spp_area WHERE id = p.area_id), (SELECT code FROM spp_group_kind WHERE id = p.group_kind_id)
"""
# Of each registrant, by its key `k`: all that the registry holds.
REGISTRY = {
    "registrants": f"SELECT k.key, {REGISTRANT} FROM k JOIN res_partner p ON p.id = k.partner_id",
    "documents": """
        SELECT k.key, t.code, d.value, d.state, d.expiry_date
          FROM k JOIN spp_identity_document d USING (partner_id) JOIN spp_identity_type t ON t.id = d.type_id""",
    "phones": """
        SELECT k.key, number, sanitized, date_collected, ended FROM k JOIN spp_phone_number USING (partner_id)""",
    "accounts": """
        SELECT k.key, a.kind, a.number, a.number_masked, a.holder, a.is_primary, a.state, b.name, b.bic
          FROM k JOIN spp_payment_account a USING (partner_id) LEFT JOIN res_bank b ON b.id = a.provider_id""",
    "places": """
        SELECT k.key, person.key, m.is_head, m.start, m.ended,
               (SELECT string_agg(r.code, ',' ORDER BY r.code)
                  FROM spp_group_membership_spp_membership_role_rel l
                  JOIN spp_membership_role r ON r.id = l.spp_membership_role_id
                 WHERE l.spp_group_membership_id = m.id)
          FROM k JOIN spp_group_membership m ON m.group_id = k.partner_id
          JOIN k AS person ON person.partner_id = m.individual_id""",
    "events": """
        SELECT k.key, kind, date, value FROM k JOIN spp_event USING (partner_id)
         WHERE kind NOT IN ('program_elsewhere', 'program_information')""",
}
# What only an import leaves.
OF_IMPORTS = {
    "checksums": "SELECT external_id, checksum, stamps, absent_since FROM spp_registrant_source",
    "held": "SELECT external_id, record_kind, name, reason, state, cause, waits_for, payload FROM spp_mis_held",
    "names": "SELECT kind, name, is_open FROM spp_mis_mapping",
    "candidates": """
        SELECT p.code, k.key, m.state FROM k JOIN spp_program_membership m USING (partner_id)
          JOIN spp_program p ON p.id = m.program_id""",
    "facts": "SELECT external_id, kind, date, value FROM spp_event",
    "strangers": """
        SELECT count(*) FROM res_partner p
         WHERE p.is_registrant AND NOT EXISTS (SELECT FROM spp_registrant_source WHERE partner_id = p.id)""",
    "lists": """
        SELECT 'type', code FROM spp_identity_type UNION ALL SELECT 'kind', code FROM spp_group_kind
         UNION ALL SELECT 'role', code FROM spp_membership_role UNION ALL SELECT 'bank', name FROM res_bank""",
}
BY_SOURCE = "SELECT external_id AS key, partner_id FROM spp_registrant_source"
BY_NUMBER = """
    SELECT CASE WHEN is_group THEN 'group:' ELSE 'individual:' END || id AS key, id AS partner_id
      FROM res_partner WHERE is_registrant"""


def told(name, keys, queries):
    """{what: its rows, in an order of their own}"""
    answer = {}
    with database.cursor(name) as cr:
        for what, query in queries.items():
            cr.execute(f"WITH k AS ({keys}) {query}")
            answer[what] = sorted(map(repr, cr.fetchall()))
    return answer


def digest(rows):
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def prepared(system):
    """A chain with a source that has many small pages."""
    chain = system.chain()
    chain.people()
    chain.systems()
    chain.programs()
    chain.as_administrator("spp.mis.source", "write", [chain.source], {"page_size": 25})
    return chain


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A system that imported the sandbox's registry, and nothing happened."""
    from conftest import running_system

    with running_system("spp_twin_first", tmp_path_factory.mktemp("first")) as system:
        prepared(system).import_registry()
        system.told = told(system.name, BY_SOURCE, REGISTRY | OF_IMPORTS)
        yield system


def test_an_import_killed_again_and_again_ends_as_an_undisturbed_one(undisturbed, tmp_path, running):
    with running("spp_twin_killed", tmp_path) as system:
        chain = prepared(system)
        calls = {"path": "/web/dataset/call_kw/*", "fault": "delay", "seconds": 0.3, "times": None}
        chain._control("mis", "faults", calls)
        source, reached = chain.source, [0]
        for _time in range(2):  # of a third death in its midst, a run ends as failed
            with ThreadPoolExecutor() as pool:  # two people at once: one import
                both = (chain.as_officer, chain.as_manager)
                runs = [pool.submit(one, "spp.mis.source", "action_import", [source]) for one in both]
            assert len({run.result() for run in runs}) == 1
            _wait_until_imported(system, reached[-1] + 1)
            os.killpg(services.running(system.name)["pid"], signal.SIGKILL)
            while services.running(system.name):
                time.sleep(0.05)
            reached.append(_imported(system))
            system.start()
            chain = system.chain()
        chain.source = source
        assert reached[-1] < 289, reached  # in its midst, at different places
        chain._control("mis", "reset", {"server": "mis"})
        chain.import_registry()

        ours, theirs = told(system.name, BY_SOURCE, REGISTRY | OF_IMPORTS), undisturbed.told
        assert len(theirs["registrants"]) == 289
        for what in theirs:
            assert ours[what] == theirs[what], what
        assert digest(sum(ours.values(), [])) == digest(sum(theirs.values(), []))


def test_one_spp_imports_another_with_all_fields_equal(undisturbed, tmp_path, running):
    there = undisturbed.chain()
    _everything_there_is(there)
    with running("spp_twin_second", tmp_path) as system:
        chain = system.chain()
        chain.people()
        chain.as_administrator("spp.area", "create", {"name": "North", "code": "XX-N"})
        endpoint = chain.as_administrator(
            "spp.endpoint",
            "create",
            {
                "name": "Another SPP",
                "base_url": undisturbed.url,
                "auth_type": "session",
                "database": undisturbed.name,
                "login": "reader",
                "secret": chain.password,
            },
        )
        values = {"name": "Another SPP", "endpoint_id": endpoint, "dialect": "suite", "page_size": 100}
        chain.source = chain.as_administrator("spp.mis.source", "create", values)
        found = chain.as_administrator("spp.mis.source", "action_test_connection", [chain.source])
        assert (found["params"]["people"], found["params"]["groups"]) == (219, 71)
        chain._import()

        ours, theirs = told(system.name, BY_SOURCE, REGISTRY), told(undisturbed.name, BY_NUMBER, REGISTRY)
        theirs["documents"] = [row for row in theirs["documents"] if "'withdrawn'" not in row]
        theirs["accounts"] = [row for row in theirs["accounts"] if "'ended'" not in row]
        assert len(ours["registrants"]) == 290
        for what in REGISTRY:
            assert ours[what], what
            assert ours[what] == theirs[what], what

        # And what changes there, changes here.
        there.as_officer("res.partner", "write", [_person(there, "ABADA, FLORA")], {"income": 12.5})
        counts = chain._import()
        assert "Updated 1" in counts, counts
        ours, theirs = told(system.name, BY_SOURCE, REGISTRY), told(undisturbed.name, BY_NUMBER, REGISTRY)
        assert ours["registrants"] == theirs["registrants"]


def _imported(system):
    """How many registrants came from the source."""
    with database.cursor(system.name) as cr:
        cr.execute("SELECT count(*) FROM spp_registrant_source")
        return cr.fetchone()[0]


def _wait_until_imported(system, count, seconds=90):
    deadline = time.monotonic() + seconds
    while _imported(system) < count:
        assert time.monotonic() < deadline, f"{_imported(system)} of {count} imported"
        bulk.wake_runner(system.name)  # a dead job is given to the next worker
        time.sleep(0.05)


def _person(chain, name):
    (person,) = chain.as_officer("res.partner", "search", [("name", "=", name)])
    return person


def _everything_there_is(chain):
    """Fill what the sandbox's registry lacks, and give the other system a login."""
    area = chain.as_administrator("spp.area", "create", {"name": "North", "code": "XX-N"})
    roles = chain.as_admin(
        "ir.model.data",
        "search_read",
        [("module", "=", "spp_base"), ("name", "in", ["group_auditor", "group_finance_officer"])],
        ["res_id"],
    )
    chain.as_admin(
        "res.users",
        "create",
        {
            "login": "reader",
            "name": "Another SPP",
            "password": chain.password,
            "spp_role_ids": [(6, 0, [role["res_id"] for role in roles])],
        },
    )
    bank = chain.as_admin("res.bank", "search", [], limit=1)[0]
    person = chain.as_officer(
        "res.partner",
        "create",
        {
            "name": "ZULU, ZOE",
            "family_name": "Zulu",
            "given_name": "Zoe",
            "is_registrant": True,
            "gender": "other",
            "birthdate": "1961-02-03",
            "birthdate_exact": False,
            "street2": "Behind the well",
            "city": "Northtown",
            "zip": "0042",
            "email": "Zoe@Example.org",
            "income": 0,
            "vulnerability_score": 2.5,
            "area_id": area,
        },
    )
    create = chain.as_officer
    create("spp.phone.number", "create", {"partner_id": person, "number": "0812 345", "ended": "2026-01-01"})
    create(
        "spp.payment.account",
        "create",
        [
            {"partner_id": person, "kind": "bank", "number_entry": "ZZ 1", "provider_id": bank},
            {
                "partner_id": person,
                "kind": "mobile_wallet",
                "number_entry": "+254712345678",
                "holder": "Zed",
                "is_primary": True,
            },
        ],
    )
    chain.as_administrator("spp.event.kind", "create", {"name": "Visit by a nurse", "code": "nurse_visit"})
    for kind, value in (("nurse_visit", "2"), ("school_attendance", False)):
        create(
            "spp.event", "create", {"partner_id": person, "kind": kind, "date": "2026-03-04", "value": value}
        )
    other = _person(chain, "ABADA, FLORA")
    status = {
        "registrant_status": "deceased",
        "status_date": "2026-02-01",
        "status_reason": "Told by the village",
    }
    chain.as_officer("res.partner", "write", [other], status)
