"""Payments over G2P Connect: prepared, sent in batches, asked about and settled, against the payer's own limit.

    ./spp bench payments                  # 100,000 payments
    ./spp bench payments --size 10000

The payer is the sandbox's, in a process of its own, and takes half a millisecond for each payment, which is 2,000 a
second; no figure of a payment system in service was to be found. Its limit is measured beside: messages of the same
form and size, posted one after another by the standard library and nothing else. (Without that half millisecond the
payer writes a row and nothing more, in some 15 microseconds. Ours notes each payment as claimed and as concluded, both
committed, and then takes 12 times as long to send and 8 times to settle.) Rows of the table:

- sending, and settling (the questions and what follows from them: states, ledger, entitlements), each against the
  payer's own limit for these messages: at most twice as long, that is at least half its throughput;
- memory: how much the process grew while it sent and settled, in megabytes, against 200;
- preparing (insert, holds, addresses, batches) against the payer's limit for sending: at most as long.

In the end the payer's ledger and ours must be the same, or there are no figures.
"""

import http.client
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from odoo.tools import SQL

from odoo.addons.queue_job.tests.common import trap_jobs

from benchmarks import _sandbox

SIZE = 100_000
BATCH = 500
ASKED = 500  # payments in one question
ITEM_MS = 0.5  # how long the payer takes for each payment
JOBS = 2  # side by side, as in scripts/odoo_server.py
AMOUNT = 25
LIMIT, MEMORY = 2.0, 200
AS_OF = "2026-06-01"
DISBURSE, STATUS = "/disburse/sync/disburse", "/disburse/sync/txn/status"


def run(env, size):
    env = env(context={**env.context, "tracking_disable": True})
    with _sandbox.server("payer") as url:
        cycle = _approved_cycle(env, size, url)
        limit_send, limit_ask = _limit(url, size)
        _sandbox.control(url, "reset")
        _sandbox.control(url, "set", listed_after=0, settle_after=0, item_ms=ITEM_MS)

        prepare = _timed(lambda: cycle.with_user(_user(env, "program_manager")).action_prepare_payments())
        env.cr.commit()
        before = _memory()
        send = _timed(lambda: _send(env, cycle))
        settle = _timed(lambda: _settle(env, cycle))
        grown = _memory() - before
        _check(env, cycle, url, size)
    yield f"send {size:,} payments, payer's own limit beside", send, limit_send, LIMIT
    yield f"settle {size:,} payments, payer's own limit beside", settle, limit_ask, LIMIT
    yield "prepare, against the payer's limit for sending", prepare, limit_send, 1.0
    yield "memory grown (MB), against what it may", max(grown, 0.1), MEMORY, 1.0


# -- ours --------------------------------------------------------------------------------------


def _send(env, cycle):
    """Release, and do what the job runner would: each batch by a job, as many side by side as ./spp runs."""
    batches = cycle.payment_batch_ids.ids

    def job(batch_id):
        with env.registry.cursor() as cr:
            env(cr=cr)["spp.payment.batch"].browse(batch_id)._job_send()

    with trap_jobs():
        cycle.with_user(_user(env, "payment_releaser")).action_send_payments()
        env.cr.commit()
        with ThreadPoolExecutor(JOBS) as workers:
            list(workers.map(job, batches))
    env.invalidate_all()


def _settle(env, cycle):
    with trap_jobs() as jobs:
        env["spp.payment.manager"]._cron_payment_status()
        while jobs.enqueued_jobs:
            jobs.perform_enqueued_jobs()
            env.cr.commit()
            env.invalidate_all()


def _check(env, cycle, url, size):
    ledger = json.loads(_sandbox.get(url, "state"))["paid"]
    env.cr.execute(SQL("SELECT reference, state FROM spp_payment WHERE cycle_id = %s", cycle.id))
    ours = dict(env.cr.fetchall())
    cycle.program_id.invalidate_recordset()
    assert len(ours) == size and set(ours.values()) == {"paid"}, set(ours.values())
    assert ledger == dict.fromkeys(ours, 1), "the payer's ledger is another"
    assert cycle.program_id.fund_disbursed == AMOUNT * size


# -- the payer and its limit -------------------------------------------------------------------


def _limit(url, size):
    """Seconds that the payer takes for the same payments, and for as many questions, from a caller that does nothing
    else."""
    _sandbox.control(url, "set", listed_after=0, settle_after=0, item_ms=ITEM_MS)
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname, address.port)
    references = [f"LIMIT-1-P{number:07d}" for number in range(size)]

    def post(path, message, count):
        header = {
            "version": "1.0.0", "message_id": str(uuid.uuid4()), "message_ts": "2026-11-21T09:00:00+00:00",
            "action": "disburse", "sender_id": "spp.example.org", "total_count": count,
        }  # fmt: skip
        body = json.dumps({"signature": "", "header": header, "message": message})
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200
        json.loads(answer.read())

    def send():
        for start in range(0, size, BATCH):
            items = [_item(reference) for reference in references[start : start + BATCH]]
            post(DISBURSE, {"transaction_id": f"B-{start}", "disbursements": items}, len(items))

    def ask():
        for start in range(0, size, ASKED):
            question = {
                "reference_id": "q", "txn_type": "disburse", "attribute_type": "reference_id_list",
                "attribute_value": references[start : start + ASKED], "locale": "eng",
            }  # fmt: skip
            post(STATUS, {"transaction_id": f"Q-{start}", "txnstatus_request": question}, 1)

    return _timed(send), _timed(ask)


def _item(reference):
    return {
        "reference_id": reference, "payer_fa": "account:0011223344@treasury-bank",
        "payee_fa": f"account:{reference[-7:]}@EXBKUS33", "amount": "25.00",
        "scheduled_timestamp": "2026-11-21T09:00:00+00:00", "currency_code": "USD", "locale": "eng",
        "payer_name": "Program BENCH", "payee_name": f"PERSON {reference}", "note": "June", "purpose": "Program BENCH",
    }  # fmt: skip


# -- the cycle ---------------------------------------------------------------------------------


def _approved_cycle(env, size, url):
    env["ir.config_parameter"].set_param("spp_base.rows_at_once", str(10**9))  # here, and not in a job
    bank = env["res.bank"].create({"name": "Example Bank", "bic": "EXBKUS33"})
    endpoint = env["spp.endpoint"].create({"name": "Payer", "base_url": url})
    manager = env["spp.payment.manager"].create(
        {
            "name": "Payer", "provider": "g2p_connect", "endpoint_id": endpoint.id, "sender_id": "spp.example.org",
            "payer_fa": "account:0011223344@treasury-bank", "batch_size": BATCH,
        }
    )  # fmt: skip
    rule = env["spp.rule"].create({"name": "Everybody", "target": "individual"})
    version = env["spp.rule.version"].create({"rule_id": rule.id, "expression": "individual.age >= 60"})
    version.action_publish("Benchmark")
    program = env["spp.program"].with_user(_user(env, "program_manager")).create(
        {
            "name": "Program BENCH", "code": "BENCH", "target": "individual", "rule_id": rule.id,
            "payment_manager_id": manager.id,
            "benefit_ids": [(0, 0, {"name": "Grant", "kind": "money", "amount": AMOUNT})],
        }
    )  # fmt: skip
    program.action_activate()
    program.with_user(_user(env, "finance_officer")).fund_allocate(
        f"{AMOUNT * size}.00", "Warrant 1", "first"
    )
    _people(env, size, bank)
    program.with_user(_user(env, "enrollment_officer")).action_import_candidates()
    _as_autovacuum(env)
    program.action_enroll(AS_OF)
    _as_autovacuum(env)
    cycle = env["spp.cycle"].browse(program.action_new_cycle("2026-06-01", "2026-06-30", AS_OF))
    cycle = cycle.with_user(_user(env, "program_manager"))
    cycle.action_compute()
    cycle.action_submit()
    _as_autovacuum(env)
    cycle.with_user(_user(env, "approver")).action_approve()
    _as_autovacuum(env)
    return cycle.with_env(env)


def _as_autovacuum(env):
    """What would have happened between the steps of people."""
    env.cr.commit()
    env.cr.execute("ANALYZE")
    env.cr.commit()


def _people(env, size, bank):
    env.cr.execute("SELECT COALESCE(max(id), 0) FROM res_partner")
    (last,) = env.cr.fetchone()
    env.cr.execute(
        """
        INSERT INTO res_partner (id, name, complete_name, active, type, is_registrant, is_group, birthdate,
                                 registrant_status)
        SELECT %(last)s + n, 'PERSON ' || n, 'PERSON ' || n, TRUE, 'contact', TRUE, FALSE, '1950-01-01', 'active'
          FROM generate_series(1, %(size)s) n
        """,
        {"last": last, "size": size},
    )
    env.cr.execute(
        """
        INSERT INTO spp_payment_account (partner_id, kind, provider_id, number, number_masked, is_primary, state)
        SELECT %(last)s + n, 'bank', %(bank)s, lpad(n::text, 10, '4'), '••••', TRUE, 'active'
          FROM generate_series(1, %(size)s) n
        """,
        {"last": last, "size": size, "bank": bank.id},
    )
    env.cr.execute("SELECT setval('res_partner_id_seq', (SELECT max(id) FROM res_partner))")
    env.cr.execute("ANALYZE res_partner, spp_payment_account")
    env.cr.commit()


_USERS = {}


def _user(env, role):
    if role not in _USERS:
        _USERS[role] = env["res.users"].create(
            {
                "name": role,
                "login": f"bench_{role}",
                "groups_id": [(6, 0, env.ref(f"spp_base.group_{role}").ids)],
            }
        )
    return _USERS[role].id


def _timed(work):
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _memory():
    """Megabytes that the process holds."""
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
