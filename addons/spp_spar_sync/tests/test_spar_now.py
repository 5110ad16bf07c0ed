"""SPAR is asked when a registrant is opened; what we sent is shown as no more than that."""

import time

from odoo.exceptions import AccessError
from odoo.tests import tagged

from .common import SparCase

OTHER = "mobile:+25078999@MOMO"
SPAR_ID = "token:A1@nationalId"


@tagged("post_install", "-at_install")
class TestSparNow(SparCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        roles = ("enrollment_officer", "finance_officer", "approver", "auditor", "program_viewer", "admin")
        cls.users = dict(zip(roles, cls.users_of(*roles), strict=True))

    def now(self, person, role="enrollment_officer"):
        self.env.cr.flush()
        return person.with_user(self.users[role]).spar_now()

    def test_same_other_none(self):
        person = self.person("A1")
        self.assertEqual(self.now(person)["state"], "none")
        self.drain()
        now = self.now(person)
        self.assertEqual(
            (now["state"], now["account"], now["sent"], now["sent_state"]),
            ("same", "account:••••0001@FB01", "account:••••0001@FB01", "Confirmed"),
        )
        self.control("set", id=SPAR_ID, fa=OTHER)
        now = self.now(person)
        self.assertEqual((now["state"], now["account"]), ("other", "mobile:••••8999@MOMO"))

    def test_what_differs_becomes_a_conflict(self):
        person = self.person("A1")
        self.drain()
        self.control("set", id=SPAR_ID, fa=OTHER)
        self.now(person)
        self.drain()
        self.assertEqual(self.queued(person).state, "conflict")

    def test_in_both_generations(self):
        self.mapper.dialect = "2.x"
        person = self.person("A1")
        self.drain()
        self.assertEqual(
            (self.now(person)["state"], self.now(person)["account"]), ("same", "BANK ••••0001 FB01")
        )

    def test_unreachable_is_told_in_plain_words_and_soon(self):
        person = self.person("A1")
        self.drain()
        self.mapper.ask_seconds = 1
        for fault, seconds in (("drop_after", 0), ("html", 0), ("error", 0), ("delay", 3)):
            self.control("reset")
            self.fault(fault, "/sync/resolve", seconds=seconds)
            begun = time.monotonic()
            now = self.now(person)
            self.assertLess(time.monotonic() - begun, 2.5, fault)
            self.assertEqual(now["state"], "unreachable", fault)
            self.assertTrue(now["words"])
            self.assertEqual(
                (now["account"], now["sent"]), ("", "account:••••0001@FB01"), "what we sent is no fact"
            )
        self.endpoint._pause("Signature refused")
        self.assertIn("Signature refused", self.now(person)["words"])

    def test_without_a_document_or_a_mapper(self):
        person = self.person(None)
        self.assertEqual(self.now(person)["state"], "no_id")
        self.mapper.active = False
        self.assertEqual(self.now(person)["state"], "off")

    def test_who_has_no_account_here_may_have_one_there(self):
        self.control("set", id=SPAR_ID, fa=OTHER)
        now = self.now(self.person("A1", number=None))
        self.assertEqual((now["state"], now["account"], now["sent"]), ("other", "mobile:••••8999@MOMO", ""))

    def test_only_roles_that_see_accounts_and_always_masked(self):
        person = self.person("A1")
        self.drain()
        for role in self.users:
            if role in ("program_viewer", "admin"):
                with self.assertRaises(AccessError):
                    self.now(person, role)
            else:
                self.assertNotIn("1000000001", str(self.now(person, role)))

    def test_areas_hold(self):
        person = self.person("A1")
        area = self.env["spp.area"].create({"name": "Elsewhere", "code": "SPAR_NOW_ELSEWHERE"})
        self.users["approver"].spp_area_ids = area
        with self.assertRaises(AccessError):
            self.now(person, "approver")
