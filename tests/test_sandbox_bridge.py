"""The bridge of the sandbox behaves as the running G2P Bridge was observed to (wire page, section 2)."""

from datetime import UTC, datetime, timedelta

import pytest
from sandbox_client import Client

from sandbox import start

HEADER = {
    "version": "1.0.0",
    "message_id": "m-1",
    "message_ts": "2026-11-21T09:00:00+00:00",
    "sender_id": "spp",
}
LATER = (datetime.now(UTC).date() + timedelta(days=3)).isoformat()
ENVELOPE = {
    "benefit_program_mnemonic": "SPP-TEST",
    "disbursement_frequency": "Monthly",
    "cycle_code_mnemonic": "2026-11",
    "number_of_beneficiaries": 2,
    "number_of_disbursements": 2,
    "total_disbursement_amount": 250,
    "disbursement_currency_code": "USD",
    "disbursement_schedule_date": LATER,
}


class BridgeClient(Client):
    def do(self, operation, message, **header):
        header = {**HEADER, "action": operation, "total_count": 1, **header}
        return self.post(f"/{operation}", {"header": header, "message": message})

    def said(self, operation, message, **header):
        """(status, code, message) of an answer with HTTP 200."""
        got = self.do(operation, message, **header)
        assert got.status == 200, got.text
        told = got.json["header"]
        assert told["status_reason_code"] is None, "the code stands where the text belongs"
        return told["status"], told["status_reason_message"], got.json["message"]

    def envelope(self, **values):
        status, code, message = self.said("create_disbursement_envelope", {**ENVELOPE, **values})
        assert status == "succ", code
        return message["disbursement_envelope_id"]

    def send(self, envelope, *amounts, first=1):
        return self.said(
            "create_disbursements",
            [
                {
                    "disbursement_envelope_id": envelope,
                    "beneficiary_id": f"id:{number}@nid",
                    "beneficiary_name": f"Beneficiary {number}",
                    "disbursement_amount": amount,
                    "narrative": "Cycle",
                    "mis_reference_number": f"PAY-{number}",
                }
                for number, amount in enumerate(amounts, first)
            ],
        )

    def counters(self, envelope):
        return self.said("get_disbursement_envelope_status", envelope)[2]

    def recon(self, *ids):
        return [
            each["disbursement_recon_records"]["disbursement_recon_payloads"]
            for each in self.said("get_disbursement_status", list(ids))[2]
        ]


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with start(tmp_path_factory.mktemp("sandbox")) as urls:
        yield urls.bridge


@pytest.fixture
def bridge(url):
    client = BridgeClient(url)
    client.post("/_sandbox/reset", {})
    client.set(settle_after=0, reverse_after=0)
    return client


def test_an_envelope_is_paid_once_it_has_what_it_declares(bridge):
    envelope = bridge.envelope()
    _status, _code, (first,) = bridge.send(envelope, 150)
    assert bridge.recon(first["disbursement_id"]) == [[]]
    _status, _code, (second,) = bridge.send(envelope, 100, first=2)
    ids = first["disbursement_id"], second["disbursement_id"]
    assert [record[0]["reversal_found"] for record in bridge.recon(*ids)] == [False, False]
    counters = bridge.counters(envelope)
    assert (counters["number_of_disbursements_received"], counters["number_of_disbursements_reconciled"]) == (
        2,
        2,
    )
    assert bridge.state()["paid"] == {"PAY-1": 1, "PAY-2": 1}


def test_fractions_are_cut_off_and_the_envelope_waits_for_ever(bridge):
    envelope = bridge.envelope(number_of_disbursements=2, total_disbursement_amount=1)
    bridge.send(envelope, 0.5)
    bridge.send(envelope, 0.5, first=2)
    assert bridge.counters(envelope)["total_disbursement_amount_received"] == 0
    assert bridge.state()["paid"] == {}


def test_refusals_are_http_200_and_take_nothing(bridge):
    envelope = bridge.envelope()
    for code, amounts in (
        ("NO_OF_DISBUESEMENTS_EXCEEDS_DECLARED", (1, 1, 1)),
        ("TOTAL_DISBURSEMENT_AMOUNT_EXCEEDS_DECLARED", (250.5,)),
        ("INVALID_DISBURSEMENT_PAYLOAD", (0,)),
    ):
        status, told, message = bridge.send(envelope, *amounts)
        assert (status, told) == ("rjct", code)
        assert {item["disbursement_id"] for item in message} == {None}
    assert bridge.send("404", 1)[1] == "DISBURSEMENT_ENVELOPE_NOT_FOUND"
    assert bridge.counters(envelope)["number_of_disbursements_received"] == 0
    for values, code in (
        ({"benefit_program_mnemonic": "OTHER"}, "INVALID_PROGRAM_MNEMONIC"),
        ({"disbursement_schedule_date": "2020-01-01"}, "INVALID_DISBURSEMENT_SCHEDULE_DATE"),
        ({"number_of_disbursements": 0}, "INVALID_NO_OF_DISBURSEMENTS"),
    ):
        assert bridge.said("create_disbursement_envelope", {**ENVELOPE, **values})[:2] == ("rjct", code)
    got = bridge.said("create_disbursement_envelope", ENVELOPE, action="create")
    assert got[:2] == ("rjct", "rjct.action.not_supported")


def test_faults_of_its_own(bridge):
    assert bridge.do("create_disbursements", []).status == 500
    assert (
        bridge.do("create_disbursement_envelope", {**ENVELOPE, "disbursement_frequency": "x"}).status == 400
    )
    assert bridge.do("create_disbursements", [{"disbursement_envelope_id": False}]).status == 400
    assert bridge.do("nothing", {}).status == 404


def test_the_same_reference_again_is_a_second_payment(bridge):
    envelope = bridge.envelope()
    bridge.send(envelope, 125)
    bridge.send(envelope, 125)
    assert bridge.state()["paid"] == {"PAY-1": 2}


def test_unknown_ids_and_unresolved_people_look_like_payments_in_progress(bridge):
    bridge.set(unresolved_beneficiaries=["id:2@nid"])
    _status, _code, items = bridge.send(bridge.envelope(), 150, 100)
    paid, never, unknown = bridge.recon(*[item["disbursement_id"] for item in items], "no-such-id")
    assert (len(paid), never, unknown) == (1, [], [])


def test_a_payment_can_come_back(bridge):
    bridge.set(reversed_beneficiaries=["id:1@nid"])
    envelope = bridge.envelope()
    _status, _code, items = bridge.send(envelope, 150, 100)
    ((back,), (kept,)) = bridge.recon(*[item["disbursement_id"] for item in items])
    assert (back["reversal_found"], back["reversal_reason"], kept["reversal_found"]) == (
        True,
        "account closed",
        False,
    )
    assert bridge.counters(envelope)["number_of_disbursements_reversed"] == 1


def test_cancel_and_amend(bridge):
    envelope = bridge.envelope()
    _status, _code, (first, _second) = bridge.send(envelope, 150, 100)
    assert bridge.said("cancel_disbursements", [{"disbursement_id": first["disbursement_id"]}])[0] == "succ"
    assert bridge.counters(envelope)["number_of_disbursements_received"] == 1
    amended = {**ENVELOPE, "number_of_disbursements": 1, "total_disbursement_amount": 100}
    assert (
        bridge.said("amend_disbursement_envelope", {**amended, "disbursement_envelope_id": envelope})[0]
        == "succ"
    )
    assert bridge.state()["paid"] == {"PAY-2": 1}
    other = bridge.envelope()
    cancel = {"disbursement_envelope_id": other}
    assert bridge.said("cancel_disbursement_envelope", cancel)[0] == "succ"
    again = bridge.said("cancel_disbursement_envelope", cancel)
    assert again[:2] == ("rjct", "DISBURSEMENT_ENVELOPE_ALREADY_CANCELED")
    assert bridge.send(other, 1)[0] == "succ", "payments of a cancelled envelope are accepted (observed)"


def test_tokens(bridge):
    bridge.set(client=["spp", "hush"])
    assert bridge.do("create_disbursement_envelope", ENVELOPE).status == 401
    form = b"grant_type=client_credentials&client_id=spp&client_secret="
    assert bridge.call("POST", "/token", form + b"wrong").status == 401
    token = bridge.call("POST", "/token", form + b"hush").json
    assert token["expires_in"] == "3600"
    body = {
        "header": {**HEADER, "action": "get_disbursement_envelope_status", "total_count": 1},
        "message": "404",
    }
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    assert bridge.call("POST", "/get_disbursement_envelope_status", body, headers=headers).status == 200
