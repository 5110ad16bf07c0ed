"""Every fault of the sandbox: what the caller sees, and what the counterparty did all the same."""

import time

import pytest
from sandbox_client import Client

from sandbox import start

DISBURSE = "/disburse/sync/disburse"


@pytest.fixture(scope="module")
def urls(tmp_path_factory):
    with start(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def payer(urls):
    Client(urls.control).post("/_sandbox/reset", {"server": "all"})
    return Client(urls.payer)


def paid(client):
    return client.state()["counts"]


def test_drop_before_closes_without_acting(payer):
    payer.fault("drop_before", path=DISBURSE)
    with pytest.raises(ConnectionError):
        payer.disburse({})
    assert paid(payer) == {}


def test_drop_after_acts_and_closes_without_an_answer(payer):
    payer.fault("drop_after", path=DISBURSE)
    with pytest.raises(ConnectionError):
        payer.disburse({})
    assert paid(payer) == {"PAY-1": 1}


def test_duplicate_acts_twice(payer, urls):
    payer.fault("duplicate", path=DISBURSE)
    assert payer.disburse({}).status == 200
    assert paid(payer) == {"PAY-1": 2}
    spar = Client(urls.spar)
    spar.fault("duplicate")
    got = spar.spar("link", {"id": "a", "fa": "b"})
    assert got.json["message"]["link_response"][0]["status_reason_code"] == "rjct.reference_id.duplicate"


def test_a_replay_comes_later_and_overwrites_what_is_younger(urls):
    spar = Client(urls.spar)
    spar.spar("link", {"id": "replayed", "fa": "first"})
    spar.fault("replay", path="/sync/update", seconds=0.2)
    spar.spar("update", {"id": "replayed", "fa": "older"})
    spar.spar("update", {"id": "replayed", "fa": "younger"})
    assert spar.state()["links"]["replayed"]["fa"] == "younger"
    deadline = time.monotonic() + 10
    while spar.state()["links"]["replayed"]["fa"] != "older":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_mapper_that_takes_its_time(urls):
    spar = Client(urls.spar)
    spar.set(item_ms=20)
    begun = time.monotonic()
    spar.spar("resolve", *[{"id": str(number)} for number in range(10)])
    assert time.monotonic() - begun >= 0.2
    spar.set(item_ms=0)


def test_error_answers_the_status_without_acting(payer):
    payer.fault("error", path=DISBURSE)
    payer.fault("error", path=DISBURSE, status=429)
    assert [payer.disburse({}).status for _ in range(3)] == [503, 429, 200]
    assert paid(payer) == {"PAY-1": 1}


def test_html_instead_of_json(payer):
    payer.fault("html", path=DISBURSE)
    got = payer.disburse({})
    assert (got.status, got.headers.get_content_type()) == (200, "text/html")
    assert paid(payer) == {}


def test_delay_waits_then_acts_and_delay_after_acts_then_waits(payer, urls):
    hurried = Client(urls.payer, timeout=0.1)
    for fault, at_timeout in (("delay", {}), ("delay_after", {"PAY-1": 1})):
        payer.post("/_sandbox/reset", {})
        payer.fault(fault, path=DISBURSE, seconds=0.3)
        with pytest.raises(TimeoutError):
            hurried.disburse({})
        assert paid(payer) == at_timeout
        time.sleep(0.3)
        assert paid(payer) == {"PAY-1": 1}  # too late for the caller, but done


def test_refuse_all_refuses_the_whole_message_in_the_servers_own_way(payer, urls):
    spar, mis = Client(urls.spar), Client(urls.mis)
    for client in (payer, spar):
        client.fault("refuse_all")
    payer.fault("refuse_all", code="rjct.total_count.limit_exceeded")
    got = payer.disburse({}).json
    assert (got["header"]["status"], got["header"]["status_reason_code"]) == ("rjct", "rjct.errors.too_many")
    assert payer.disburse({}).json["header"]["status_reason_code"] == "rjct.total_count.limit_exceeded"
    assert paid(payer) == {}
    got = spar.spar("link", {"id": "a", "fa": "b"}).json
    assert got["header"]["status_reason_code"] == "rjct.jwt.invalid" and got["message"] == {}
    mis.login()
    mis.fault("refuse_all", times=2)
    assert (
        mis.rpc("res.partner", "search_count", [])["error"]["data"]["name"] == "odoo.exceptions.AccessError"
    )
    assert mis.get("/api/v1/registry/group").json["errorCode"] == "G2P-REQ-010"


def test_a_fault_counts_its_times_and_keeps_to_its_path(payer):
    payer.fault("error", path=DISBURSE, times=2)
    assert payer.status("PAY-1").status == 200
    assert [payer.disburse({}).status for _ in range(3)] == [503, 503, 200]
    payer.fault("error", path="/disburse/*", times=None)
    assert [payer.disburse({}).status for _ in range(5)] == [503] * 5
    assert len(payer.get("/_sandbox/faults").json["faults"]) == 1
    payer.call("DELETE", "/_sandbox/faults")
    assert payer.disburse({}).status == 200


def test_one_control_address_serves_all(urls, payer):
    control = Client(urls.control)
    control.fault("error", server="payer", path=DISBURSE)
    assert payer.disburse({}).status == 503
    payer.disburse({})
    assert control.get("/_sandbox/state?server=payer").json["counts"] == {"PAY-1": 1}
    assert control.get("/_sandbox/state?server=all").json.keys() == {"mis", "spar", "payer", "bridge"}
    control.post("/_sandbox/reset", {"server": "payer"})
    assert paid(payer) == {}
    assert control.get("/_sandbox/").json["server"] == "mis"


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "no_such"},
        {},
        {"fault": "error", "times": 0},
        {"fault": "error", "tims": 1},
        {"fault": "delay", "seconds": "1"},
        {"server": "x"},
        [],
    ],
)
def test_a_senseless_fault_is_refused(payer, fault):
    got = payer.post("/_sandbox/faults", fault)
    assert got.status == 400 and got.json["error"]
    assert payer.get("/_sandbox/faults").json == {"faults": []}
