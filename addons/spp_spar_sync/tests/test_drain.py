"""What is queued reaches a real mapper over HTTP, in order, whatever fails on the way."""

from datetime import timedelta

from odoo import fields
from odoo.sql_db import db_connect
from odoo.tests import tagged

from .common import SparCase

OLD, NEW, OTHER = "account:1000000001@FB01", "account:2000000002@FB01", "mobile:+25078999@MOMO"
SPAR_ID = "token:A1@nationalId"


@tagged("post_install", "-at_install")
class TestDrain(SparCase):
    def linked(self, value="A1"):
        person = self.person(value)
        self.drain()
        self.assertEqual(self.queued(person).state, "done")
        return person

    def writes(self):
        return [(row["op"], row["fa"]) for row in self.spar()[1] if row["status"] == "succ"]

    def test_new_account_is_linked_and_read_back(self):
        person = self.linked()
        self.assertEqual(self.spar()[0], {SPAR_ID: OLD})
        change = self.queued(person)
        self.assertEqual((change.observed_fa, change.observed_masked), (OLD, "account:••••0001@FB01"))
        self.assertEqual(self.primary(person).spar_state, "done")

    def test_other_account_is_an_update(self):
        person = self.linked()
        self.account(person, "2000000002")
        self.drain()
        self.assertEqual(self.spar()[0], {SPAR_ID: NEW})
        self.assertEqual(self.writes(), [("link", OLD), ("update", NEW)])
        self.assertEqual(self.primary(person).spar_state, "done")

    def test_ended_account_is_unlinked(self):
        person = self.linked()
        self.primary(person).write({"state": "ended"})
        self.drain()
        self.assertEqual(self.spar()[0], {})
        self.assertEqual(self.queued(person)[-1].state, "done")

    def test_what_spar_already_holds_is_not_written_again(self):
        self.control("set", id=SPAR_ID, fa=OLD)
        self.linked()
        self.assertEqual(self.spar()[1], [])

    def test_running_twice_does_nothing_twice(self):
        self.linked()
        self.drain()
        self.later()
        self.drain()
        self.assertEqual(self.writes(), [("link", OLD)])

    def test_many_people_at_once(self):
        people = [self.person(f"M{number}") for number in range(130)]
        self.drain()
        self.assertEqual({self.queued(person).state for person in people}, {"done"})
        self.assertEqual(len(self.spar()[0]), 130)

    def test_edits_in_quick_succession_send_only_the_last(self):
        person = self.person("A1")
        self.env.cr.flush()
        self.account(person, "5000000005")
        self.env.cr.flush()
        self.account(person, "2000000002")
        self.drain()
        self.assertEqual(self.writes(), [("link", NEW)])
        self.assertEqual(set(self.queued(person)[:-1].mapped("state")), {"superseded"})
        self.assertEqual(self.queued(person)[-1].state, "done")

    def test_lost_answer_is_asked_for_and_ends_linked_once(self):
        person = self.person("A1")
        self.fault("drop_after", "/sync/link")
        self.drain()
        change = self.queued(person)
        self.assertEqual(change.state, "retry")
        self.assertTrue(change.lost_at)
        sent = change.payload
        self.drain()  # too early: the mapper gets its time
        self.assertEqual(change.state, "retry")
        self.later()
        self.drain()
        self.assertEqual(change.state, "done")
        self.assertEqual(change.payload, sent)
        self.assertEqual(self.writes(), [("link", OLD)])

    def test_request_that_did_not_arrive_is_made_again_with_the_same_identifiers(self):
        person = self.person("A1")
        self.fault("drop_before", "/sync/link")
        self.drain()
        reference = self.queued(person).reference_id
        self.later()
        self.drain()
        self.assertEqual([row["reference_id"] for row in self.spar()[1]], [reference])
        self.assertEqual(self.queued(person).state, "done")

    def test_replay_of_the_same_request_does_no_harm(self):
        person = self.person("A1")
        self.fault("duplicate", "/sync/link")
        self.drain()
        self.assertEqual(self.queued(person).state, "done")
        self.assertEqual(self.spar()[0], {SPAR_ID: OLD})

    def test_younger_change_waits_until_a_lost_one_has_settled(self):
        person = self.person("A1")
        self.fault("drop_after", "/sync/link")
        self.drain()
        self.account(person, "2000000002")
        self.drain()
        self.assertEqual(self.spar()[0], {SPAR_ID: OLD}, "nothing written while the first may still arrive")
        self.later()
        self.drain()
        self.assertEqual(self.spar()[0], {SPAR_ID: NEW})
        self.assertEqual(self.primary(person).spar_state, "done")

    def test_older_request_that_arrives_late_is_noticed_and_put_right(self):
        person = self.person("A1")
        self.fault("drop_before", "/sync/link")
        self.drain()
        self.account(person, "2000000002")
        self.later()
        self.drain()
        change = self.queued(person)[-1]
        self.assertEqual((change.state, bool(change.next_try_at)), ("done", True))
        self.control("set", id=SPAR_ID, fa=OLD)  # the lost one arrives after all
        self.later()
        for name in ("sent_at", "lost_at"):
            self.queued(person)[0][name] -= timedelta(days=1)
        self.drain()
        self.assertEqual(self.spar()[0], {SPAR_ID: NEW})
        self.assertEqual((change.state, bool(change.next_try_at)), ("done", False))

    def test_sender_that_died_is_asked_about(self):
        person = self.person("A1")
        change = self.queued(person)
        now = fields.Datetime.now()
        change.write({"state": "sending", "sent_at": now, "next_try_at": now + timedelta(minutes=1)})
        self.control("set", id=SPAR_ID, fa=OLD)  # its request had arrived
        self.drain()
        self.assertEqual(change.state, "sending", "not before the mapper had its time")
        self.later()
        self.drain()
        self.assertEqual(change.state, "done")
        self.assertEqual(self.spar()[1], [])

    def test_account_written_by_another_channel_is_a_conflict(self):
        person = self.linked()
        self.control("set", id=SPAR_ID, fa=OTHER)
        self.account(person, "2000000002")
        self.drain()
        change = self.queued(person)[-1]
        self.assertEqual(change.state, "conflict")
        self.assertEqual((change.observed_fa, change.target_fa), (OTHER, NEW))
        self.assertEqual(self.spar()[0], {SPAR_ID: OTHER}, "nothing overwritten unseen")
        self.assertEqual(self.primary(person).spar_state, "conflict")

    def test_account_removed_by_another_channel_is_a_conflict(self):
        person = self.linked()
        self.control("set", id=SPAR_ID, fa=None)
        self.account(person, "2000000002")
        self.drain()
        self.assertEqual(self.queued(person)[-1].state, "conflict")
        self.assertIn("no longer", self.queued(person)[-1].reason)

    def test_first_link_of_somebody_spar_knows_otherwise_is_a_conflict(self):
        self.control("set", id=SPAR_ID, fa=OTHER)
        person = self.person("A1")
        self.drain()
        self.assertEqual(self.queued(person).state, "conflict")
        self.assertEqual(self.spar()[0], {SPAR_ID: OTHER})

    def test_wrong_signature_pauses_the_endpoint_and_keeps_the_order(self):
        people = [self.person("A1"), self.person("A2")]
        self.fault("refuse_all", times=None)
        self.drain()
        self.assertTrue(self.endpoint.paused)
        self.assertIn("signature", self.endpoint.pause_reason)
        self.assertIn("signature", self.mapper.status()["paused"])
        self.control("reset")
        self.drain()
        self.assertEqual(self.spar()[0], {}, "nothing is sent while it is paused")
        self.endpoint.action_resume()
        self.later()
        self.drain()
        self.assertEqual({self.queued(person).state for person in people}, {"done"})

    def test_wrong_address_pauses_the_endpoint(self):
        self.mapper.path_prefix = "/nowhere"
        self.person("A1")
        self.drain()
        self.assertTrue(self.endpoint.paused)

    def test_fault_of_the_mapper_is_tried_again_later_and_later(self):
        person = self.person("A1")
        self.fault("error", "/sync/link", times=2, status=500)
        waits = []
        for _try in range(2):
            self.drain()
            change = self.queued(person)
            self.assertEqual(change.state, "retry")
            waits.append(change.next_try_at - change.lost_at)
            self.later()
        self.assertLess(*waits)
        self.drain()
        self.assertEqual(change.state, "done")

    def test_page_instead_of_an_answer_is_told_in_plain_words(self):
        person = self.person("A1")
        self.fault("html", "/sync/link")
        self.drain()
        change = self.queued(person)
        self.assertEqual(change.state, "retry")
        self.assertNotIn("<", change.reason)
        self.later()
        self.drain()
        self.assertEqual(change.state, "done")

    def test_mapper_that_is_down_loses_nothing(self):
        self.endpoint.base_url = "http://127.0.0.1:9"
        person = self.person("A1")
        self.drain()
        change = self.queued(person)
        self.assertEqual((change.state, change.lost_at), ("retry", False))
        self.endpoint.base_url = self.sandbox.spar
        self.later()
        self.drain()
        self.assertEqual(change.state, "done")

    def test_code_that_looks_transient_and_is_not_is_given_to_a_person(self):
        person = self.person("A1")
        self.fault("refuse_all", "/sync/link", times=None, code="rjct.internal.error")
        for _try in range(5):
            self.drain()
            self.later()
        change = self.queued(person)
        self.assertEqual((change.state, change.last_code), ("failed", "rjct.internal.error"))

    def test_message_refused_for_good_is_given_to_a_person_at_once(self):
        person = self.person("A1")
        self.fault("refuse_all", "/sync/link", code="rjct.version.invalid")
        self.drain()
        self.assertEqual(self.queued(person).state, "failed")

    def test_corrected_document_unlinks_before_it_links_across_both_queues(self):
        person = self.linked()
        person.document_ids.write({"value": "A2"})
        self.fault("error", "/sync/unlink")
        self.drain()
        self.assertEqual(self.spar()[0], {SPAR_ID: OLD}, "the new id waits for the old one")
        self.later()
        self.drain()
        self.drain()
        self.assertEqual(self.spar()[0], {"token:A2@nationalId": OLD})
        self.assertEqual([op for op, _fa in self.writes()], ["link", "unlink", "link"])
        self.assertEqual(self.primary(person).spar_state, "done")

    def test_document_that_passes_to_somebody_else_keeps_the_order_of_the_id(self):
        first = self.linked()
        first.document_ids.action_withdraw()
        second = self.person("A1", "2000000002")
        self.drain()
        self.assertEqual(self.spar()[0], {SPAR_ID: NEW})
        self.assertEqual(self.primary(second).spar_state, "done")
        self.assertEqual(self.primary(first).spar_state, "no_id")

    def test_two_drains_of_one_id_do_not_interleave(self):
        person = self.person("A1")
        with db_connect(self.env.cr.dbname).cursor() as other:
            other.execute("SELECT pg_advisory_lock(hashtextextended(%s, %s))", [SPAR_ID, self.mapper.id])
            self.drain()
            self.assertEqual(self.spar()[1], [])
            self.assertEqual(self.queued(person).state, "pending")
            other.execute("SELECT pg_advisory_unlock_all()")
        self.drain()
        self.assertEqual(self.queued(person).state, "done")

    def test_cron_only_enqueues_what_is_due(self):
        cron = self.env.ref("spp_spar_sync.cron_spar_drain")
        jobs = self.env["queue.job"].search([("identity_key", "=", f"spar-drain-{self.mapper.id}")])
        jobs.unlink()
        cron.ir_actions_server_id.run()
        self.assertFalse(jobs.search([("identity_key", "=", f"spar-drain-{self.mapper.id}")]))
        self.person("A1")
        self.env.cr.flush()
        jobs.search([("identity_key", "=", f"spar-drain-{self.mapper.id}")]).unlink()
        cron.ir_actions_server_id.run()
        self.assertTrue(jobs.search([("identity_key", "=", f"spar-drain-{self.mapper.id}")]))
        self.assertEqual(self.spar()[1], [])
