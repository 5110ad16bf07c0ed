"""The source MIS of the sandbox answers as a running one was recorded to."""

import hashlib
import json

import pytest
from sandbox_client import Client

from sandbox import start
from sandbox.mis import Mis

# Digests of the recorded lists of wire/samples/mis, so that the data file can not drift from the recording.
RECORDED_GROUPS = "a086296a60f76cdc453e9c9536328e3fccc7ec2fefcdc61d58db132973660008"
RECORDED_INDIVIDUALS = "35d4ac778b78f8eeed57865fd0d237aea1f0d3285ad7d89628947c5ddc94f014"
FULL = "/api/v1/registry/group?include_members_full=true"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with start(tmp_path_factory.mktemp("sandbox")) as urls:
        yield urls.mis


@pytest.fixture
def mis(url):
    client = Client(url)
    client.post("/_sandbox/reset", {})
    assert client.login().json["result"]["uid"] == 6
    return client


def digest(answer):
    return hashlib.sha256(json.dumps(answer, sort_keys=True).encode()).hexdigest()


def error_of(answer):
    return answer["error"]["code"], answer["error"]["data"]["name"], answer["error"]["data"]["message"]


def test_login_gives_a_session_cookie_and_the_users_time_zone(url):
    client = Client(url)
    got = client.login("mis_manila")
    assert got.json["result"]["user_context"]["tz"] == "Asia/Manila"
    assert got.headers["Set-Cookie"].endswith("; Max-Age=604800; HttpOnly; Path=/")
    assert client.login().json["id"] == 1


@pytest.mark.parametrize(
    ("wrong", "name", "message"),
    [
        ({"password": "x"}, "odoo.exceptions.AccessDenied", "Access Denied"),
        ({"login": "x"}, "odoo.exceptions.AccessDenied", "Access Denied"),
        ({"db": "x"}, "odoo.exceptions.AccessError", "Database not found."),
    ],
)
def test_a_refused_login_is_http_200_with_an_error_and_no_cookie(url, wrong, name, message):
    got = Client(url).login(**wrong)
    assert got.status == 200
    assert error_of(got.json) == (200, name, message)
    assert got.headers["Set-Cookie"] is None


def test_a_login_that_is_not_json_gets_a_400_page(url):
    got = Client(url).call(
        "POST", "/web/session/authenticate", b"login=x", "application/x-www-form-urlencoded"
    )
    assert got.status == 400
    assert got.headers.get_content_type() == "text/html"


def test_without_a_session_calls_are_expired(url, mis):
    stranger = Client(url)
    assert error_of(stranger.rpc("res.partner", "search_count", []))[:1] == (100,)
    got = stranger.get(FULL)
    assert (got.status, got.json["errorMessage"]) == (401, "<p>Session expired</p>")
    mis.set(expire_sessions=True)
    assert error_of(mis.rpc("res.partner", "search_count", []))[1] == "odoo.http.SessionExpiredException"


def test_both_ways_out_end_the_session(mis):
    assert mis.post("/web/session/destroy", {"jsonrpc": "2.0", "params": {}}).json == {
        "jsonrpc": "2.0",
        "id": None,
    }
    assert "error" in mis.rpc("res.partner", "search_count", [])
    mis.login()
    got = mis.get("/web/session/logout")
    assert (got.status, got.headers["Location"]) == (303, "/web")
    assert "error" in mis.rpc("res.partner", "search_count", [])


def test_the_recorded_part_comes_out_as_recorded(tmp_path):
    recorded = Mis(tmp_path, files=("registry.json",))
    url = recorded.start(0)
    try:
        client = Client(url)
        client.login()
        assert digest(client.get(FULL).json) == RECORDED_GROUPS
        assert digest(client.get("/api/v1/registry/individual").json) == RECORDED_INDIVIDUALS
    finally:
        recorded.stop()


def test_the_registry_api_gives_everything_at_once_short_or_full(mis):
    short, full = mis.get("/api/v1/registry/group").json, mis.get(FULL).json
    assert len(short) == len(full) == 71
    assert len(mis.get("/api/v1/registry/individual/search").json) == 219
    assert short[0].keys() == full[0].keys() - {"members", "kind", "is_partial_group"}
    assert [group["name"] for group in full] == sorted(group["name"] for group in full)
    one = mis.get("/api/v1/registry/group/7").json
    assert [member["kind"] for member in one["members"]][-1] == [
        {"name": "Principal recipient"},
        {"name": "Head"},
    ]
    assert mis.get("/api/v1/registry/group?id=7").json[0]["id"] == 7
    assert {group["name"][:5] for group in mis.get("/api/v1/registry/group?name=Abada").json} == {"Abada"}


def test_nothing_found_on_the_registry_api_is_a_400(url, mis):
    for path in (
        "/api/v1/registry/group?id=99999",
        "/api/v1/registry/individual/99999",
        "/api/v1/registry/group?name=z_",
    ):
        got = mis.get(path)
        assert (got.status, got.json["errorCode"]) == (400, "G2P-REQ-010")
    assert mis.get("/api/v1/registry/group?id=x").json["errorCode"] == "400"
    portal = Client(url)
    portal.login("mis_portal")
    assert portal.get(FULL).json["errorCode"] == "G2P-REQ-010"
    assert error_of(portal.rpc("res.partner", "search_count", []))[1] == "odoo.exceptions.AccessError"


def test_stamps_come_in_the_api_users_time_zone(url):
    client = Client(url)
    client.login("mis_manila")
    group = client.get("/api/v1/registry/group/7").json
    assert group["write_date"] == "2026-11-21T09:18:06.936380+08:00"
    assert (
        client.found("res.partner", [["id", "=", 7]], ["write_date"])[0]["write_date"]
        == "2026-11-21 01:18:06"
    )


def test_records_look_as_over_odoos_rpc(mis):
    (person,) = mis.found(
        "res.partner", [["id", "=", 8]], ["name", "reg_ids", "bank_ids", "kind", "email", "active"]
    )
    assert person == {
        "id": 8, "name": "ABADA, FLORA", "reg_ids": [3, 2], "bank_ids": [1], "kind": False, "email": False, "active": True,
    }  # fmt: skip
    (membership,) = mis.found(
        "g2p.group.membership", [["id", "=", 1]], ["group", "kind", "ended_date", "is_ended"]
    )
    assert membership == {
        "id": 1, "group": [7, "Abada household 01"], "kind": [3, 1], "ended_date": False, "is_ended": False,
    }  # fmt: skip
    assert mis.rpc("g2p.reg.id", "read", [8], ["id_type", "write_date"])["result"] == [
        {"id": 8, "id_type": [1, "National ID"], "write_date": "2026-11-21 01:17:49"}
    ]
    assert mis.rpc("res.partner", "fields_get", ["kind"])["result"]["kind"]["relation"] == "g2p.group.kind"


@pytest.mark.parametrize(
    ("domain", "count"),
    [
        ([], 290),
        ([["is_group", "=", True]], 71),
        ([["is_registrant", "=", True], ["is_group", "=", False]], 219),
        (["|", ["id", "=", 7], ["id", "=", 8]], 2),
        (["&", ["id", ">", 6], "!", ["id", ">=", 9]], 2),
        ([["id", "in", [7, 8, 6]]], 2),
        ([["id", "<=", 9], ["id", "!=", 8]], 2),
        ([["kind", "=", False], ["is_group", "=", True]], 0),
        ([["birthdate", "=", False], ["is_group", "=", False]], 3),
        ([["birthdate", "<", "1960-01-01"]], 7),
        ([["active", "=", False]], 1),
        ([["bank_ids", "!=", False], ["is_group", "=", True]], 25),
        ([["reg_ids.id_type.name", "=", "Barangay Certificate"]], 1),
        ([["name", "ilike", "abada household"]], 5),
    ],
)
def test_domains(mis, domain, count):
    assert mis.rpc("res.partner", "search_count", domain)["result"] == count


def test_pages_orders_and_archived_people(mis):
    first = mis.found("res.partner", [["id", ">", 7]], limit=3, order="id asc")
    assert [row["id"] for row in first] == [8, 9, 10]
    assert mis.found("res.partner", [], limit=1, offset=1, order="id desc")[0]["id"] == 1151
    dates = [
        row["birthdate"] for row in mis.found("res.partner", [], ["birthdate"], order="birthdate desc, id")
    ]
    assert dates[0] is False and dates.index("2026-06-15") < dates.index("1954-02-09")
    assert mis.rpc("res.partner", "search_count", [], context={"active_test": False})["result"] == 291
    assert 223 not in mis.rpc("res.partner", "search", [])["result"]


def test_stamps_are_told_in_seconds_but_compared_in_microseconds(mis):
    told = mis.found("res.partner", [["id", "=", 8]], ["write_date"])[0]["write_date"]
    assert told == "2026-11-21 01:17:49"
    assert 8 in mis.rpc("res.partner", "search", [["write_date", ">", told]])["result"]


@pytest.mark.parametrize(
    ("model", "method", "args", "name"),
    [
        ("no.such", "search_count", [[]], "builtins.KeyError"),
        ("res.partner", "no_such", [], "builtins.AttributeError"),
        ("res.partner", "search_read", [[], ["no_such"]], "builtins.ValueError"),
        ("res.partner", "search_count", [[["no_such", "=", 1]]], "builtins.ValueError"),
        ("res.partner", "search_count", [[["id", "~", 1]]], "builtins.ValueError"),
        ("res.partner", "search_count", [[["id", "<", "x"]]], "builtins.TypeError"),
        ("res.partner", "write", [[7], {}], "odoo.exceptions.AccessError"),
        ("res.partner", "read", [[999999]], "odoo.exceptions.MissingError"),
    ],
)
def test_faulty_calls_are_http_200_with_an_error(mis, model, method, args, name):
    assert error_of(mis.rpc(model, method, *args))[1] == name


def test_a_record_changed_at_the_source_moves_the_stamps_a_real_source_moves(mis):
    def moved():
        stamps = {row["id"]: row["write_date"] for row in mis.found("res.partner", [], ["write_date"])}
        return {number for number, stamp in stamps.items() if stamp > "2026-11-21 02:00:00"}

    assert moved() == set()
    mis.set(model="res.partner", id=8, values={"given_name": "Flor"})
    assert moved() == {8}
    mis.set(model="res.partner.bank", id=2, values={"acc_number": "ACC77"})
    mis.set(model="g2p.phone.number", values={"partner_id": 9, "phone_no": "+639"})
    assert moved() == {8}
    mis.set(model="g2p.group.membership", id=5, values={"ended_date": "2026-11-21T03:00:00"})
    assert moved() == {8, 7}
    assert mis.found("res.partner.bank", [["id", "=", 2]], ["acc_number"])[0]["acc_number"] == "ACC77"
    assert mis.found("g2p.group.membership", [["is_ended", "=", True]])[0]["id"] == 5
    mis.set(model="res.partner", id=12, values=None)
    assert mis.found("g2p.reg.id", [["partner_id", "=", 12]]) == []
    assert len(mis.get("/api/v1/registry/group/7").json["members"]) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"model": "res.partner", "id": 8, "values": {"no_such": 1}},
        {"model": "res.partner", "values": {"name": "nameless kind"}},
        {"model": "g2p.group.membership", "values": {"group": 424242, "individual": 8, "kind": []}},
        {"model": "no.such", "id": 1, "values": {}},
        {"no_such": 1},
    ],
)
def test_a_senseless_change_is_refused_and_leaves_everything_as_it_was(mis, change):
    before = mis.state()
    assert mis.post("/_sandbox/set", change).status == 400
    assert mis.state() == before
    assert len(mis.get(FULL).json) == 71
