"""The outbox to SPAR: first links, and accounts that SPAR holds already, against the mapper's own limit.

    ./spp bench spar                  # 50,000 people
    ./spp bench spar --size 5000

The mapper is the sandbox's, in a process of its own, and takes half a millisecond for each item; one in service was seen
to take nine. Its limit is measured beside, in the same run: the messages that the work needs (look up, link, look up
again), of the same form and size, made and signed before, posted one after another by the standard library and nothing
else. Ours looks up, sends, reads back, and notes every step in its own database before and after: at most three times as
long as the bare messages.

- first links, in SPAR 1.x and, signed, in 2.x: everybody's account is looked up, linked and read back;
- unchanged: every confirmed account is looked up once more;
- linear: the first fifth of the links, when four fifths wait behind it, against the last;
- nothing starves: the same again beside as many changes that cannot be sent now, against without them;
- queuing: everybody's change is written (catching up), against the first links.

In the end SPAR must hold everybody's account, once, or there are no figures.
"""

import http.client
import json
import time
import uuid
from urllib.parse import urlsplit

from odoo.tools import SQL

from odoo.addons.queue_job.tests.common import trap_jobs

from benchmarks import _sandbox
from sandbox import door

SIZE = 50_000
BATCH = 100  # ids in a message
ITEM_MS = 0.5  # how long the mapper takes for each
BANK = {
    "strategy_id": 5, "fa_type": "BANK", "bank_name": "Example Bank", "bank_code": "EXBKUS33", "branch_code": "XXX",
    "branch_name": "XXX", "account_number": "1000000001",
}  # fmt: skip
LIMIT = 3.0


def run(env, size):
    env = env(context={**env.context, "tracking_disable": True})
    with _sandbox.server("spar") as url:
        _sandbox.control(url, "set", item_ms=ITEM_MS)
        mapper = _set_up(env, url)
        limit_link, limit_look = _limit(url, size)
        _reset(url)
        _people(env, mapper, size)

        queue = _timed(lambda: _catch_up(env, mapper))
        fifths = _drain(env, mapper, size)
        _check(env, mapper, url, size)
        again = _timed(lambda: _look_again(env, mapper, size))
        _check(env, mapper, url, size)

        _reset(url)
        _forget(env, mapper, stuck=size)
        beside = sum(_drain(env, mapper, size))
        _check(env, mapper, url, size)

        _reset(url)
        limit_signed, _look = _limit(url, size, _sign(env, mapper, url))
        _reset(url, partners=[mapper.signing_key_id.certificate])
        _catch_up(env, mapper)
        signed = sum(_drain(env, mapper, size))
        _check(env, mapper, url, size)
    link = sum(fifths)
    yield f"{size:,} first links, mapper's own limit beside", link, limit_link, LIMIT
    yield f"{size:,} first links, 2.x and signed", signed, limit_signed, LIMIT
    yield f"{size:,} unchanged, mapper's own limit beside", again, limit_look, LIMIT
    yield "first fifth of the links, against the last", fifths[0], fifths[-1], 1.5
    yield "beside as many that cannot be sent, against without", beside, link, 1.5
    yield "queuing, against the first links", queue, link, 2.0


# -- ours --------------------------------------------------------------------------------------


def _catch_up(env, mapper):
    """Queue everybody's change, as the job does, range after range."""
    with trap_jobs() as jobs:
        mapper._job_catch_up()
        while jobs.enqueued_jobs:
            jobs.perform_enqueued_jobs()
            env.cr.commit()
            env.invalidate_all()
            _only(jobs, "_job_catch_up")
    env.cr.commit()
    env.cr.execute("ANALYZE spp_spar_change")  # as autovacuum would
    env.cr.commit()


def _drain(env, mapper, size):
    """Do what the job runner would until nothing is due; seconds of each fifth."""
    seconds, done, fifths = 0, 0, []
    while mapper._due_spar_ids(1):
        with trap_jobs():
            seconds += _timed(mapper._job_drain)
        env.cr.commit()
        env.invalidate_all()
        done += 1
        if done % max(1, size // 5000) == 0:
            fifths.append(seconds)
            seconds = 0
    return fifths or [seconds]


def _look_again(env, mapper, size):
    with trap_jobs():
        assert mapper._look_again(SQL("TRUE")) == size
    env.cr.commit()
    _drain(env, mapper, size)


def _only(jobs, name):
    """Of the jobs that were enqueued, those of this method: the others have their own turn."""
    jobs.enqueued_jobs[:] = [job for job in jobs.enqueued_jobs if job.method_name == name]


def _check(env, mapper, url, size):
    env.cr.execute(
        "SELECT spar_id, state FROM spp_spar_change WHERE mapper_id = %s AND seq < 1000", [mapper.id]
    )
    newest = dict(env.cr.fetchall())
    state = json.loads(_sandbox.get(url, "state"))
    assert len(state["links"]) == size, len(state["links"])
    assert list(newest.values()).count("done") == size, "not everybody is confirmed"
    assert len(state["operations"]) == size, "somebody was linked twice"


# -- the mapper and its limit ------------------------------------------------------------------


def _limit(url, size, key=None):
    """Seconds that the mapper takes to look up, link and look up again, and to look up once, for a caller that does
    nothing else: the messages are made, and signed, before. With a key it is spoken to as 2.x."""
    address = urlsplit(url)
    ids = [f"token:{number:09}@nationalId" for number in range(size)]
    stamp = "2026-11-21T09:00:00Z"

    def messages(operation, **more):
        for start in range(0, size, BATCH):
            chunk = ids[start : start + BATCH]
            items = [
                {"reference_id": str(uuid.uuid4()), "timestamp": stamp, "id": each, **more} for each in chunk
            ]
            body = (_typed if key else _envelope)(operation, items, stamp)
            body = json.dumps(body, sort_keys=bool(key), separators=(",", ":")).encode()
            headers = {"Content-Type": "application/json"}
            yield body, {**headers, "Signature": door.sign(body, key)} if key else headers

    def post(path, messages):
        for body, headers in messages:
            # A connection a call, as calls that must be told apart after a fault are made.
            connection = http.client.HTTPConnection(address.hostname, address.port)
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            assert answer.status == 200
            json.loads(answer.read())
            connection.close()

    prefix = "/mapper" if key else "/sync"
    fa = BANK if key else "account:1000000001@EXBKUS33"
    links, looks = list(messages("link", fa=fa)), list(messages("resolve", scope="details"))
    first = _timed(lambda: post(f"{prefix}/resolve", looks))
    write = _timed(lambda: post(f"{prefix}/link", links))
    second = _timed(lambda: post(f"{prefix}/resolve", looks))
    assert len(json.loads(_sandbox.get(url, "state"))["links"]) == size
    return first + write + second, second


def _envelope(operation, items, stamp):
    header = {
        "version": "1.0.0", "message_id": str(uuid.uuid4()), "message_ts": stamp, "action": operation,
        "sender_id": "spp-registry", "sender_uri": "", "receiver_id": "spar", "total_count": len(items),
        "is_msg_encrypted": False,
    }  # fmt: skip
    return {"header": header, "message": {"transaction_id": str(uuid.uuid4()), f"{operation}_request": items}}


def _typed(operation, items, stamp):
    header = {
        "sender_app_mnemonic": "spp-registry", "sender_app_url": "", "request_id": str(uuid.uuid4()),
        "request_timestamp": stamp,
    }  # fmt: skip
    payload = {"transaction_id": str(uuid.uuid4()), f"{operation}_request": items}
    return {"request_header": header, "request_body": {"request_payload": payload}}


def _reset(url, **settings):
    _sandbox.control(url, "reset")
    _sandbox.control(url, "set", item_ms=ITEM_MS, **settings)


# -- what there is -----------------------------------------------------------------------------


def _set_up(env, url):
    env["spp.spar.mapper"].search([]).active = False
    kind = env["spp.identity.type"].create({"name": "Benchmark ID", "code": "BENCH_ID"})
    endpoint = env["spp.endpoint"].create({"name": "SPAR", "base_url": url})
    with trap_jobs():
        mapper = env["spp.spar.mapper"].create(
            {"name": "SPAR", "endpoint_id": endpoint.id, "identity_type_id": kind.id}
        )
    env.cr.commit()
    return mapper


def _people(env, mapper, size):
    """A person, a document and an account for each, copied in SQL from one that was entered."""
    bank = env["res.bank"].create({"name": "Example Bank", "bic": "EXBKUS33"})
    mapper.active = False  # what is queued for them is measured
    first = env["res.partner"].create(
        {"name": "BENCH PERSON", "is_registrant": True, "registration_date": "2026-01-01"}
    )
    document = env["spp.identity.document"].create(
        {"partner_id": first.id, "type_id": mapper.identity_type_id.id, "value": "000000000"}
    )
    account = env["spp.payment.account"].create(
        {"partner_id": first.id, "kind": "bank", "provider_id": bank.id, "number": "1000000000"}
    )
    env.cr.flush()
    people = _copy(env, "res_partner", first.id, size - 1, {})
    for table, record, differing in (
        ("spp_identity_document", document, {"value": "lpad(n::text, 9, '0')"}),
        ("spp_payment_account", account, {"number": "(1000000000 + n)::text"}),
    ):
        _copy(env, table, record.id, size - 1, {**differing, "partner_id": f"{people[0] - 1} + n"})
    mapper.active = True
    env.cr.commit()
    env.cr.execute("ANALYZE")
    env.cr.commit()
    env.invalidate_all()


def _copy(env, table, record_id, count, differing):
    """Rows like one that the ORM made; `differing`: SQL of the columns that must not be the same, of a number `n`."""
    env.cr.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s AND column_name <> 'id'",
        [table],
    )
    columns = [name for (name,) in env.cr.fetchall()]
    env.cr.execute(
        SQL(
            "INSERT INTO %s (%s) SELECT %s FROM %s, generate_series(1, %s) AS of(n) WHERE id = %s"
            " ORDER BY n RETURNING id",
            SQL.identifier(table),
            SQL(", ").join(map(SQL.identifier, columns)),
            SQL(", ").join(
                SQL(differing[name]) if name in differing else SQL.identifier(name) for name in columns
            ),
            SQL.identifier(table),
            count,
            record_id,
        )
    )
    return [row[0] for row in env.cr.fetchall()]


def _forget(env, mapper, stuck):
    """Everybody is to be linked for the first time again, and as many changes of other IDs wait until tomorrow."""
    env.cr.execute(
        """
        UPDATE spp_spar_change
           SET state = 'pending', attempts = NULL, sent_at = NULL, observed_at = NULL, observed_fa = NULL,
               next_try_at = now() AT TIME ZONE 'UTC' - interval '1 hour'
         WHERE mapper_id = %s
        """,
        [mapper.id],
    )
    env.cr.execute(
        """
        INSERT INTO spp_spar_change (mapper_id, company_id, spar_id, seq, partner_id, op, state, reference_id,
                                     transaction_id, next_try_at, create_date)
        SELECT mapper_id, company_id, 'stuck:' || spar_id, 1000, partner_id, 'set', 'retry', 'x', 'x',
               now() AT TIME ZONE 'UTC' + interval '1 day', create_date - interval '1 day'
          FROM spp_spar_change WHERE mapper_id = %s LIMIT %s
        """,
        [mapper.id, stuck],
    )
    env.cr.commit()
    env.cr.execute("ANALYZE spp_spar_change")
    env.cr.commit()
    env.invalidate_all()


def _sign(env, mapper, url):
    """The other generation, signed, and nothing queued yet; returns the private key."""
    # Changes are never deleted but here, so that what refers to them has no index of its own.
    env.cr.execute("CREATE INDEX spp_bench_after_idx ON spp_spar_change (after_id)")
    env.cr.execute("DELETE FROM spp_spar_change WHERE mapper_id = %s", [mapper.id])
    env.cr.execute("DROP INDEX spp_bench_after_idx")
    key = env["spp.signing.key"].create({"name": mapper.sender_id})
    key.action_generate()
    key.action_use()
    mapper.endpoint_id.write({"signature_form": "sorted", "signing_key_id": key.id})
    with trap_jobs():
        mapper.dialect = "2.x"
    _sandbox.control(url, "set", partners=[key.certificate])
    env.cr.commit()
    env.invalidate_all()
    return key._get_private_key()


def _timed(work):
    begun = time.monotonic()
    work()
    return time.monotonic() - begun
