"""One pass over due SPAR ids: resolve, link or update or unlink, read back.

Under REPEATABLE READ a job's own cursor neither sees what others write nor keeps what it writes if it dies.
So a drain works on a second cursor, which does two things at once: it holds one session-level advisory lock
per SPAR id for as long as the pass lasts, and it commits each step before the next call. If its connection
breaks, the locks are gone and so is the way to note a sending: nothing is sent without the lock.

What is known of an id comes only from SPAR. Every pass begins by resolving, so an answer that was lost is
asked for, never assumed, and a link that was applied is not made twice.
"""

import contextlib
import uuid
from datetime import timedelta

from odoo import fields
from odoo.tools import SQL

from odoo.addons.spp_base.http import CallError, NotSent

from .models.spp_spar_change import ANSWER_KEPT, OPEN_STATES
from .wire import DIALECTS, Outcome, Reading, Step, Verdict, next_step

# A request whose answer was lost may still be carried out by the mapper. After this long it is not.
LATE_ARRIVAL = timedelta(minutes=15)
ROUNDS = 4  # a write and at most two turns between link and update, each read back
NOT_SHOWN = Outcome(
    Verdict.RETRY, "The change was made, but what SPAR holds is still not what was sent.", limited=True
)


class Drain:
    """Carries out changes of one mapper. `mapper` lives on the drain's own cursor, as superuser."""

    def __init__(self, mapper, client):
        self.mapper = mapper
        self.client = client
        self.dialect = DIALECTS[mapper.dialect]
        self.changes = mapper.env["spp.spar.change"]
        self.stopped = False

    def run(self, spar_ids):
        """Bring these ids as far as they come now. Returns those that another drain is working on."""
        with self._locked(spar_ids) as mine:
            self._converge(self._claim(mine))
            self._commit()
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
        self.mapper.env.invalidate_all()
        try:
            yield mine
        finally:
            cr.rollback()
            cr.execute("SELECT pg_advisory_unlock_all()")  # the cursor is ours alone

    def _commit(self):
        self.mapper.env.cr.commit()

    # What is to be done

    def _claim(self, spar_ids):
        """The newest change of each id, older ones closed. Returns {change: accounts SPAR may hold before}."""
        history = self.changes.search(
            [("mapper_id", "=", self.mapper.id), ("spar_id", "in", spar_ids)], order="spar_id, seq"
        )
        now = fields.Datetime.now()
        claimed = {}
        for rows in history.grouped("spar_id").values():
            *older, newest = rows
            for change in (*older, newest):
                if change.state == "sending":  # its sender is dead, or we would not hold the lock
                    change.lost_at = change.sent_at
            for change in older:
                if change.state in (*OPEN_STATES, "conflict", "failed"):
                    change._set_superseded()
                change.next_try_at = False
            if newest.next_try_at and newest.next_try_at <= now:
                base = self._base(older)
                if newest.decision != "ours":
                    newest.expected_previous = _known(base)
                newest.attempts += 1
                claimed[newest] = {
                    newest.expected_previous or "",
                    _known(base),
                    *self._late(older, base, now),
                }
        self._commit()
        return claimed

    @staticmethod
    def _base(older):
        """The last change after which we know what SPAR held."""
        return next((row for row in reversed(older) if row.state == "done" or row.decision == "theirs"), None)

    @staticmethod
    def _late(older, base, now):
        """Accounts that our own earlier requests may have put there, or may still put there."""
        return {
            row.target_fa or ""
            for row in older
            if row.lost_at and (not base or row.seq > base.seq or row.lost_at > now - LATE_ARRIVAL)
        }

    def _look_again_at(self, change):
        """When to look once more, because an older request with another account may still arrive."""
        lost = self.changes.search(
            [
                ("mapper_id", "=", self.mapper.id),
                ("spar_id", "=", change.spar_id),
                ("seq", "<", change.seq),
                ("lost_at", ">", fields.Datetime.now() - LATE_ARRIVAL),
                ("target_fa", "!=", change.target_fa),
            ]
        )
        return max(lost.mapped("lost_at")) + LATE_ARRIVAL if lost else False

    # Doing it

    def _converge(self, claimed):
        waiting, confirmed = list(claimed), set()
        for rounds_left in reversed(range(ROUNDS)):
            if not waiting or self.stopped:
                return
            answers = self._resolve(waiting)
            steps = {}
            for change in waiting:
                step = self._conclude(change, answers[change], claimed[change])
                if step and (change in confirmed or not rounds_left):
                    change._put_off(NOT_SHOWN)
                elif step:
                    steps[change] = step
            self.changes.union(*waiting)._states_changed()
            self._commit()
            waiting, confirmed = self._write(steps)

    def _conclude(self, change, answer, expected):
        """The write that is still to be made, or None when nothing is to be done now."""
        if answer.verdict is not Verdict.DONE:
            self._stop_if_told(answer)
            change._put_off(answer)
            return None
        change._observe(answer.fa)
        step = next_step(change.target_fa or "", answer.fa, expected, self.dialect.same)
        if step is Step.NOTHING:
            change._set_done(self._look_again_at(change))
        elif step is Step.CONFLICT:
            change._set_conflict()
        else:
            return step
        return None

    def _resolve(self, changes):
        """{change: Outcome}, all in one call; one by one if the mapper cannot read the call as a whole."""
        now = self.mapper._timestamp()
        questions = {
            change: self.dialect.question(str(uuid.uuid4()), now, change.spar_id) for change in changes
        }
        reading, _text = self._call("resolve", list(questions.values()), str(uuid.uuid4()))
        if reading.whole and reading.whole.verdict is Verdict.PERMANENT and len(changes) > 1:
            return {change: self._resolve([change])[change] for change in changes}
        return {change: reading.of(question["reference_id"]) for change, question in questions.items()}

    def _write(self, steps):
        """Make the writes, one item a call. Returns those to look at again, and which of them SPAR confirmed."""
        again, confirmed = [], set()
        for change, step in steps.items():
            if self.stopped:
                break
            change._set_sending()
            self._commit()
            reading, text = self._call(step.value, [change.payload], change.transaction_id)
            outcome = reading.of(change.reference_id)
            change.write({"last_answer": text[:ANSWER_KEPT], "last_code": outcome.code})
            if outcome.verdict is Verdict.DONE:
                confirmed.add(change)
                again.append(change)
            elif outcome.verdict is Verdict.ASK and not outcome.lost:
                again.append(change)
            else:
                self._stop_if_told(outcome)
                change._put_off(outcome)
        self._commit()
        return again, confirmed

    def _call(self, operation, items, transaction_id):
        body = self.dialect.message(
            operation,
            items,
            message_id=str(uuid.uuid4()),
            transaction_id=transaction_id,
            timestamp=self.mapper._timestamp(),
            sender_id=self.mapper.sender_id,
            receiver_id=self.mapper.receiver_id,
        )
        path = self.dialect.path(self.mapper.path_prefix, operation)
        try:
            answer = self.client.request("POST", path, json=body)
        except NotSent as error:
            return Reading(Outcome(Verdict.RETRY, error.reason)), ""
        except CallError as error:
            return Reading(Outcome(Verdict.ASK, error.reason, lost=True)), ""
        return self.dialect.read_answer(operation, items, answer.status, answer.text), answer.text

    def _stop_if_told(self, outcome):
        if outcome.verdict is Verdict.STOP and not self.stopped:
            self.stopped = True
            self.mapper.endpoint_id._pause(outcome.reason)


def _known(base):
    """What SPAR held after `base`."""
    if not base:
        return ""
    return (base.target_fa if base.state == "done" else base.observed_fa) or ""
