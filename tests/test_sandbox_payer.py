"""The payer of the sandbox behaves as the running G2P Cash Transfer Bridge was observed to (wire page, 1.10)."""

import time

import pytest
from sandbox_client import HEADER, PAYMENT, Client

from sandbox import start

SENT = {"signature": "", "header": {**HEADER, "action": "disburse"}, "message": {"transaction_id": "B-1"}}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with start(tmp_path_factory.mktemp("sandbox")) as urls:
        yield urls.payer


@pytest.fixture
def payer(url):
    client = Client(url)
    client.post("/_sandbox/reset", {})
    client.set(listed_after=0, settle_after=0)
    return client


def test_everything_is_acknowledged_as_received_and_settled_later(payer):
    payer.set(settle_after=0.2)
    got = payer.disburse({}, {"reference_id": "PAY-2", "payee_fa": "account:ACC90000666@FRRBPHM1XXX"})
    header = got.json["header"]
    assert (header["status"], header["total_count"], header["completed_count"]) == ("rcvd", 2, 0)
    assert (header["message_id"], header["receiver_id"]) == ("m-1", "spp")
    assert [item["status"] for item in got.json["message"]["disbursements_status"]] == ["rcvd", "rcvd"]
    assert payer.statuses("PAY-1", "PAY-2") == [("PAY-1", "rcvd"), ("PAY-2", "rcvd")]
    time.sleep(0.25)
    got = payer.status("PAY-1", "PAY-2")
    paid, refused = got.json["message"]["txnstatus_response"]["txn_status"]
    assert (paid["status"], paid["status_reason_code"], paid["amount"]) == ("succ", None, "150.50")
    assert (refused["status"], refused["status_reason_code"]) == ("rjct", "rjct.payee_fa.invalid")
    assert refused["status_reason_message"] == "account closed"
    assert got.json["header"]["status"] == "succ" and got.json["header"]["total_count"] == 0
    assert payer.state()["paid"] == {"PAY-1": 1}


def test_stamps_are_naive_and_the_header_is_frozen_at_start(payer):
    first = payer.disburse({}).json
    assert "+" not in first["message"]["disbursements_status"][0]["timestamp"]
    time.sleep(0.01)
    assert payer.status("PAY-1").json["header"]["message_ts"] == first["header"]["message_ts"]


def test_a_payment_can_be_settled_after_a_number_of_status_answers_or_never(payer):
    payer.set(settle_polls=2)
    payer.disburse({})
    assert [payer.statuses("PAY-1")[0][1] for _ in range(3)] == ["rcvd", "rcvd", "succ"]
    payer.set(settle_after=None, settle_polls=0)
    payer.disburse({"reference_id": "PAY-2"})
    assert payer.statuses("PAY-2") == [("PAY-2", "rcvd")]


def test_a_payer_that_takes_its_time(payer):
    payer.set(item_ms=20)
    for message in (lambda: payer.disburse({}), lambda: payer.status(*map(str, range(5)))):
        begun = time.monotonic()
        message()
        assert time.monotonic() - begun >= 0.02


def test_a_status_answer_leaves_out_what_it_does_not_know(payer):
    payer.set(listed_after=0.1)
    payer.disburse({})
    assert payer.statuses("PAY-1", "PAY-9") == []
    time.sleep(0.15)
    assert payer.statuses("PAY-9", "PAY-1") == [("PAY-1", "succ")]


def test_a_payment_without_a_currency_vanishes(payer):
    got = payer.disburse({"currency_code": None}, {"reference_id": "PAY-2"})
    assert len(got.json["message"]["disbursements_status"]) == 2
    assert payer.statuses("PAY-1", "PAY-2") == [("PAY-2", "succ")]
    assert payer.state()["vanished"] == ["PAY-1"] and payer.state()["counts"] == {"PAY-2": 1}


def test_the_same_reference_again_is_a_second_payment(payer):
    payer.disburse({})
    assert payer.statuses("PAY-1") == [("PAY-1", "succ")]
    payer.set(settle_after=None)
    payer.disburse({})
    assert payer.statuses("PAY-1") == [("PAY-1", "succ"), ("PAY-1", "rcvd")]
    assert payer.state()["counts"] == {"PAY-1": 2} and payer.state()["paid"] == {"PAY-1": 1}


def test_a_status_by_transaction_id_is_its_bug(payer):
    assert payer.status("B-1", attribute_type="transaction_id").status == 500


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda sent: sent.pop("signature"), "Field required"),
        (lambda sent: sent["header"].update(meta=None), "Input should be a valid dictionary"),
        (lambda sent: sent["header"].pop("sender_id"), "Field required"),
        (lambda sent: sent["message"].pop("transaction_id"), "Field required"),
        (lambda sent: sent["message"]["disbursements"][1].pop("scheduled_timestamp"), "Field required"),
        (
            lambda sent: sent["message"]["disbursements"][1].update(amount=150.5),
            "Input should be a valid string",
        ),
        (lambda sent: sent["message"]["disbursements"][1].pop("payer_fa"), None),
        (lambda sent: sent.update(signature=None), None),
    ],
)
def test_what_does_not_fit_the_schema_is_a_400_and_nothing_is_paid(payer, change, message):
    items = [{**PAYMENT, "reference_id": "PAY-2"}, dict(PAYMENT)]
    sent = {**SENT, "header": dict(SENT["header"]), "message": {**SENT["message"], "disbursements": items}}
    change(sent)
    got = payer.post("/disburse/sync/disburse", sent)
    if message is None:
        assert got.status == 200
    else:
        assert (got.status, got.json["errors"][0]["message"]) == (400, f"Invalid Input. {message}")
        assert payer.state()["payments"] == []


def test_what_else_the_standard_has_does_not_exist(payer):
    assert payer.post("/disburse/search", {}).json["errors"][0]["code"] == "G2P-REQ-404"
    assert payer.get("/disburse/sync/disburse").json["errors"][0]["code"] == "G2P-REQ-405"
    assert payer.call("POST", "/disburse/sync/disburse", b"[]").status == 400


def test_closed_accounts_are_a_setting(payer):
    payer.set(closed_accounts=["ACC1"])
    payer.disburse({}, {"reference_id": "PAY-2", "payee_fa": "account:ACC90000666@FRRBPHM1XXX"})
    assert payer.statuses("PAY-1", "PAY-2") == [("PAY-1", "rjct"), ("PAY-2", "succ")]
    for senseless in ({"no_such": 1}, {"settle_after": "x"}, {"closed_accounts": None}):
        assert payer.post("/_sandbox/set", senseless).status == 400
    payer.set(listed_after=None)
    assert payer.statuses("PAY-1") == []
