"""Messages are signed so that others can check them; keys follow each other without a gap."""

import json
from xmlrpc.client import Fault

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwcrypto import jwk, jws

from odoo.exceptions import UserError
from odoo.tests.common import TransactionCase, tagged
from odoo.tools import mute_logger

from ..http.signature import AS_SENT, SORTED
from .common import LoopbackCalls, RoleCase
from .servers import Server, reply

MESSAGE = {"message": {"z": 1, "a": ["Zoë", None, True]}, "header": {"sender_id": "spp"}}


def pem(private):
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()


def signed_by(certificate, head, payload):
    """The protected header of a request's signature, checked by a library that did not make it."""
    line = next(line for line in head.split("\r\n") if line.startswith("Signature: "))
    protected, middle, _signature = line.removeprefix("Signature: ").split(".")
    if middle:
        raise AssertionError("the signature is not detached")
    token = jws.JWS()
    token.deserialize(line.removeprefix("Signature: "))
    public = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    token.verify(jwk.JWK.from_pyca(public), detached_payload=payload)
    return token.jose_header


class KeyCase(LoopbackCalls, TransactionCase):
    def key(self, name="spp-registry"):
        key = self.env["spp.signing.key"].create({"name": name})
        key.action_generate()
        return key

    def endpoint(self, url, key, form=SORTED, **values):
        return self.env["spp.endpoint"].create(
            {"name": "Mapper", "base_url": url, "signature_form": form, "signing_key_id": key.id, **values}
        )

    def send(self, endpoint, server):
        with endpoint._client() as client:
            client.request("POST", "/link", json=MESSAGE)
        return server.requests[-1]


@tagged("post_install", "-at_install")
class TestSignature(KeyCase):
    def test_both_forms_check_out(self):
        key = self.key()
        key.action_use()
        expected = {
            # what a receiver makes of the parsed body, written by hand from the table in http/signature.py
            SORTED: '{"header":{"sender_id":"spp"},"message":{"a":["Zoë",null,true],"z":1}}'.encode(),
            AS_SENT: b'{"message":{"z":1,"a":["Zo\\u00eb",null,true]},"header":{"sender_id":"spp"}}',
        }
        with Server(reply()) as server:
            for form, payload in expected.items():
                head, body = self.send(self.endpoint(server.url, key, form), server)
                self.assertEqual(json.loads(body), MESSAGE)
                self.assertEqual(body, payload, "what is signed is what is sent")
                self.assertEqual(signed_by(key.certificate, head, payload), {"alg": "RS256", "kid": key.kid})
                with self.assertRaises(jws.InvalidJWSSignature):
                    signed_by(key.certificate, head, payload.replace(b"1", b"2"))

    def test_the_key_is_named_only_if_wanted(self):
        key = self.key()
        with Server(reply()) as server:
            head, body = self.send(self.endpoint(server.url, key, signature_kid=False), server)
        self.assertEqual(signed_by(key.certificate, head, body), {"alg": "RS256"})

    def test_unsigned_where_nobody_asks_for_it(self):
        with Server(reply()) as server:
            endpoint = self.env["spp.endpoint"].create({"name": "Mapper", "base_url": server.url})
            head, _body = self.send(endpoint, server)
        self.assertNotIn("Signature:", head)


@tagged("post_install", "-at_install")
class TestSigningKey(KeyCase):
    def test_the_next_key_follows_without_a_gap(self):
        first = self.key()
        first.action_use()
        with Server(reply()) as server:
            endpoint = self.endpoint(server.url, first)
            second = self.env["spp.signing.key"].browse(first.action_next_key()["res_id"])
            self.assertEqual((first.state, second.state), ("active", "next"))
            head, body = self.send(endpoint, server)
            signed_by(first.certificate, head, body)
            second.action_use()
            self.assertEqual((first.state, second.state), ("retired", "active"))
            self.assertEqual(endpoint.signing_key_id, second)
            head, body = self.send(endpoint, server)
            signed_by(second.certificate, head, body)
        self.assertFalse(first.has_private_key, "what is not used any more is not kept")
        self.assertNotEqual(first.kid, second.kid)

    def test_certificate_names_the_sender(self):
        certificate = x509.load_pem_x509_certificate(self.key("spp-registry").certificate.encode())
        self.assertEqual(certificate.subject.rfc4514_string(), "CN=spp-registry")

    def test_a_key_that_exists_already_is_imported(self):
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        key = self.env["spp.signing.key"].create({"name": "spp", "private_key": pem(private)})
        self.assertTrue(key.has_private_key)
        self.assertFalse(key.private_key)
        public = x509.load_pem_x509_certificate(key.certificate.encode()).public_key()
        self.assertEqual(public.public_numbers(), private.public_key().public_numbers())
        other = self.key()
        together = pem(private) + other.certificate
        for wrong in (
            "nothing",
            other.certificate,
            together,
            pem(ec.generate_private_key(ec.SECP256R1())),
            pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),
        ):
            with self.assertRaises(UserError):
                self.env["spp.signing.key"].create({"name": "spp", "private_key": wrong})
        kid, with_certificate = other.kid, other._get_private_key() + other.certificate
        other.unlink()
        key = self.env["spp.signing.key"].create({"name": "spp", "private_key": with_certificate})
        self.assertEqual(key.kid, kid, "its certificate came along")

    def test_a_key_is_made_once(self):
        key = self.key()
        with self.assertRaises(UserError):
            key.action_generate()
        with self.assertRaises(UserError):
            key.certificate = "another"
        key.action_use()
        with self.assertRaises(UserError):
            key.action_use()
        with self.assertRaises(UserError):
            key.unlink()


@tagged("post_install", "-at_install")
class TestSigningKeyOverXmlRpc(RoleCase):
    @mute_logger("odoo.models", "odoo.addons.base.models.ir_model", "odoo.http", "odoo.sql_db")
    def test_the_private_half_does_not_come_out(self):
        key = self.env["spp.signing.key"].create({"name": "spp"})
        key.action_generate()
        secret = key._get_private_key().split("\n")[3]
        self.env.flush_all()
        ids = key.ids
        for role in self.users:
            for method, args in (
                ("read", (ids,)),
                ("search_read", ([], ["private_key"])),
                ("export_data", (ids, ["id", "private_key"])),
                ("copy_data", ids),
                ("_get_private_key", (ids,)),
            ):
                try:
                    answer = repr(self.rpc(role, "spp.signing.key", method, *args))
                except Fault as fault:
                    answer = fault.faultString
                self.assertNotIn(secret, answer, (role, method))

    @mute_logger("odoo.models", "odoo.addons.base.models.ir_model", "odoo.http")
    def test_only_an_administrator_handles_keys(self):
        key = self.env["spp.signing.key"].create({"name": "spp"})
        self.env.flush_all()
        for role in set(self.users) - {"admin", "system"}:
            for method in ("action_generate", "action_use", "action_next_key"):
                with self.assertRaises(Fault, msg=(role, method)):
                    self.rpc(role, "spp.signing.key", method, key.ids)
        self.rpc("admin", "spp.signing.key", "action_generate", key.ids)
        self.assertTrue(
            self.rpc("auditor", "spp.signing.key", "read", key.ids, ["certificate"])[0]["certificate"]
        )
