"""Both readers on recorded answers of running servers; errors inside HTTP 200 in plain words."""

import json
from datetime import datetime
from types import SimpleNamespace

from odoo.tests.common import BaseCase

from ..wire import JsonRpcReader, Login, RestReader, SourceDown, SourceError
from .test_wire_records import sample

LOGIN = Login("mis_src", "mis_api", "hush")
HTML = "<!DOCTYPE html>\n<html><body>Log in</body></html>"


def answer(body, status=200, **headers):
    text = body if isinstance(body, str) else json.dumps(body)
    return SimpleNamespace(status=status, headers=headers, text=text)


def recorded(name):
    told = sample(name)
    body = told["body"]
    return answer(body.get("_text", body) if isinstance(body, dict) else body, told["status"])


class Recorded:
    """A client that answers from a list: the next answer, or what a function of (path, json, params) says."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []

    def request(self, method, path, *, json=None, params=None, headers=None, allow_redirects=False):
        self.calls.append((method, path, json, params))
        said = self.answers[0] if callable(self.answers[0]) else self.answers.pop(0)
        return said(path, json, params) if callable(said) else said


OK = recorded("v17_login_ok")


class TestLogin(BaseCase):
    def refused(self, *answers, login=LOGIN, error=SourceError):
        with self.assertRaises(error) as caught:
            JsonRpcReader(Recorded(*answers), login).login()
        self.assertNotIn("hush", caught.exception.reason)
        return caught.exception.reason

    def test_welcome(self):
        client = Recorded(answer(sample("v17_login_ok")["body"], Date="Sat, 21 Nov 2026 03:00:00 GMT"))
        welcome = JsonRpcReader(client, LOGIN).login()
        self.assertEqual((welcome.time_zone, welcome.server_version), ("UTC", "17.0-20240709"))
        self.assertIsInstance(welcome.clock_ahead, int)
        self.assertEqual(
            client.calls[0][2]["params"], {"db": "mis_src", "login": "mis_api", "password": "hush"}
        )

    def test_refusals_inside_http_200(self):
        self.assertIn("does not accept the login mis_api", self.refused(recorded("v17_login_wrong_password")))
        self.assertIn("no database “mis_src”", self.refused(recorded("v17_login_wrong_db")))
        two_factor = sample("v17_login_ok")["body"]
        two_factor["result"]["uid"] = None
        self.assertIn("two-factor", self.refused(answer(two_factor)))

    def test_what_is_no_odoo(self):
        self.assertIn("web page", self.refused(recorded("v17_login_not_json")))
        self.assertIn("web page", self.refused(answer(HTML)))
        self.assertIn("nothing at /web/session/authenticate", self.refused(answer(HTML, 404)))
        self.assertIn("empty answer", self.refused(answer("")))
        for body in ("[]", "{}", '"x"', '{"result": []}', '{"error": "x"}', '{"error": {"data": "x"}}'):
            self.assertTrue(self.refused(answer(body)), body)
        self.assertIn("sends us elsewhere", self.refused(answer("", 301)))
        self.refused(answer("Bad gateway", 502), error=SourceDown)

    def test_other_login_and_logout_paths(self):
        login = Login("mis_src", "mis_api", "hush", "/session/auth/login", "/session/auth/logout")
        info = {**sample("v17_login_ok")["body"]["result"], "session": {"sid": "s"}}
        client = Recorded(answer(info), answer("{}"))
        reader = RestReader(client, login)
        self.assertEqual(reader.login().time_zone, "UTC")
        reader.logout()
        self.assertEqual(client.calls[0][2], {"db": "mis_src", "login": "mis_api", "password": "hush"})
        self.assertEqual([call[:2] for call in client.calls][1], ("POST", "/session/auth/logout"))

    def test_login_is_not_shown_with_its_password(self):
        self.assertNotIn("hush", f"{LOGIN!r} {LOGIN}")


class TestJsonRpc(BaseCase):
    def reader(self, *answers):
        client = Recorded(*answers)
        return JsonRpcReader(client, LOGIN), client

    not_there = answer({"error": {"code": 200, "data": {"name": "builtins.KeyError", "message": "…"}}})

    def recorded_source(self, path, body, params):
        model, method = path.split("/")[-2:]
        if model.startswith("g2p.program"):
            return self.not_there
        rows = {
            "res.partner": sample("rpc_individuals") + sample("rpc_groups_page1"),
            "g2p.reg.id": sample("rpc_ids"),
            "g2p.phone.number": sample("rpc_phones"),
            "res.partner.bank": sample("rpc_banks"),
            "g2p.group.membership": sample("rpc_memberships"),
            "res.bank": [{"id": 3, "name": "Coastal Savings Bank", "bic": "COSBPHM1XXX"}, {"id": 2, "name": "First Rural Bank", "bic": False}],
            "g2p.group.membership.kind": [{"id": 1, "name": "Head"}, {"id": 2, "name": "Alternative recipient"}, {"id": 3, "name": "Principal recipient"}],
        }[model]  # fmt: skip
        if method == "fields_get":
            return answer({"result": {name: {} for row in rows for name in row}})
        domain, _names = body["params"]["args"]
        kwargs = body["params"]["kwargs"]
        for field, _sign, value in domain:
            if field == "is_group":
                rows = [row for row in rows if ("kind" in row) == value]
            elif field == "id":
                rows = [row for row in rows if row["id"] > value]
        rows = sorted(rows, key=lambda row: row["id"])[: kwargs.get("limit")]
        return answer({"jsonrpc": "2.0", "id": None, "result": rows})

    def test_recorded_people(self):
        reader, _client = self.reader(self.recorded_source)
        page = reader.individuals(after=0, limit=100)
        self.assertEqual(
            ([record.id for record in page.records], page.bad, page.after), ([8, 9, 10, 11, 12], [], None)
        )
        flora = page.records[0]
        self.assertEqual((flora.name, flora.gender, flora.birthdate_exact), ("ABADA, FLORA", "Female", True))
        self.assertEqual(
            [document.type for document in flora.documents], ["National ID", "Social Security No."]
        )
        self.assertEqual(
            (flora.accounts[0].bank, flora.accounts[0].bic), ("Coastal Savings Bank", "COSBPHM1XXX")
        )
        self.assertEqual(page.records[1].accounts[0].bic, None)

    def test_recorded_groups(self):
        reader, _client = self.reader(self.recorded_source)
        page = reader.groups(after=0, limit=100)
        self.assertEqual([group.kind for group in page.records], ["Family", "Household", "Household"])
        first = page.records[0].memberships
        self.assertEqual([one.individual for one in first], [8, 9, 10, 11, 12])
        self.assertEqual(first[0].roles, ("Head", "Principal recipient"))
        self.assertEqual((str(first[0].start), first[0].ended), ("2026-11-21", None))
        self.assertEqual(page.records[2].memberships, ())

    def test_programs_and_what_was_noted_for_them(self):
        def source(path, body, params):
            model, method = path.split("/")[-2:]
            if model == "g2p.program_membership":
                row = {"id": 5, "partner_id": [8, "F"], "program_id": [3, "Child grant"], "state": "enrolled"}
                return answer({"result": [{**row, "enrollment_date": "2024-08-01", "exit_date": False}]})
            if model == "g2p.program.registrant_info":
                noted = {"household_size": 5, "roof": "tin", "nothing": None}
                told = json.dumps(noted)  # some modules keep a text in it
                return answer(
                    {
                        "result": [
                            {
                                "id": 1,
                                "registrant_id": [8, "F"],
                                "program_membership_id": [5, "…"],
                                "program_registrant_info": told,
                            }
                        ]
                    }
                )
            return self.recorded_source(path, body, params)

        reader, _client = self.reader(source)
        (program,) = reader.individuals(after=0, limit=100).records[0].programs
        self.assertEqual(
            (program.program, program.name, program.state, str(program.enrolled), program.left),
            (3, "Child grant", "enrolled", "2024-08-01", None),
        )
        self.assertEqual(program.information, {"household_size": "5", "roof": "tin"})

    def test_changes_are_asked_for_by_stamp_and_by_what_belongs_to_a_person(self):
        asked = []

        def source(path, body, params):
            model, method = path.split("/")[-2:]
            if method == "search_read":
                domain = body["params"]["args"][0]
                if model == "res.partner":
                    asked.append(domain)
                    return answer({"result": []})
                if domain and domain[0][0] == "write_date":
                    self.assertEqual(domain, [["write_date", ">=", "2026-11-21 01:00:00"]])
                    if model == "g2p.phone.number":
                        return answer({"result": [{"id": 1, "partner_id": [12, "X"]}]})
                    return answer({"result": []})
            return self.recorded_source(path, body, params)

        reader, _client = self.reader(source)
        self.assertFalse(reader.individuals(after=7, since=datetime(2026, 11, 21, 1)).records)
        self.assertEqual(
            asked[0][2:],
            [["id", ">", 7], "|", ["write_date", ">=", "2026-11-21 01:00:00"], ["id", "in", [12]]],
        )

    def test_pages_follow_the_number_so_equal_stamps_do_no_harm(self):
        reader, _client = self.reader(self.recorded_source)
        after, seen = 0, []
        while after is not None:
            page = reader.individuals(after=after, limit=2)
            seen += [record.id for record in page.records]
            after = page.after
        self.assertEqual(seen, [8, 9, 10, 11, 12])

    def test_a_server_that_does_not_page_is_not_asked_for_ever(self):
        rows = sample("rpc_individuals")
        reader, _client = self.reader(answer({"result": {"name": {}}}), answer({"result": rows}))
        with self.assertRaisesRegex(SourceError, "does not page"):
            reader.individuals(after=12, limit=2)

    def test_expired_session_is_renewed_once(self):
        expired = recorded("v17_session_expired")
        reader, client = self.reader(expired, OK, answer({"result": 7}))
        self.assertEqual(reader.call("res.partner", "search_count", [[]]), 7)
        self.assertEqual(len(client.calls), 3)
        reader, _client = self.reader(expired, OK, expired)
        with self.assertRaisesRegex(SourceError, "ended the session"):
            reader.call("res.partner", "search_count", [[]])

    def test_errors_in_plain_words(self):
        for name, words in (
            ("odoo.exceptions.AccessError", "may not read g2p.reg.id"),
            ("builtins.KeyError", "does not know g2p.reg.id"),
            ("builtins.ValueError", "failed when it was asked"),
        ):
            error = {"code": 200, "data": {"name": name, "message": "hush", "debug": "Traceback hush"}}
            reader, _client = self.reader(answer({"error": error}))
            with self.assertRaisesRegex(SourceError, words) as caught:
                reader.call("g2p.reg.id", "search_read", [[]])
            self.assertNotIn("hush", caught.exception.reason)


class TestRest(BaseCase):
    def reader(self, *answers):
        client = Recorded(OK, *answers)
        reader = RestReader(client, LOGIN)
        reader.login()
        return reader, client

    def test_recorded_group(self):
        reader, client = self.reader(recorded("v15_group_manila_tz"))
        page = reader.groups()
        self.assertEqual(
            (page.records[0].kind, len(page.records[0].memberships), page.after), ("Family", 5, None)
        )
        self.assertEqual(client.calls[-1][3], {"include_members_full": "true"})

    def test_keys_of_the_17_api_and_its_silence_about_members(self):
        reader, _client = self.reader(recorded("v17_group_list_full"), recorded("v17_individual_list"))
        groups, people = reader.groups(), reader.individuals()
        self.assertTrue(groups.records and people.records and not groups.bad + people.bad)
        self.assertEqual({group.memberships for group in groups.records}, {None})
        self.assertEqual(people.records[0].changed_at.isoformat()[:10], "2026-11-21")

    def test_nothing_found_is_an_empty_list(self):
        for name in ("v15_group_none", "v17_group_none"):
            reader, _client = self.reader(recorded(name))
            page = reader.groups()
            self.assertEqual((page.records, page.bad, page.after), ([], [], None))

    def test_other_errors(self):
        reader, _client = self.reader(recorded("v15_group_bad_id"))
        with self.assertRaisesRegex(SourceError, "HTTP status 400"):
            reader.groups()
        reader, _client = self.reader(answer({"errorCode": "500"}, 500))
        with self.assertRaises(SourceDown):
            reader.groups()
        reader, _client = self.reader(answer(HTML))
        with self.assertRaisesRegex(SourceError, "web page"):
            reader.groups()

    def test_truncated_answer_may_be_asked_again(self):
        reader, _client = self.reader(answer('[{"id": 7, "name": "Aba'))
        with self.assertRaisesRegex(SourceDown, "cut off"):
            reader.groups()

    def test_expired_session_and_an_api_that_takes_none(self):
        reader, _client = self.reader(recorded("v15_group_no_auth"), OK, recorded("v15_group_manila_tz"))
        self.assertEqual(len(reader.groups().records), 1)
        refused = recorded("v17_group_list_session_cookie")
        reader, _client = self.reader(refused, OK, refused)
        with self.assertRaisesRegex(SourceError, "choose the dialect JSON-RPC"):
            reader.groups()
