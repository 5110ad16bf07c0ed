"""A source that is wrong, refuses, breaks off or answers nonsense ends in words a person understands."""

from types import SimpleNamespace
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged

from odoo.addons.queue_job.exception import RetryableJobError
from odoo.addons.spp_base.tools import advisory

from .common import MisMixin

CALL = "/web/dataset/call_kw/res.partner/search_read"


@tagged("post_install", "-at_install")
class TestFaults(MisMixin, TransactionCase):
    def setUp(self):
        super().setUp()
        self.control("reset")

    def fails(self, words, dialects=("jsonrpc", "rest")):
        for dialect in dialects:
            self.source.dialect = dialect
            with self.assertRaisesRegex(UserError, words):
                self.source.action_test_connection()
            run = self.do_import()
            self.assertEqual(run.state, "failed")
            self.assertRegex(run.message, words)
            self.assertFalse(self.jobs(), "a wrong configuration is not tried again and again")
            self.assertNotIn("mis_secret", run.message)

    def fault(self, fault, path=CALL, **more):
        self.control("faults", fault=fault, path=path, **more)

    def test_connection(self):
        for dialect in ("jsonrpc", "rest"):
            self.source.dialect = dialect
            told = self.source.action_test_connection()["params"]
            self.assertEqual((told["people"], told["groups"], told["time_zone"]), (219, 71, "UTC"))
            self.assertLess(abs(told["clock_ahead"]), 5)
            self.assertIn("219 people and 71 groups", told["message"])
            self.assertIn("Its clock and ours agree", told["message"])
        self.assertEqual(self.control("set")["sessions"], [], "it logs out")

    def test_wrong_address(self):
        self.endpoint.base_url = "http://127.0.0.1:1"
        self.fails("refused the connection")

    def test_wrong_path(self):
        self.source.login_path = "/login"
        self.fails("nothing at /login")

    def test_wrong_password(self):
        self.endpoint.secret = "wrong"
        self.fails("does not accept the login mis_api with this password")

    def test_unknown_database(self):
        self.endpoint.database = "other"
        self.fails("no database “other”")

    def test_no_rights(self):
        self.endpoint.write({"login": "mis_portal", "secret": "mis_secret"})
        self.fails("may not read res.partner", dialects=["jsonrpc"])
        self.source.dialect = "rest"
        self.assertIn("does not tell how many", self.source.action_test_connection()["params"]["message"])
        run = self.do_import()
        self.assertEqual((run.state, run.counts["Read"]), ("done", 0))

    def test_web_page_instead_of_data(self):
        self.fault("html", path="/web/session/authenticate", times=None)
        self.fails("web page")

    def test_web_page_in_mid_run(self):
        self.fault("html", path="/web/dataset/call_kw/g2p.reg.id/search_read")
        run = self.do_import()
        self.assertEqual(run.state, "failed")
        self.assertIn("web page", run.message)

    def test_logs_out_after_a_failure(self):
        self.fault("html", path="/web/dataset/call_kw/g2p.reg.id/search_read", times=None)
        self.assertEqual(self.do_import().state, "failed")
        self.assertEqual(self.control("set")["sessions"], [])

    def test_truncated_answer_is_asked_for_again(self):
        run = self.env["spp.run"].browse(self.source.action_import())
        self.work(1)
        whole = type(self.source)._reader

        def truncating(source):
            manager = whole(source)
            reader = manager.__enter__()
            request = reader._client.request
            self.addCleanup(manager.__exit__, None, None, None)

            def cut(*args, **kwargs):
                answer = request(*args, **kwargs)
                return SimpleNamespace(
                    status=200, headers=answer.headers, text=answer.text[: len(answer.text) // 2]
                )

            reader._client = SimpleNamespace(request=cut)
            return _Given(reader)

        with patch.object(type(self.source), "_reader", truncating):
            self.work(1)
        self.assertEqual((run.state, len(self.jobs())), ("running", 1))
        self.work()
        self.assertEqual((run.state, self.source.registrant_count), ("done", 289))

    def test_paused_endpoint(self):
        self.endpoint._pause("somebody looks at it")
        run = self.do_import()
        self.assertEqual(run.state, "failed")
        self.assertIn("somebody looks at it", run.message)

    def test_session_that_expires_in_mid_run(self):
        self.source.action_import()
        self.work(1)
        original = type(self.source)._reader

        def expiring(source):
            manager = original(source)
            reader = manager.__enter__()
            self.control("set", expire_sessions=True)
            self.addCleanup(manager.__exit__, None, None, None)
            return _Given(reader)

        with patch.object(type(self.source), "_reader", expiring):
            self.work()
        self.assertEqual((self.source.last_run_id.state, self.source.registrant_count), ("done", 289))

    def test_source_that_breaks_off_in_mid_run_is_asked_again_later(self):
        for fault in ({"fault": "drop_after"}, {"fault": "drop_before"}, {"fault": "error", "status": 503}):
            source = self.new_source(name=str(fault), program_ids=False)
            run = self.env["spp.run"].browse(source.action_import())
            self.work(1)
            self.fault(**fault)
            self.work(1)
            waiting = self.jobs()
            self.assertEqual((len(waiting), bool(waiting.eta), run.state), (1, True, "running"))
            self.work()
            self.assertEqual((run.state, source.registrant_count), ("done", 289))

    def test_source_that_stays_down_ends_the_run_with_what_was_stored(self):
        run = self.env["spp.run"].browse(self.source.action_import())
        self.work(1)
        self.fault("error", path="*", status=503, times=None)
        self.assertEqual(self.work(), 4)
        self.assertEqual(run.state, "failed")
        self.assertIn("out of order", run.message)
        self.assertEqual(self.source.registrant_count, 100)
        self.control("reset")
        run = self.env["spp.run"].browse(run.action_retry())
        self.work()
        self.assertEqual((run.counts["Created"], run.counts["Unchanged"]), (189, 100))

    def test_page_run_twice(self):
        run = self.env["spp.run"].browse(self.source.action_import())
        self.work(2)
        job = self.jobs()
        self.assertEqual(job.args[1:3], ["individual", job.args[2]])
        self.source._job_page(run, "individual", 0, {})
        self.work()
        self.assertEqual((self.source.registrant_count, run.state), (289, "done"))

    def test_two_imports_do_not_overlap(self):
        first = self.source.action_import()
        self.assertEqual(
            self.source.action_import(), first, "a call repeated after a lost answer starts nothing"
        )
        self.assertEqual(len(self.jobs()), 1)
        run = self.env["spp.run"].browse(first)
        with advisory.held(self.env.cr.dbname, advisory.key(self.source._name, self.source.id)):
            with self.assertRaises(RetryableJobError):
                self.source._job_page(run, "individual", 0, {})

    def test_run_whose_job_is_gone_is_closed_by_the_next(self):
        first = self.env["spp.run"].browse(self.source.action_import())
        self.jobs().unlink()
        second = self.do_import()
        self.assertEqual((first.state, second.state), ("failed", "done"))

    def test_cancelled_run_stops(self):
        run = self.env["spp.run"].browse(self.source.action_import())
        self.work(1)
        run.action_cancel()
        second = self.env["spp.run"].browse(self.source.action_import())
        self.assertNotEqual(second, run)


class _Given:
    """A context that hands out what exists already."""

    def __init__(self, value):
        self.value = value

    def __enter__(self):
        return self.value

    def __exit__(self, *exc_info):
        return False
