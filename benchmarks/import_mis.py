"""A registry imported from another MIS, against plain ORM creates of the same records.

    ./spp bench import_mis                  # 100,000 individuals in 25,000 households
    ./spp bench import_mis --size 10000

The source is the sandbox, a process of its own with generated people: each with a document, a phone, an address, every
second one with an account; households of four with a head and a ration card. Rows of the table:

- a first import (reading, checking and storing) against creating the same records through the ORM, one `create` for
  each person or household with its lines, measured on a sample before and after it and scaled up: at most a tenth;
- a full reconcile in which nothing changed, against the first import: at most a tenth;
- SQL statements for each person of the first import: less than one;
- memory that the import of all takes more than that of the first tenth, in MB: less than 200.

Only ratios are judged: seconds are those of the machine at hand.
"""

import contextlib
import datetime
import json
import os
import random
import resource
import sqlite3
import time

from odoo.addons.queue_job.job import Job

from benchmarks import _sandbox

SIZE = 100_000
SAMPLE = 400  # people, and their households, that the ORM creates one by one
PAGE = 2000
FIRST_LIMIT, AGAIN_LIMIT, STATEMENTS_LIMIT, MEMORY_LIMIT = 1 / 10, 1 / 10, 1.0, 200.0


def run(env, size):
    """Yield (name, figure of ours, figure of what it is measured against, limit of the ratio)."""
    with contextlib.ExitStack() as stack:
        few = max(size // 10, 100)
        small = stack.enter_context(_source(few))
        source = _make_source(env, small, "Few")
        _import(env, source)
        memory_of_few = _peak()
        large = stack.enter_context(_source(size))
        source = _make_source(env, large, "Many")
        orm = _one_by_one(env, size)
        first, statements = _import(env, source)
        assert source.registrant_count == size + size // 4, source.registrant_count
        memory = _peak() - memory_of_few
        again, _statements = _import(env, source)
        counts = source.last_run_id.counts
        assert counts["Unchanged"] == size + size // 4, counts
    orm = (orm + _one_by_one(env, size)) / 2
    yield "first import, by the ORM one by one", first, orm, FIRST_LIMIT
    yield "full reconcile without a change, by the first import", again, first, AGAIN_LIMIT
    yield "SQL statements for each person", float(statements), float(size), STATEMENTS_LIMIT
    yield "more memory than for a tenth, in MB", max(memory, 0.01), 1.0, MEMORY_LIMIT


def _peak():
    """The most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _import(env, source):
    """(seconds, SQL statements) of a complete import."""
    run_id = source.action_import_all()
    env.cr.commit()
    started, before = time.perf_counter(), env.cr.sql_log_count
    while job := env["queue.job"].search(
        [("model_name", "=", "spp.mis.source"), ("state", "=", "pending")], limit=1, order="id"
    ):
        job = Job.load(env, job.uuid)
        job.set_started()
        job.store()
        env.cr.commit()
        job.perform()
        job.set_done()
        job.store()
        env.cr.commit()
        env.invalidate_all()
    spent = time.perf_counter() - started
    ended = env["spp.run"].browse(run_id)
    assert ended.state == "done", ended.message
    assert not ended.failed_count, ended.failure_ids[:3].mapped("reason")
    return spent, env.cr.sql_log_count - before


def _make_source(env, url, name):
    endpoint = env["spp.endpoint"].create(
        {
            "name": name,
            "base_url": url,
            "auth_type": "session",
            "database": "mis_src",
            "login": "mis_api",
            "secret": "mis_secret",
            "total_timeout": 120,
        }
    )
    source = env["spp.mis.source"].create({"name": name, "endpoint_id": endpoint.id, "page_size": PAGE})
    env.cr.commit()
    return source


def _one_by_one(env, size):
    """Seconds that the ORM would take for everybody, from a sample."""
    refs = {
        "national": env["spp.identity.type"].search([], limit=1).id,
        "head": env.ref("spp_registry.membership_role_head").id,
        "bank": env["res.bank"].create({"name": "Bench Bank"}).id,
    }
    people = list(_people(SAMPLE, random.Random(1)))
    started = time.perf_counter()
    Partner = env["res.partner"]
    ids = []
    for number, person in enumerate(people):
        person = Partner.create(
            {
                "is_registrant": True,
                "name": person["name"],
                "family_name": person["family_name"],
                "given_name": person["given_name"],
                "gender": person["gender"].lower(),
                "birthdate": person["birthdate"],
                "street": person["address"].splitlines()[0],
                "street2": person["address"].splitlines()[1],
                "registration_date": person["registration_date"],
                "document_ids": [(0, 0, {"type_id": refs["national"], "value": f"ORM-{number}"})],
                "phone_number_ids": [(0, 0, {"number": f"+6391800{number:05}"})],
                "payment_account_ids": [(0, 0, {"number": f"ORM-{number}", "provider_id": refs["bank"]})]
                if number % 2
                else [],
            }
        )
        ids.append(person.id)
    for number in range(SAMPLE // 4):
        Partner.create(
            {
                "is_registrant": True,
                "is_group": True,
                "name": f"Household {number}",
                "document_ids": [(0, 0, {"type_id": refs["national"], "value": f"ORM-G-{number}"})],
                "member_ids": [
                    (
                        0,
                        0,
                        {
                            "individual_id": ids[4 * number + place],
                            "is_head": not place,
                            "role_ids": [(6, 0, [refs["head"]] if not place else [])],
                        },
                    )
                    for place in range(4)
                ],
            }
        )
        env.flush_all()
    spent = time.perf_counter() - started
    env.cr.rollback()
    return spent * size / SAMPLE


# -- the source --------------------------------------------------------------------------------


def _people(size, chance):
    today = datetime.date(2026, 11, 21)
    for number in range(size):
        family, given = f"Family{number // 4}", f"Given{number}"
        yield {
            "name": f"{family.upper()}, {given.upper()}",
            "family_name": family,
            "given_name": given,
            "gender": chance.choice(["Male", "Female"]),
            "birthdate": str(today - datetime.timedelta(days=chance.randrange(1, 30000))),
            "birth_place": f"Place {number % 97}",
            "address": f"{number} Main Road\nVillage {number % 997}",
            "registration_date": "2024-07-02",
        }


def _source(size):
    """A sandbox with `size` generated people."""
    return _sandbox.server("mis", lambda folder: _fill(os.path.join(folder, "mis.sqlite"), size))


def _fill(path, size):
    chance = random.Random(2026)
    rows = []

    def add(model, number, **values):
        values = {"id": number, "create_date": STAMP, "write_date": STAMP, **values}
        rows.append((model, number, json.dumps(values)))

    add("g2p.id.type", 1, name="National ID")
    add("g2p.id.type", 2, name="Ration Card")
    add("g2p.group.kind", 1, name="Family")
    add("g2p.group.membership.kind", 1, name="Head")
    add("res.bank", 1, name="Bench Bank", bic=None)
    prefix = f"{size}-"  # several registries beside one another do not claim the same documents
    for number, person in enumerate(_people(size, chance), 1):
        add("res.partner", number, is_group=False, **person)
        add("g2p.reg.id", number, partner_id=number, id_type=1, value=f"{prefix}{number}")
        add("g2p.phone.number", number, partner_id=number, phone_no=f"+6391{number:08}")
        if number % 2:
            add("res.partner.bank", number, partner_id=number, bank_id=1, acc_number=f"{prefix}{number}")
    for place in range(size // 4):
        group = size + place + 1
        add(
            "res.partner",
            group,
            is_group=True,
            kind=1,
            name=f"Household {place}",
            registration_date="2024-07-02",
        )
        add("g2p.reg.id", group, partner_id=group, id_type=2, value=f"{prefix}{group}")
        for member in range(4):
            person = 4 * place + member + 1
            kinds = [] if member else [1]
            add("g2p.group.membership", person, group=group, individual=person, kind=kinds, start_date=STAMP)
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE record (model TEXT, id INTEGER, row TEXT, PRIMARY KEY (model, id))")
        db.executemany("INSERT INTO record VALUES (?, ?, ?)", rows)


STAMP = "2024-07-02T10:00:00.000000"
