"""A token is asked for once, used until it ends, renewed when refused; without one nothing is sent."""

import json
from urllib.parse import parse_qs

from odoo.exceptions import ValidationError
from odoo.tests.common import TransactionCase, tagged

from ..http import oauth2
from ..http.client import NotSent
from ..http.oauth2 import TokenRefused
from ..models import spp_endpoint
from .common import LoopbackCalls
from .servers import Server, reply


def said(*answers):
    """A behaviour that gives these answers in turn, the last one for ever."""
    waiting = list(answers)

    def behave(connection):
        (waiting.pop(0) if len(waiting) > 1 else waiting[0])(connection)

    return behave


def token(value, **more):
    return reply(json.dumps({"access_token": value, "token_type": "Bearer", **more}).encode())


@tagged("post_install", "-at_install")
class TestOauth2(LoopbackCalls, TransactionCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(spp_endpoint._TOKENS.clear)

    def endpoint(self, system, tokens, **values):
        return self.env["spp.endpoint"].create(
            {
                "name": "Payer",
                "base_url": system.url,
                "auth_type": "oauth2",
                "token_url": f"{tokens.url}/token",
                "login": "spp",
                "secret": "hush",
                **values,
            }
        )

    def call(self, endpoint, times=1):
        with endpoint._client() as client:
            for _time in range(times):
                answer = client.request("POST", "/pay", json={"amount": "1.00"})
        return answer

    def test_one_token_for_many_calls(self):
        with Server(reply()) as system, Server(token("t1", expires_in="3600")) as tokens:
            endpoint = self.endpoint(system, tokens, token_scope="disburse.disburse disburse.status")
            self.call(endpoint, times=2)
            self.call(endpoint)
        self.assertEqual(len(tokens.requests), 1)
        head, body = tokens.requests[0]
        self.assertIn("POST /token HTTP/1.1", head)
        self.assertIn("Content-Type: application/x-www-form-urlencoded", head)
        self.assertEqual(
            parse_qs(body.decode()),
            {
                "grant_type": ["client_credentials"],
                "client_id": ["spp"],
                "client_secret": ["hush"],
                "scope": ["disburse.disburse disburse.status"],
            },
        )
        self.assertEqual(len(system.requests), 3)
        for head, _body in system.requests:
            self.assertIn("Authorization: Bearer t1", head)

    def test_a_token_near_its_end_is_renewed(self):
        almost_over = oauth2.MARGIN_SECONDS
        with Server(reply()) as system:
            with Server(said(token("t1", expires_in=almost_over), token("t2"))) as tokens:
                self.call(self.endpoint(system, tokens), times=3)
        self.assertEqual(len(tokens.requests), 2)
        self.assertIn("Bearer t1", system.requests[0][0])
        self.assertIn("Bearer t2", system.requests[1][0])
        self.assertIn("Bearer t2", system.requests[2][0])

    def test_a_refused_token_is_renewed_once(self):
        refused = reply(status="401 Unauthorized")
        with (
            Server(said(refused, reply(b'{"ok": 1}'))) as system,
            Server(said(token("t1"), token("t2"))) as tokens,
        ):
            self.assertEqual(self.call(self.endpoint(system, tokens)).json(), {"ok": 1})
        self.assertIn("Bearer t2", system.requests[1][0])
        with Server(refused) as system, Server(token("t1")) as tokens:
            self.assertEqual(self.call(self.endpoint(system, tokens)).status, 401)
        self.assertEqual(len(system.requests), 2)

    def test_without_a_token_nothing_is_sent(self):
        for behave, error in (
            (reply(b'{"error": "invalid_client"}', status="401 Unauthorized"), TokenRefused),
            (reply(status="500 Oops"), NotSent),
            (reply(b"<html>"), NotSent),
            (reply(b'{"access_token": "a\\nb"}'), NotSent),
            (lambda connection: None, NotSent),
        ):
            with Server(reply()) as system, Server(behave) as tokens:
                with self.assertRaises(error) as caught:
                    self.call(self.endpoint(system, tokens))
            self.assertIsInstance(caught.exception, NotSent, "safe to send again")
            self.assertIn("Nothing was sent.", caught.exception.reason)
            self.assertNotIn("hush", caught.exception.reason)
            self.assertFalse(system.requests)

    def test_a_new_secret_asks_for_a_new_token(self):
        with Server(reply()) as system, Server(said(token("t1"), token("t2"))) as tokens:
            endpoint = self.endpoint(system, tokens)
            self.call(endpoint)
            endpoint.secret = "other"
            self.call(endpoint)
        self.assertIn("Bearer t2", system.requests[1][0])

    def test_the_token_server_is_named_and_protected(self):
        values = {
            "name": "Payer",
            "base_url": "https://payer.example.org",
            "auth_type": "oauth2",
            "login": "spp",
        }
        Endpoint = self.env["spp.endpoint"]
        with self.assertRaises(ValidationError):
            Endpoint.create({**values, "token_url": "http://id.example.org/token"})
        endpoint = Endpoint.create({**values, "token_url": "https://id.example.org/token", "secret": "hush"})
        endpoint.token_url = "https://elsewhere.example.org/token"
        self.assertFalse(endpoint.has_secret, "a secret is not handed to another token server")
