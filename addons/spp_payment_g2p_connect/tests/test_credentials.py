"""Payers that want a token and signed messages, in both canonical forms: paid with them, and nothing sent without."""

import sqlite3
from contextlib import closing, suppress

from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged

from odoo.addons.queue_job.exception import RetryableJobError
from odoo.addons.spp_base.http.signature import AS_SENT, SORTED
from odoo.addons.spp_base.tests.common import CheapPasswords

from .common import PayerMixin

CLIENT, SECRET = "spp-client", "a-client-secret-of-some-length"


class Credentials(PayerMixin):
    def want_token(self, secret=SECRET):
        self.control("set", client=[CLIENT, SECRET])
        self.endpoint.write(
            {"auth_type": "oauth2", "token_url": f"{self.payer_url}/token", "login": CLIENT, "secret": secret}
        )

    def want_signature(self, form=AS_SENT, signed=AS_SENT, key=None):
        """The payer checks messages of one form; ours are of another, or signed with another key, if so told."""
        known = self.new_key()
        self.control("set", partners=[known.certificate], signature_form=[form])
        self.endpoint.write({"signature_form": signed, "signing_key_id": (key or known).id})

    def new_key(self):
        key = self.env["spp.signing.key"].create({"name": "spp.example.org"})
        key.action_generate()
        key.action_use()
        return key

    def named(self, name, code="PAY"):
        cycle = self.approved_cycle(self.make_payees(2, prefix=name), code=code, amount=10)
        self.prepare(cycle)
        return cycle

    def all_paid(self, cycle):
        self.ask()
        self.assertEqual(self.states(cycle), ["paid"] * len(cycle.payment_ids))
        self.assertEqual(self.received(), dict.fromkeys(cycle.payment_ids.mapped("reference"), 1))

    def nothing_left(self, cycle):
        self.assertEqual(self.states(cycle), ["ready"] * len(cycle.payment_ids))
        self.assertFalse(self.received())

    def tokens_end(self):
        """The payer forgets the tokens that it gave, whatever time it had promised."""
        with closing(sqlite3.connect(f"{self.sandbox_folder}/{self.server}.sqlite")) as db, db:
            return db.execute("DELETE FROM token").rowcount

    # Tokens

    def test_a_token_is_got_used_and_renewed_when_it_ends(self):
        self.want_token()
        cycle = self.prepared(3, amount=10)
        self.send(cycle)
        self.assertEqual(self.tokens_end(), 1, "one token for all messages")
        self.all_paid(cycle)
        self.assertEqual(self.tokens_end(), 1)

    def test_a_token_that_ends_between_two_messages_loses_and_doubles_nothing(self):
        self.want_token()
        self.payment_manager.batch_size = 1
        cycle = self.prepared(3, amount=10)
        post, ended = type(self.payment_manager)._post, []

        def ending(manager, path, request):
            ended.append(self.tokens_end())
            return post(manager, path, request)

        self.patch(type(self.payment_manager), "_post", ending)
        self.send(cycle)
        self.all_paid(cycle)
        self.assertGreater(sum(ended), 3)

    def test_with_a_wrong_secret_nothing_is_sent(self):
        self.want_token("another-secret-of-some-length")
        cycle = self.prepared(2, amount=10)
        with suppress(RetryableJobError):
            self.send(cycle)
            self.fail("The job is to be tried again.")
        self.nothing_left(cycle)
        self.assertIn("refused the client", cycle.payment_batch_ids.message)
        self.endpoint.secret = SECRET
        cycle.payment_batch_ids._job_send()
        self.all_paid(cycle)

    # Signatures

    def test_signed_in_either_form_names_with_accents_included(self):
        for code, form in (("ONE", AS_SENT), ("TWO", SORTED)):
            with self.subTest(form=form):
                self.control("reset")
                self.control("set", **self.at_once)
                self.want_signature(form, signed=form)
                cycle = self.named("Zoé Ñandú", code)
                self.send(cycle)
                self.all_paid(cycle)

    def test_the_wrong_form_is_refused_and_nothing_is_lost(self):
        self.want_signature(SORTED, signed=AS_SENT)
        cycle = self.named("Zoé")
        self.send(cycle)
        self.nothing_left(cycle)
        self.assertIn("does not accept the signature", cycle.payment_batch_ids.message)
        self.endpoint.signature_form = SORTED
        self.send(cycle)
        self.all_paid(cycle)

    def test_the_wrong_key_is_refused_and_the_connection_test_says_so(self):
        self.want_signature(key=self.new_key())
        cycle = self.prepared(2, amount=10)
        self.send(cycle)
        self.nothing_left(cycle)
        self.assertFalse(cycle.payment_batch_ids.released_by, "a person sends again")
        with self.assertRaisesRegex(UserError, "does not accept the signature"):
            self.payment_manager.with_user(self.manager).action_test_connection()

    def test_an_unsigned_message_pays_nobody(self):
        self.want_signature()
        self.endpoint.signature_form = False
        cycle = self.prepared(2, amount=10)
        with suppress(RetryableJobError):
            self.send(cycle)
        self.nothing_left(cycle)

    def test_token_and_signature_together(self):
        self.want_token()
        self.want_signature(SORTED, signed=SORTED)
        cycle = self.prepared(2, amount=10)
        self.send(cycle)
        self.all_paid(cycle)


@tagged("post_install", "-at_install")
class TestCredentialsSync(Credentials, CheapPasswords, TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_payer()


@tagged("post_install", "-at_install")
class TestCredentialsBridge(Credentials, CheapPasswords, TransactionCase):
    server = "bridge"
    at_once = {"settle_after": 0, "reverse_after": 0}
    path = "/create_disbursements"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.set_up_payer()
        cls.payment_manager.write({"dialect": "bridge", "bridge_program": "SPP-TEST"})
