"""One pass over due SPAR ids: resolve, link or update or unlink, read back.

Under REPEATABLE READ a job's own cursor neither sees what others write nor keeps what it writes if it dies.
So a drain works on a second cursor, which does two things at once: it holds one session-level advisory lock
per SPAR id for as long as the pass lasts, and it commits each step before the next call. If its connection
breaks, the locks are gone and so is the way to note a sending: nothing is sent without the lock.

What is known of an id comes only from SPAR. Every pass begins by resolving, so an answer that was lost is
asked for, never assumed, and a link that was applied is not made twice.

Reading, calls and noting are done for many ids at once; what is done about each is decided one by one.
"""

import contextlib
import json
import uuid
from datetime import timedelta

from odoo import fields
from odoo.tools import SQL, groupby, split_every

from odoo.addons.spp_base.http import CallError, NotSent

from .wire import DIALECTS, Outcome, Reading, Step, Verdict, next_step

# A request whose answer was lost, or a copy of one, may still be carried out by the mapper. After this long it is not.
LATE_ARRIVAL = timedelta(minutes=15)
LONGEST_WAIT = timedelta(hours=1)
LIMITED_TRIES = 5
ROUNDS = 4  # a write and at most two turns between link and update, each read back
ITEMS_PER_WRITE = 100
ANSWER_KEPT = 4000
UNFINISHED = ("pending", "sending", "retry", "conflict", "failed")
CONCLUDED = ("done", "conflict", "failed", "superseded")
NOT_SHOWN = Outcome(
    Verdict.RETRY, "The change was made, but what SPAR holds is still not what was sent.", limited=True
)

READ = (
    "id", "spar_id", "seq", "state", "target_fa", "payload", "reference_id", "transaction_id", "expected_previous",
    "observed_fa", "decision", "attempts", "next_try_at", "sent_at", "lost_at", "done_at",
)  # fmt: skip
NOTED = {
    "state": "varchar",
    "expected_previous": "varchar",
    "observed_fa": "varchar",
    "observed_masked": "varchar",
    "observed_at": "timestamp",
    "transaction_id": "varchar",
    "reason": "varchar",
    "last_code": "varchar",
    "last_answer": "text",
    "attempts": "integer",
    "next_try_at": "timestamp",
    "sent_at": "timestamp",
    "lost_at": "timestamp",
    "done_at": "timestamp",
}


class Row:
    """A change while it is worked on: its columns, and those of them that are to be noted."""

    def __init__(self, values):
        vars(self).update(values, attempts=values["attempts"] or 0)
        self.noted = {}

    def note(self, **values):
        values = {name: _storable(value) for name, value in values.items()}
        vars(self).update(values)
        self.noted.update(values)


class Drain:
    """Carries out changes of one mapper. `mapper` lives on the drain's own cursor, as superuser."""

    def __init__(self, mapper, client):
        self.mapper = mapper
        self.client = client
        self.dialect = DIALECTS[mapper.dialect]
        # Read once: each commit empties the cache.
        self.path_prefix, self.header = mapper.path_prefix, mapper._header()
        self.settle_time = timedelta(seconds=mapper.settle_seconds)
        self.changes = mapper.env["spp.spar.change"]
        self.words = self.changes._words()
        self.stopped = False  # every other request would meet the same: the endpoint is paused
        self.silent = False  # SPAR does not answer, or wants fewer requests: the rest is left for later
        self.released = False  # what waited for another id may go now

    def run(self, spar_ids):
        """Bring these ids as far as they come now. Returns those that another drain is working on."""
        with self._locked(spar_ids) as mine:
            self._converge(self._claim(mine))
        return set(spar_ids) - set(mine)

    @contextlib.contextmanager
    def _locked(self, spar_ids):
        cr = self.mapper.env.cr
        cr.execute(
            SQL(
                "SELECT id FROM unnest(%s) AS id WHERE pg_try_advisory_lock(hashtextextended(id, %s))",
                list(spar_ids),
                self.mapper.id,
            )
        )
        mine = [row[0] for row in cr.fetchall()]
        self._commit()  # what is read from here on is what the last holder of a lock has committed
        try:
            yield mine
        finally:
            cr.rollback()
            cr.execute("SELECT pg_advisory_unlock_all()")  # the cursor is ours alone

    # What is to be done

    def _claim(self, spar_ids):
        """The newest change of each id, older ones closed. Returns {row: accounts SPAR may hold before}."""
        cr = self.mapper.env.cr
        cr.execute(
            SQL(
                "SELECT %s FROM spp_spar_change WHERE mapper_id = %s AND spar_id = ANY(%s) ORDER BY spar_id, seq",
                SQL(", ").join(map(SQL.identifier, READ)),
                self.mapper.id,
                spar_ids,
            )
        )
        history = [Row(values) for values in cr.dictfetchall()]
        claimed = {}
        for _spar_id, rows in groupby(history, lambda row: row.spar_id):
            *older, newest = rows
            for row in (*older, newest):
                if row.state == "sending":  # its sender is dead, or we would not hold the lock
                    row.note(lost_at=row.sent_at)
            for row in older:
                if row.state in UNFINISHED:
                    row.note(state="superseded", reason=self.words["superseded"])
                if row.next_try_at:
                    row.note(next_try_at=None)
            if newest.next_try_at and newest.next_try_at <= fields.Datetime.now():
                claimed[newest] = self._expected(newest, older)
                newest.look_again_at = self._look_again_at(newest, older)
        self._save(row for row in history if row not in claimed)  # those are noted with what is done next
        return claimed

    def _expected(self, newest, older):
        """The accounts that SPAR may rightly hold before this change."""
        now = fields.Datetime.now()
        base = next((row for row in reversed(older) if row.state == "done" or row.decision == "theirs"), None)
        # Accounts that our own earlier requests may have put there, or may still put there.
        late = {
            row.target_fa or ""
            for row in older
            if row.lost_at and (not base or row.seq > base.seq or row.lost_at > now - LATE_ARRIVAL)
        }
        if newest.state == "done":
            # Looked at once more: but for a late request of ours, it is somebody else's.
            return late
        if newest.decision != "ours":
            newest.note(expected_previous=_known(base))
        newest.note(attempts=newest.attempts + 1)
        return {newest.expected_previous or "", _known(base), *late}

    @staticmethod
    def _look_again_at(newest, older):
        """When to look once more, because an older request with another account, or a copy of it, may still arrive."""
        sent = [
            max(row.sent_at, row.lost_at or row.sent_at) + LATE_ARRIVAL
            for row in older
            if row.sent_at and row.target_fa != newest.target_fa
        ]
        latest = max(sent, default=None)
        return latest if latest and latest > fields.Datetime.now() else None

    # Doing it

    def _converge(self, claimed):
        waiting, confirmed = list(claimed), set()
        for rounds_left in reversed(range(ROUNDS)):
            if not waiting or self.stopped:
                return
            answers = self._resolve(waiting)
            steps = {}
            for row in waiting:
                step = self._conclude(row, answers[row], claimed[row])
                if step and (row in confirmed or not rounds_left):
                    self._put_off(row, NOT_SHOWN)
                elif step:
                    steps[row] = step
            self._save(row for row in waiting if row not in steps)
            waiting, confirmed = self._write(steps)

    def _conclude(self, row, answer, expected):
        """The write that is still to be made, or None when nothing is to be done now."""
        if answer.verdict is not Verdict.DONE:
            self._put_off(row, answer)
            return None
        now = fields.Datetime.now()
        row.note(observed_fa=answer.fa, observed_masked=self.dialect.mask(answer.fa), observed_at=now)
        step = next_step(row.target_fa or "", answer.fa, expected, self.dialect.same)
        if step is Step.NOTHING:
            row.note(next_try_at=row.look_again_at, reason=None, last_code=None)
            if row.state != "done":
                row.note(state="done", done_at=now)
        elif step is Step.CONFLICT:
            reason = self.words["other" if answer.fa else "gone"]
            row.note(state="conflict", reason=reason, next_try_at=None)
        else:
            return step
        return None

    def _resolve(self, rows):
        """{row: Outcome}, all in one call; in halves if the mapper fails over the call as a whole."""
        now = self.mapper._timestamp()
        questions = {row: self.dialect.question(str(uuid.uuid4()), now, row.spar_id) for row in rows}
        reading, _text = self._call("resolve", list(questions.values()), str(uuid.uuid4()))
        whole = reading.whole
        if whole and len(rows) > 1 and (whole.verdict is Verdict.PERMANENT or whole.limited):
            half = len(rows) // 2
            return self._resolve(rows[:half]) | self._resolve(rows[half:])
        return {row: reading.of(question["reference_id"]) for row, question in questions.items()}

    def _write(self, steps):
        """Make the writes. Returns those to look at again, and which of them SPAR confirmed.

        What is tried for the first time goes together; what failed before goes alone, so that one request that
        the mapper cannot bear keeps nobody else back.
        """
        batches = []
        for step in (Step.UNLINK, Step.UPDATE, Step.LINK):
            rows = [row for row, wanted in steps.items() if wanted is step]
            fresh = [row for row in rows if row.attempts == 1 and row.state != "done"]
            batches += [(step, batch) for batch in split_every(ITEMS_PER_WRITE, fresh, list)]
            batches += [(step, [row]) for row in rows if row.attempts != 1 or row.state == "done"]
        again, confirmed = [], set()
        while batches and not self.stopped:
            step, batch = batches.pop(0)
            now = fields.Datetime.now()
            for row in batch:
                row.note(
                    state="sending",
                    sent_at=now,
                    next_try_at=now + self.settle_time,
                    transaction_id=batch[0].transaction_id,
                )
            self._save(batch)
            reading, text = self._call(step.value, [row.payload for row in batch], batch[0].transaction_id)
            if reading.whole and reading.whole.verdict is Verdict.PERMANENT and len(batch) > 1:
                # It was read by nobody: one of them spoils it.
                batches = [(step, [row]) for row in batch] + batches
                continue
            for row in batch:
                outcome = reading.of(row.reference_id)
                row.note(last_answer=(outcome.answer or text)[:ANSWER_KEPT], last_code=outcome.code)
                if outcome.verdict is Verdict.DONE:
                    confirmed.add(row)
                    again.append(row)
                elif outcome.verdict is Verdict.ASK and not outcome.lost and not reading.whole:
                    again.append(row)
                else:
                    self._put_off(row, outcome)
            self._save(batch)
        return again, confirmed

    def _call(self, operation, items, transaction_id):
        body = self.mapper._message(self.dialect, self.header, operation, items, transaction_id)
        path = self.dialect.path(self.path_prefix, operation)
        try:
            answer = self.client.request("POST", path, json=body)
        except NotSent as error:
            self.silent = True
            return Reading(Outcome(Verdict.RETRY, error.reason)), ""
        except CallError as error:
            self.silent = True
            return Reading(Outcome(Verdict.ASK, error.reason, lost=True)), ""
        self.silent = self.silent or answer.status == 429
        return self.dialect.read_answer(operation, items, answer.status, answer.text), answer.text

    def _put_off(self, row, outcome):
        """After an answer that settles nothing: try again later, or give it to a person."""
        now = fields.Datetime.now()
        if outcome.verdict is Verdict.STOP and not self.stopped:
            self.stopped = True
            self.mapper.endpoint_id._pause(outcome.reason)
        was_done = row.state == "done"  # it was only looked at once more
        row.note(reason=outcome.reason, last_code=outcome.code)
        if outcome.lost and row.state == "sending":
            row.note(lost_at=now)
        given_up = outcome.limited and row.attempts >= LIMITED_TRIES and not was_done
        if outcome.verdict is Verdict.PERMANENT or given_up:
            row.note(state="failed", next_try_at=None)
        elif outcome.verdict is Verdict.STOP:
            row.note(state="done" if was_done else "retry", next_try_at=now)
        elif was_done:
            row.note(next_try_at=now + self.settle_time)
        else:
            wait = min(self.settle_time * 2 ** min(row.attempts - 1, 10), LONGEST_WAIT)
            row.note(state="retry", next_try_at=now + wait)

    def _save(self, rows):
        """Note what has become of these, tell others, commit: one statement for all that changed alike."""
        env, told = self.mapper.env, []
        noted = [row for row in rows if row.noted]
        if not noted:
            return
        for columns, group in groupby(noted, lambda row: tuple(sorted(row.noted))):
            values = [{"id": row.id, **row.noted} for row in group]
            env.cr.execute(
                SQL(
                    """
                    UPDATE spp_spar_change change SET %s, write_date = now() AT TIME ZONE 'UTC'
                      FROM jsonb_to_recordset(%s::jsonb) AS noted(id integer, %s) WHERE change.id = noted.id
                    """,
                    SQL(", ").join(
                        SQL("%s = noted.%s", SQL.identifier(name), SQL.identifier(name)) for name in columns
                    ),
                    json.dumps(values, default=str),
                    SQL(", ").join(SQL("%s %s", SQL.identifier(name), SQL(NOTED[name])) for name in columns),
                )
            )
        for row in noted:
            if row.state in CONCLUDED:  # confirmed, perhaps once more
                told.append(row.id)
            row.noted = {}
        self.changes.invalidate_model()
        if told:
            self.released |= self.changes.browse(told)._release_followers()
            self.changes.browse(told)._states_changed()
        self._commit()

    def _commit(self):
        self.mapper.env.cr.commit()


def _known(base):
    """What SPAR held after `base`."""
    if not base:
        return ""
    return (base.target_fa if base.state == "done" else base.observed_fa) or ""


def _storable(value):
    """What a server may send and PostgreSQL does not take (NUL, half a character) is left out."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    return value
