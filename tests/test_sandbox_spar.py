"""The SPAR mapper of the sandbox gives the codes observed on a running 1.1.0 (wire page, table 1.4)."""

import pytest
from sandbox_client import Client

from sandbox import start

ID, FA = "token:A@nationalId", "account:1@main.fb01.bank_acc"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with start(tmp_path_factory.mktemp("sandbox")) as urls:
        yield urls.spar


@pytest.fixture
def spar(url):
    client = Client(url)
    client.post("/_sandbox/reset", {})
    return client


def outcome(got, op):
    """[(status, code)] of the items."""
    assert got.status == 200
    return [(item["status"], item["status_reason_code"]) for item in got.json["message"][f"{op}_response"]]


def test_ping(spar):
    assert spar.get("/ping").json == "pong"


def test_an_account_is_linked_resolved_updated_and_unlinked(spar):
    got = spar.spar("link", {"id": ID, "fa": FA, "additional_info": [{"strategy_id": 2}]}, total_count=99)
    header, (item,) = got.json["header"], got.json["message"]["link_response"]
    assert (header["status"], header["total_count"], header["completed_count"]) == ("succ", 1, 1)
    assert (header["sender_id"], header["receiver_id"], header["message_id"]) == ("spp", "other", "m-1")
    assert item["fa"] == FA and "id" not in item and item["locale"] == "en"

    (item,) = spar.spar("resolve", {"id": ID, "scope": "details"}).json["message"]["resolve_response"]
    assert (item["id"], item["fa"], item["additional_info"]) == (ID, FA, [{"strategy_id": 2}])
    (item,) = spar.spar("resolve", {"id": ID}).json["message"]["resolve_response"]
    assert (item["id"], item["fa"], item["status_reason_code"], item["additional_info"]) == (
        ID,
        "",
        None,
        None,
    )

    (item,) = spar.spar("update", {"id": ID, "fa": "mobile:745@momo"}).json["message"]["update_response"]
    assert item["status"] == "succ" and item["id"] == ID and "fa" not in item
    assert outcome(spar.spar("update", {"id": ID, "fa": "mobile:745@momo"}), "update") == [("succ", None)]
    (item,) = spar.spar("resolve", {"id": ID, "scope": "details"}).json["message"]["resolve_response"]
    assert (item["fa"], item["additional_info"]) == ("mobile:745@momo", [{"strategy_id": 2}])

    got = spar.spar("unlink", {"id": ID, "fa": FA})
    assert outcome(got, "unlink") == [("rjct", "rjct.id.invalid")]
    got = spar.spar("unlink", {"id": ID})
    assert outcome(got, "unlink") == [("succ", None)]
    assert got.json["message"]["unlink_response"][0]["id"] == ""
    assert outcome(spar.spar("unlink", {"id": ID}), "unlink") == [("rjct", "rjct.id.invalid")]


def test_a_link_that_exists_is_rejected_even_when_it_is_the_same(spar):
    spar.spar("link", {"id": ID, "fa": FA})
    got = spar.spar("link", {"id": ID, "fa": FA}, {"id": ID, "fa": "mobile:1@x"})
    assert outcome(got, "link") == [("rjct", "rjct.reference_id.duplicate")] * 2
    assert (got.json["header"]["status"], got.json["header"]["completed_count"]) == ("succ", 0)
    assert got.json["message"]["link_response"][0]["status_reason_message"] == "ID and FA are already mapped"
    assert spar.state()["links"][ID]["fa"] == FA


def test_unknown_ids(spar):
    got = spar.spar("update", {"id": ID, "fa": FA})
    assert outcome(got, "update") == [("rjct", "rjct.reference_id.duplicate")]
    assert (
        got.json["message"]["update_response"][0]["status_reason_message"]
        == "ID doesnt exist please link first"
    )
    got = spar.spar("resolve", {"id": ID, "scope": "details"})
    assert outcome(got, "resolve") == [("succ", "succ.fa.not_linked_to_id")]
    assert got.json["message"]["resolve_response"][0]["id"] is None
    assert got.json["header"]["completed_count"] == 1


def test_resolve_ignores_the_address_and_answers_what_it_refuses_first(spar):
    spar.spar("link", {"id": ID, "fa": FA})
    got = spar.spar("resolve", {"id": ID, "fa": "other", "scope": "details"}, {"fa": FA}, {})
    items = got.json["message"]["resolve_response"]
    assert [(item["reference_id"], item["status_reason_code"]) for item in items] == [
        ("r2", "rjct.reference_id.invalid"),
        ("r0", None),
        ("r1", "succ.fa.not_linked_to_id"),
    ]
    assert items[1]["fa"] == items[2]["fa"] == FA  # a miss echoes what was asked


def test_empty_values_are_refused_by_item_and_do_not_block_the_others(spar):
    got = spar.spar("link", {"id": "", "fa": FA}, {"id": ID, "fa": ""}, {"id": ID, "fa": FA})
    assert outcome(got, "link") == [("rjct", "rjct.id.invalid"), ("rjct", "rjct.fa.invalid"), ("succ", None)]
    assert outcome(spar.spar("update", {"id": "", "fa": FA}), "update") == [("rjct", "rjct.id.invalid")]
    assert outcome(spar.spar("unlink", {"id": ""}), "unlink") == [("rjct", "rjct.id.invalid")]


def test_one_new_id_twice_in_a_batch_loses_the_whole_batch(spar):
    got = spar.spar("link", {"id": "other", "fa": FA}, {"id": ID, "fa": FA}, {"id": ID, "fa": "mobile:1@x"})
    assert (got.status, got.json["errors"][0]["code"]) == (500, "G2P-REQ-100")
    assert spar.state() == {"links": {}, "operations": []}


@pytest.mark.parametrize(
    ("op", "item", "message"),
    [
        ("link", {"id": ID}, "Invalid Input. Field required"),
        ("link", {"id": None, "fa": FA}, "Invalid Input. Input should be a valid string"),
        ("unlink", {}, "Invalid Input. Field required"),
        ("link", {"id": ID, "fa": FA, "reference_id": 1}, "Invalid Input. Input should be a valid string"),
        ("resolve", {"id": ID, "scope": "all"}, "Invalid Input. Input should be 'yes_no' or 'details'"),
    ],
)
def test_what_does_not_fit_the_schema_is_a_400(spar, op, item, message):
    got = spar.spar(op, item)
    assert (got.status, got.json) == (400, {"errors": [{"code": "G2P-REQ-102", "message": message}]})


def test_the_action_must_be_the_operation(spar):
    got = spar.spar("link", {"id": ID, "fa": FA}, action="search")
    assert got.json["header"]["status"] == "rjct"
    assert got.json["header"]["status_reason_code"] == "rjct.action.not_supported"
    assert got.json["message"] == {} and spar.state()["links"] == {}


def test_wrong_paths_and_methods(spar):
    assert spar.post("/mapper/link", {}).json["errors"][0]["code"] == "G2P-REQ-404"
    assert spar.get("/sync/link").json["errors"][0]["code"] == "G2P-REQ-405"
    assert spar.call("POST", "/sync/link", b"{").json["errors"][0]["code"] == "G2P-REQ-102"


def test_another_channel_changes_links_and_the_log_tells_what_we_did(spar):
    spar.spar("link", {"id": ID, "fa": FA, "name": "A"})
    spar.set(id=ID, fa="mobile:9@momo")
    spar.set(id="other", fa=FA)
    assert spar.state()["links"][ID] == {
        "fa": "mobile:9@momo", "name": "A", "phone_number": None, "additional_info": None,
    }  # fmt: skip
    spar.set(id="other", fa=None)
    assert list(spar.state()["links"]) == [ID]
    assert [(row["op"], row["id"], row["status"]) for row in spar.state()["operations"]] == [
        ("link", ID, "succ")
    ]
    assert spar.post("/_sandbox/set", {"id": ID}).status == 400
