"""The SPAR mapper of the sandbox gives the codes observed on running ones, 1.1.0 and 2.1 (`typed`)."""

import datetime
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from sandbox_client import Client

from sandbox import door, start

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
    assert spar.post("/other/link", {}).json["errors"][0]["code"] == "G2P-REQ-404"
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


BANK = {
    "strategy_id": 2, "fa_type": "BANK", "bank_name": "First Bank", "bank_code": "FB01",
    "branch_name": "Main", "branch_code": "001", "account_number": "1000000001",
}  # fmt: skip
STRING = "account_number:1000000001.branch_name:Main.branch_code:001.bank_name:First Bank.bank_code:FB01.fa_type:BANK"


def typed(spar, op, *items):
    """Header and items of an answer of 2.x."""
    got = spar.typed(op, *items)
    assert got.status == 200
    payload = got.json["response_body"]["response_payload"]
    return got.json["response_header"], payload[f"{op}_response"]


def test_2_makes_the_string_and_takes_it_apart(spar):
    header, (item,) = typed(spar, "link", {"id": ID, "fa": BANK})
    assert (header["response_status"], header["request_id"]) == ("SUCCESS", "q-1")
    assert (item["fa"], item["status"]) == (STRING, "succ")
    _header, (item,) = typed(spar, "resolve", {"id": ID, "scope": "details"})
    assert (item["fa"], item["id"], item["status_reason_code"]) == (BANK, ID, "succ.id.active")
    assert item["additional_info"] == [{"strategy_id": 2}]
    _header, (item,) = typed(spar, "resolve", {"id": ID})
    assert (item["fa"], item["status_reason_code"]) == (None, "succ.id.active")
    _header, (item,) = typed(spar, "resolve", {"id": "other", "scope": "details"})
    assert (item["fa"], item["id"], item["status_reason_code"]) == (None, None, "succ.fa.not_linked_to_id")
    wallet = {
        "strategy_id": 4, "fa_type": "MOBILE_WALLET", "wallet_provider_name": "MoMo", "wallet_provider_code": "MM",
        "mobile_number": "+745999",
    }  # fmt: skip
    typed(spar, "update", {"id": ID, "fa": wallet})
    _header, (item,) = typed(spar, "resolve", {"id": ID, "scope": "details"})
    assert (item["fa"], item["additional_info"]) == (wallet, [{"strategy_id": 4}])
    _header, (item,) = typed(spar, "unlink", {"id": ID, "fa": STRING})
    assert item["status_reason_code"] == "rjct.id.invalid"
    _header, (item,) = typed(spar, "unlink", {"id": ID})
    assert item["status"] == "succ"


def test_2_the_strategy_said_twice_leaves_an_account_that_nobody_can_read(spar):
    typed(spar, "link", {"id": ID, "fa": BANK, "additional_info": [{"strategy_id": 4}]})
    _header, (item,) = typed(spar, "resolve", {"id": ID, "scope": "details"})
    assert item["fa"] == {"strategy_id": 4}


def test_2_fails_inside_over_an_unknown_strategy_or_one_id_twice_and_stores_nothing(spar):
    for items in (
        [{"id": "other", "fa": BANK}, {"id": ID, "fa": {**BANK, "strategy_id": 99}}],
        [{"id": ID, "fa": BANK}, {"id": ID, "fa": BANK}],
    ):
        header, answered = typed(spar, "link", *items)
        assert (header["response_status"], header["response_error_code"]) == ("ERROR", "rjct.internal.error")
        assert answered == [] and spar.state()["links"] == {}


def test_2_null_id_empty_list_and_schema(spar):
    _header, items = typed(spar, "link", {"id": None, "fa": BANK}, {"id": ID, "fa": BANK})
    assert [item["status_reason_code"] for item in items] == ["rjct.id.invalid", None]
    header, _items = typed(spar, "link")
    assert header["response_error_code"] == "rjct.request.validation"
    assert "Empty" in header["response_error_message"]
    for fa in ("account:1@b", {**BANK, "branch_code": None}, None):
        assert spar.typed("link", {"id": ID, "fa": fa}).status == 400


def test_signatures_as_each_generation_asks_for_them(spar):
    key = rsa.generate_private_key(65537, 2048)
    spar.set(partners=[certificate(key, "spp")])
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()

    def send(path, message, signature, form):
        sort = form == "sorted"
        body = json.dumps(message, sort_keys=sort, ensure_ascii=not sort, separators=(",", ":")).encode()
        headers = {"Signature": door.sign(body, pem) if signature is None else signature}
        return spar.call("POST", path, body, headers=headers if signature != "" else {})

    one = spar.message("link", {"id": ID, "fa": FA, "name": "Zoë"})
    two = spar.typed_message("link", {"id": "other", "fa": {**BANK, "bank_name": "Crédit"}})
    for form, status in (("sorted", "rjct"), ("as_sent", "succ")):
        assert send("/sync/link", one, None, form).json["header"]["status"] == status
    for form, status in (("as_sent", "ERROR"), ("sorted", "SUCCESS")):
        assert send("/mapper/link", two, None, form).json["response_header"]["response_status"] == status
    # missing and malformed: a fault in one generation, a refusal in the other
    assert send("/sync/link", one, "", "as_sent").status == 500
    assert (
        send("/sync/link", one, "abc", "as_sent").json["header"]["status_reason_code"] == "rjct.jwt.invalid"
    )
    assert send("/mapper/link", two, "abc", "sorted").status == 500
    for signature in ("", "e30..AAAA", "eyJhbGciOiJub25lIn0.."):
        answer = send("/mapper/link", two, signature, "sorted")
        if answer.status == 200:
            assert "jwt_invalid" in answer.json["response_header"]["response_error_message"]
    two["request_header"]["sender_app_mnemonic"] = "somebody"
    assert send("/mapper/link", two, None, "sorted").json["response_header"]["response_status"] == "ERROR"


def certificate(key, name):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.utcnow()
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(now - day).not_valid_after(now + day)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
