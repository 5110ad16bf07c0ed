"""People's accounts and documents are edited in any order while everything that can fail on the way to SPAR fails.

Two drains at a time, workers that die, answers that are lost, requests that the mapper carries out late or twice, and
another channel that writes to the same SPAR. In the end SPAR holds for everybody what the registry says, or a person
is shown that it does not; and what was sent about one person was sent in order, one at a time.

All is drawn from a seeded generator, printed when a test fails: SPP_SEED repeats the draws.
"""

import contextlib
import json
import os
import random
import re
import threading
import time
import urllib.request
from datetime import timedelta
from unittest.mock import patch

import psycopg2
import pytest

from sandbox import start
from scripts import database, series

DATABASE = "spp_spar_random"
LATE = timedelta(seconds=3)  # stands for the quarter of an hour
FAULTS = (
    {"fault": "delay", "seconds": 0.9},  # the caller has left when it is carried out
    {"fault": "delay", "seconds": 2.2},  # and has sent something else meanwhile
    {"fault": "delay_after", "seconds": 0.9},
    {"fault": "drop_before"},
    {"fault": "drop_after"},
    {"fault": "duplicate"},
    {"fault": "replay", "seconds": 0.3},
    {"fault": "replay", "seconds": 1.5},
    {"fault": "error", "status": 503},
    {"fault": "error", "status": 500},
    {"fault": "error_after", "status": 500},
    {"fault": "html"},
    {"fault": "refuse_all"},  # the signature: the endpoint is paused
)
MISSED = (
    psycopg2.errors.SerializationFailure,
    psycopg2.errors.LockNotAvailable,
    psycopg2.errors.DeadlockDetected,
)


class Killed(BaseException):
    """The worker died."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    from odoo.modules.registry import Registry
    from odoo.sql_db import close_db
    from odoo.tools import config

    database.clone(series.current().template, DATABASE)
    testing = config["test_enable"]
    config["test_enable"] = False  # or the tests of the addons would run while they are loaded
    try:
        registry = Registry(DATABASE)
    finally:
        config["test_enable"] = testing
    try:
        with start(tmp_path_factory.mktemp("sandbox")) as urls:
            yield World(registry, urls.spar)
    finally:
        Registry.delete(DATABASE)
        close_db(DATABASE)
        database.drop(DATABASE)


@pytest.mark.parametrize("dialect", ["1.1", "2.x"])
def test_some_hundred_edits(world, dialect):
    run(world, dialect, people=30, edits=240)


@pytest.mark.deep
def test_two_thousand_edits(world):
    done = run(world, "2.x", people=240, edits=2200)
    assert done["edits"] >= 1500 and all(done.values()), done


def run(world, dialect, people, edits):
    seed = int(os.environ.get("SPP_SEED") or time.time())
    print(f"SPP_SEED={seed}")  # shown where it fails
    play = Play(world, dialect, random.Random(seed))
    play.begin(people)
    with patch("odoo.addons.spp_spar_sync.drain.LATE_ARRIVAL", LATE), play.watched():
        play.live(edits)
        play.settle()
    play.check()
    print(play.done)
    return play.done


class World:
    """A database with one mapper, and the sandbox's SPAR."""

    def __init__(self, registry, url):
        self.registry, self.url = registry, url
        with self.env() as env:
            env["spp.spar.mapper"].search([]).active = False
            self.bank = env["res.bank"].create({"name": "First Bank", "bic": "FB01"}).id
            self.type = env["spp.identity.type"].create({"name": "Random ID", "code": "SPAR_RANDOM"}).id
            endpoint = env["spp.endpoint"].create({"name": "SPAR", "base_url": url, "total_timeout": 0.5})
            self.endpoint = endpoint.id
            group = env.ref("spp_base.group_enrollment_officer")
            officer = env["res.users"].create(
                {"name": "Officer", "login": "random_officer", "spp_role_ids": [(6, 0, group.ids)]}
            )
            self.officer = officer.id
            self.mapper = env["spp.spar.mapper"].create(
                {
                    "name": "SPAR", "endpoint_id": endpoint.id, "identity_type_id": self.type, "settle_seconds": 1,
                    "sample_size": 10**6, "branch": "001",
                }
            ).id  # fmt: skip

    @contextlib.contextmanager
    def env(self):
        from odoo import SUPERUSER_ID, api

        with self.registry.cursor() as cr:
            yield api.Environment(cr, SUPERUSER_ID, {"tracking_disable": True})

    def control(self, command, **body):
        request = urllib.request.Request(
            f"{self.url}/_sandbox/{command}",
            json.dumps(body).encode() if body or command != "state" else None,
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


class Play:
    def __init__(self, world, dialect, draw):
        self.world, self.dialect, self.draw = world, dialect, draw
        self.stop = threading.Event()
        self.sent = []  # (SPAR id, reference, begun, ended) of every write
        self.lock = threading.Lock()
        self.done = dict.fromkeys(("edits", "missed", "killed", "others", "settled"), 0)
        self.numbers = iter(range(10**9 + draw.randrange(10**6) * 100, 10**10))
        self.stamp = f"{draw.randrange(16**6):06x}"
        self.documents = iter(range(10**6))

    def document(self):
        return f"{self.stamp}-{next(self.documents)}"

    def count(self, what, number=1):
        with self.lock:
            self.done[what] += number

    def begin(self, people):
        world = self.world
        world.control("reset")
        with world.env() as env:
            env["spp.spar.mapper"].browse(world.mapper).dialect = self.dialect
            partners = env["res.partner"].create(
                [
                    {"name": f"P {index}", "is_registrant": True, "registration_date": "2026-01-01"}
                    for index in range(people)
                ]
            )
            env["spp.identity.document"].create(
                [
                    {"partner_id": each.id, "type_id": world.type, "value": self.document()}
                    for each in partners
                ]
            )
            self.people = partners.ids

    # Everybody at once

    def live(self, edits):
        draws = [random.Random(self.draw.random()) for _each in range(8)]
        drains = [threading.Thread(target=self.forever, args=(self.drain, draw)) for draw in draws[:2]]
        others = [
            threading.Thread(target=self.forever, args=(act, draw))
            for act, draw in ((self.trouble, draws[2]), (self.pass_time, draws[3]))
        ]
        editors = [threading.Thread(target=self.edit_many, args=(edits // 2, draw)) for draw in draws[4:6]]
        for thread in (*drains, *others, *editors):
            thread.start()
        for thread in editors:
            thread.join()
        self.stop.set()
        for thread in (*drains, *others):
            thread.join()

    def forever(self, act, draw):
        while not self.stop.is_set():
            try:
                act(draw)
            except Killed:
                self.count("killed")
            except MISSED:
                self.count("missed")

    def drain(self, _draw=None):
        with self.world.env() as env:
            mapper = env["spp.spar.mapper"].browse(self.world.mapper)
            if not mapper.endpoint_id.paused:
                mapper._job_drain()
        self.stop.wait(0.05)

    def trouble(self, draw):
        """Faults on the way, and another channel."""
        prefix = "/sync" if self.dialect == "1.1" else "/mapper"
        fault = draw.choices(FAULTS, [4] * (len(FAULTS) - 1) + [1])[0]
        self.world.control(
            "faults", path=f"{prefix}/{draw.choice(('link', 'update', 'unlink', 'resolve', '*'))}", **fault
        )
        if draw.random() < 0.3:
            with self.world.env() as env:
                known = env["spp.spar.change"].search([("partner_id", "in", self.people)], limit=200)
                if known:
                    number = next(self.numbers)
                    fa = draw.choice((None, f"mobile:+{number}@MOMO"))
                    self.world.control("set", id=draw.choice(known).spar_id, fa=fa)
                    self.count("others")
        self.stop.wait(0.08)

    def pass_time(self, draw):
        """Long waits are shortened, the endpoint is resumed, an officer settles a conflict or tries again."""
        with self.world.env() as env:
            env.cr.execute(
                "UPDATE spp_spar_change SET next_try_at = now() AT TIME ZONE 'UTC' + interval '3.5 s'"
                " WHERE next_try_at > now() AT TIME ZONE 'UTC' + interval '4 s'"
            )
        with self.world.env() as env:
            endpoint = env["spp.endpoint"].browse(self.world.endpoint)
            if endpoint.paused:
                endpoint.action_resume()
        with self.world.env() as env:
            self.settle_some(env, draw)
        self.stop.wait(0.4)

    def settle_some(self, env, draw):
        from odoo.exceptions import UserError

        waiting = [("partner_id", "in", self.people), ("state", "in", ["conflict", "failed"])]
        for change in env["spp.spar.change"].search(waiting).with_user(self.world.officer):
            with contextlib.suppress(UserError):  # a younger change took its place, or it is being sent
                if change.state == "failed":
                    change.action_retry()
                elif draw.random() < 0.5:
                    change.action_resolve_conflict("ours", "Card seen")
                    self.count("settled")

    def edit_many(self, edits, draw):
        from odoo.exceptions import ValidationError

        left = edits
        while left > 0:
            several = min(left, draw.randint(1, 8))
            left -= several
            try:
                with self.world.env() as env:
                    for _each in range(several):
                        self.edit(env, draw)
                self.count("edits", several)
            except (*MISSED, ValidationError):  # the other one edited the same person
                self.count("missed", several)
            time.sleep(draw.random() * 0.06)

    def edit(self, env, draw):
        """What people do, with a preference for a few people who are edited again and again."""
        some = self.people if draw.random() < 0.7 else self.people[: len(self.people) // 10 + 1]
        person = env["res.partner"].browse(draw.choice(some))
        primary = person.payment_account_ids.filtered(lambda each: each.is_primary and each.state == "active")
        what = draw.random()
        if not primary or what < 0.4:
            primary.is_primary = False
            env["spp.payment.account"].create(
                {
                    "partner_id": person.id, "kind": "bank", "provider_id": self.world.bank, "is_primary": True,
                    "number": str(next(self.numbers)),
                }
            )  # fmt: skip
        elif what < 0.75:
            primary.number = str(next(self.numbers))
        elif what < 0.85:
            primary.action_end()
        else:
            valid = person.document_ids.filtered(lambda each: each.state == "valid")
            if valid:
                valid[0].value = self.document()

    # The end

    def settle(self):
        """No more trouble: what is under way arrives, then everything that waits gets its turn."""
        self.stop.clear()
        time.sleep(max(fault.get("seconds", 0) for fault in FAULTS) + 0.5)
        urllib.request.urlopen(
            urllib.request.Request(f"{self.world.url}/_sandbox/faults", method="DELETE"), timeout=30
        ).close()
        with self.world.env() as env:
            env["spp.endpoint"].browse(self.world.endpoint).write(
                {"total_timeout": 30, "paused": False, "pause_reason": False}
            )
        for last in (False, True):
            deadline = time.monotonic() + 60
            while self.waiting():
                assert time.monotonic() < deadline, "something waits for ever"
                with self.world.env() as env:
                    env.cr.execute(
                        "UPDATE spp_spar_change SET next_try_at = now() AT TIME ZONE 'UTC' WHERE next_try_at > now() AT TIME ZONE 'UTC'"
                    )
                with contextlib.suppress(Killed):
                    self.drain()
            if not last:  # the daily check finds what nobody looked for
                with self.world.env() as env:
                    env["spp.spar.mapper"].browse(self.world.mapper)._job_sample()
        with self.world.env() as env:
            env["spp.endpoint"].browse(self.world.endpoint).total_timeout = 0.5

    def waiting(self):
        with self.world.env() as env:
            if env["spp.spar.change"].search_count(
                [("partner_id", "in", self.people), ("state", "=", "failed")]
            ):
                self.settle_some(env, random.Random(0))
            return env["spp.spar.change"].search_count(
                [("partner_id", "in", self.people), ("next_try_at", "!=", False)]
            )

    def check(self):
        links = {spar_id: link["fa"] for spar_id, link in self.world.control("state")["links"].items()}
        with self.world.env() as env:
            env.cr.execute(
                """
                SELECT 'token:' || document.value || '@nationalId', account.number
                  FROM spp_identity_document document
             LEFT JOIN spp_payment_account account
                    ON account.partner_id = document.partner_id AND account.is_primary AND account.state = 'active'
                 WHERE document.partner_id = ANY(%s) AND document.state = 'valid'
                """,
                [self.people],
            )
            wanted = {spar_id: number for spar_id, number in env.cr.fetchall() if number}
            env.cr.execute(
                """
                SELECT DISTINCT ON (change.spar_id) change.spar_id,
                       -- a new ID waits until a person has said what becomes of the former one
                       CASE WHEN change.state = 'pending' AND before.state = 'conflict' THEN 'conflict' ELSE change.state END
                  FROM spp_spar_change change LEFT JOIN spp_spar_change before ON before.id = change.after_id
                 WHERE change.partner_id = ANY(%s) ORDER BY change.spar_id, change.seq DESC
                """,
                [self.people],
            )
            newest = dict(env.cr.fetchall())
            env.cr.execute(
                "SELECT spar_id, reference_id, seq FROM spp_spar_change WHERE partner_id = ANY(%s)",
                [self.people],
            )
            seqs = {reference: seq for _spar_id, reference, seq in env.cr.fetchall()}
        stuck = {spar_id for spar_id, state in newest.items() if state not in ("done", "conflict")}
        assert not stuck, self.histories(stuck)
        for spar_id in newest.keys() | wanted.keys():
            held, due = number_of(links.get(spar_id)), wanted.get(spar_id)
            # An ID that is nobody's any more may be linked by others; a former account of ours is not back.
            free = due is None and (held or "").startswith("mobile:")
            assert held == due or newest[spar_id] == "conflict" or free, (
                held,
                due,
                self.histories([spar_id]),
            )
        conflicts = sum(state == "conflict" for state in newest.values())
        assert conflicts <= len(newest) / 2, (
            "a test in which everything ends as a conflict would show nothing"
        )
        self.done["conflicts"], self.done["ids"] = conflicts, len(newest)

        per_id = {}
        for spar_id, reference, begun, ended in self.sent:
            if reference in seqs:  # and not of the people before
                per_id.setdefault(spar_id, []).append((begun, ended, seqs[reference]))
        for spar_id, writes in per_id.items():
            writes.sort()
            for (_begun, ended, seq), (next_begun, _ended, next_seq) in zip(writes, writes[1:], strict=False):
                assert ended <= next_begun, f"two senders at once for {spar_id}"
                assert seq <= next_seq, f"an older change of {spar_id} was sent after a younger one"
        self.done["writes"] = len(self.sent)

    def histories(self, spar_ids):
        """What became of these IDs, for the message of a failure."""
        with self.world.env() as env:
            rows = env["spp.spar.change"].search_read(
                [("spar_id", "in", list(spar_ids)[:3])],
                [
                    "spar_id",
                    "seq",
                    "op",
                    "state",
                    "reason",
                    "target_fa",
                    "observed_fa",
                    "after_id",
                    "next_try_at",
                    "lost_at",
                ],
                order="spar_id, seq",
            )
        print(*rows, sep="\n")
        return "see the rows above"

    @contextlib.contextmanager
    def watched(self):
        """Note every write, and let workers die after one now and then."""
        from odoo.addons.spp_spar_sync.drain import Drain

        call = Drain._call
        draw = random.Random(self.draw.random())

        def noted(drain, operation, items, transaction_id):
            begun = time.monotonic()
            result = call(drain, operation, items, transaction_id)
            if operation != "resolve":
                ended = time.monotonic()
                with self.lock:
                    self.sent += [(item["id"], item["reference_id"], begun, ended) for item in items]
            if not self.stop.is_set() and draw.random() < 0.03:
                raise Killed
            return result

        with patch.object(Drain, "_call", noted):
            yield


def number_of(fa):
    """The account number in a string of either generation."""
    found = re.search(r"^account(?:_number)?:(\d+)[.@]", fa or "")
    return found[1] if found else fa
