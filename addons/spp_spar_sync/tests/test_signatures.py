"""What a drain sends is signed; jwcrypto, which had no part in signing, says so, and the mapper believes it."""

import json
import urllib.request

from cryptography import x509
from jwcrypto import jwk, jws

from odoo.tests import tagged

from odoo.addons.spp_base.tests.servers import Server, reply

from .common import SparCase

PATHS = {"1.1": "as_sent", "2.x": "sorted"}


def expected_bytes(body, form):
    """The signed bytes as each generation makes them of the parsed body."""
    message = json.loads(body)
    if form == "sorted":
        return json.dumps(message, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return json.dumps(message, separators=(",", ":")).encode()


@tagged("post_install", "-at_install")
class TestSignatures(SparCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.keys = cls.env["spp.signing.key"]
        cls.key = cls.keys.create({"name": "spp-registry"})
        cls.key.action_generate()
        cls.key.action_use()
        cls.endpoint.write({"signature_form": "as_sent", "signing_key_id": cls.key.id})
        cls.bank.name = "Crédit Rural"  # not ASCII: the two forms differ

    def speak(self, dialect):
        self.mapper.dialect = dialect
        self.endpoint.signature_form = PATHS[dialect]

    def pass_on(self, server, connection):
        """Between us and the mapper, so that a test sees what left."""
        head, body = server.requests[-1]
        request = urllib.request.Request(self.sandbox.spar + head.split()[1], body)
        with urllib.request.urlopen(request, timeout=5) as answer:
            reply(answer.read())(connection)

    def test_every_message_of_a_drain_checks_out_by_another_library(self):
        for dialect, form in PATHS.items():
            self.speak(dialect)
            with Server(lambda connection: self.pass_on(server, connection)) as server:
                self.endpoint.base_url = server.url
                person = self.person(f"S{dialect}")
                self.drain()
                self.assertEqual(self.queued(person)[-1].state, "done")
                self.assertEqual(len(server.requests), 3, "resolve, link, resolve")
                for head, body in server.requests:
                    line = next(line for line in head.split("\r\n") if line.startswith("Signature: "))
                    header = line.removeprefix("Signature: ")
                    self.assertIn("..", header)
                    public = x509.load_pem_x509_certificate(self.key.certificate.encode()).public_key()
                    token = jws.JWS()
                    token.deserialize(header)
                    token.verify(jwk.JWK.from_pyca(public), detached_payload=expected_bytes(body, form))
                    self.assertEqual(token.jose_header["alg"], "RS256")
                    with self.assertRaises(jws.InvalidJWSSignature):
                        token.verify(jwk.JWK.from_pyca(public), detached_payload=body.replace(b"S", b"T"))
            self.endpoint.base_url = self.sandbox.spar

    def test_the_mapper_accepts_both_forms_and_the_next_key_follows_without_a_gap(self):
        following = self.keys.browse(self.key.action_next_key()["res_id"])
        self.control("set", partners=[self.key.certificate, following.certificate])
        for dialect in PATHS:
            self.speak(dialect)
            first = self.person(f"K1{dialect}")
            self.drain()
            self.assertEqual(self.queued(first)[-1].state, "done", self.endpoint.pause_reason)
        following.action_use()
        self.control("set", partners=[following.certificate])
        for dialect in PATHS:
            self.speak(dialect)
            second = self.person(f"K2{dialect}")
            self.drain()
            self.assertEqual(self.queued(second)[-1].state, "done", self.endpoint.pause_reason)

    def refused(self, person):
        """Nothing was sent on; put right, the endpoint goes on in order."""
        self.drain()
        self.assertTrue(self.endpoint.paused)
        self.assertIn("signature", self.endpoint.pause_reason)
        self.assertEqual(self.queued(person)[-1].state, "retry")
        self.assertFalse(self.spar()[0])

    def test_a_signature_that_is_refused_pauses_the_endpoint(self):
        other = self.keys.create({"name": "spp-registry"})
        other.action_generate()
        for dialect, form in PATHS.items():
            self.control("reset")
            self.speak(dialect)
            person = self.person(f"R{dialect}")
            with self.subTest("of another key", dialect=dialect):
                self.control("set", partners=[other.certificate])
                self.refused(person)
            self.control("set", partners=[self.key.certificate])
            with self.subTest("of another sender", dialect=dialect):
                self.mapper.sender_id = "unknown-app"
                self.mapper.action_resume()
                self.refused(person)
                self.mapper.sender_id = "spp_registry"  # SPAR takes hyphen and underscore for the same
            if dialect == "2.x":  # only typed accounts carry a name that is not ASCII
                with self.subTest("of the other form", dialect=dialect):
                    self.endpoint.signature_form = "as_sent"
                    self.mapper.action_resume()
                    self.refused(person)
                    self.endpoint.signature_form = form
            self.mapper.action_resume()
            self.drain()
            self.assertEqual(self.queued(person)[-1].state, "done")

    def test_a_message_without_signature(self):
        """2.x says that the signature is missing; 1.x answers with a fault, which nothing tells from one of its own."""
        self.control("set", partners=[self.key.certificate])
        self.endpoint.signature_form = False
        self.mapper.dialect = "2.x"
        person = self.person("N2")
        self.refused(person)
        self.mapper.action_resume()
        self.mapper.dialect = "1.1"
        person = self.person("N1")
        self.drain()
        self.assertEqual(self.queued(person)[-1].state, "retry")
        self.assertFalse(self.endpoint.paused)
        self.endpoint.signature_form = "as_sent"
        self.later()
        self.drain()
        self.assertEqual(self.queued(person)[-1].state, "done")

    def test_the_form_says_what_spar_must_have(self):
        self.assertIn("PARTNER_SPP_REGISTRY", self.mapper.signature_hint)
        self.assertTrue(self.mapper.certificate_file)
        self.mapper.dialect = "2.x"
        self.assertIn("other generation", self.mapper.signature_hint)
        self.endpoint.signature_form = False
        self.assertIn("not signed", self.mapper.signature_hint)
