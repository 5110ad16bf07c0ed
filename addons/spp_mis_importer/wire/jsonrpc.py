"""The registry of an OpenG2P server, read over Odoo's JSON-RPC: all fields, in pages.

Pages follow the record's number (`id > last`, ordered by id). Not by stamp: servers tell stamps in seconds and compare
them in microseconds, so a page that ends within a second would be asked for again for ever. A stamp is the lower bound
of a whole reading (`since`): then come the records that moved, and those whose documents, phones, accounts, programs
or memberships did, for these do not move their person's own stamp.

Which records must be read whole at all is told by `stamps()`: for each a print of the numbers and stamps of its own row
and of the rows that belong to it, and of the wording of the lists that these point to. The same print again means that
nothing of it came, went or changed.
"""

import hashlib
import json
from datetime import timedelta
from typing import NamedTuple

from .dates import parse_moment
from .errors import NotThere, SourceDown, SourceError
from .records import CHECKSUM_VERSION, Listed, Page, parse_page
from .session import Probe, Session

MOST_MOVED = 5000  # children that changed; where there are more, everything is read instead
NEWEST = "write_date desc, id desc"
STAMP = "%Y-%m-%d %H:%M:%S"


class Child(NamedTuple):
    """Rows that belong to a partner: the field that points to it, and what we read of them."""

    link: str
    fields: tuple
    of_groups: bool = False
    where: tuple = ()  # a domain: only these count
    optional: bool = False  # a source may lack the model, or keep it from us


class JsonRpcReader(Session):
    """:param settled: how long ago a stamp must lie for the same stamp to mean the same record: stamps are told in
    seconds, and what was stamped before may become visible later"""

    reads_all = None  # if it is asked for everything

    kinds = {
        "individual": [["is_registrant", "=", True], ["is_group", "=", False]],
        "group": [["is_registrant", "=", True], ["is_group", "=", True]],
    }
    common = ("name", "email", "address", "registration_date", "disabled", "write_date")
    only = {
        "individual": (
            "family_name", "given_name", "addl_name", "gender", "birthdate", "birthdate_not_exact", "birth_place",
        ),
        "group": ("kind",),
    }  # fmt: skip
    children = {
        "g2p.reg.id": Child("partner_id", ("id_type", "value", "expiry_date")),
        "g2p.phone.number": Child("partner_id", ("phone_no", "date_collected", "disabled")),
        "res.partner.bank": Child("partner_id", ("bank_id", "acc_number")),
        "g2p.program_membership": Child(
            "partner_id", ("program_id", "state", "enrollment_date", "exit_date"), optional=True
        ),
        "g2p.program.registrant_info": Child(
            "registrant_id", ("program_membership_id", "program_registrant_info"), optional=True
        ),
        "g2p.group.membership": Child(
            "group", ("individual", "kind", "start_date", "ended_date"), of_groups=True
        ),
    }
    catalogues = {
        "g2p.id.type": ["name"],
        "g2p.group.kind": ["name"],
        "g2p.group.membership.kind": ["name"],
        "res.bank": ["name", "bic"],
        "g2p.program": ["name"],
    }

    def __init__(self, client, login, settled=timedelta(minutes=15)):
        super().__init__(client, login)
        self._settled = settled
        self._known_fields = None
        self._lists = {}
        self._missing = set()  # models that the source does not have
        self._wording = None

    def probe(self):
        """Read one record of each kind and count all."""
        for kind in self.kinds:
            self._page(kind, 0, 1)
        return self.count()

    def count(self):
        return Probe(*(self.call("res.partner", "search_count", [domain]) for domain in self.kinds.values()))

    def newest(self):
        """The newest stamp at the source, by its own clock; None where it has no records."""
        told = [
            self._optional(model, [[], ["write_date"]], limit=1, order=NEWEST)
            for model in ("res.partner", *self.children)
        ]
        return max(
            filter(None, (parse_moment(row["write_date"]) for rows in told for row in rows)), default=None
        )

    def individuals(self, after=0, limit=500, since=None):
        """People whose number is above `after`.

        :param since: a moment in UTC; only who changed then or later
        """
        return self._page("individual", after, limit, since)

    def groups(self, after=0, limit=500, since=None):
        """Groups whose number is above `after`, with all their memberships; `since` as for people."""
        return self._page("group", after, limit, since)

    def whole(self, kind, numbers):
        """These records, whole."""
        return self._parsed(kind, self._rows(kind, [["id", "in", sorted(numbers)]]))

    def stamps(self, kind, after=0, limit=5000):
        """Who is there above `after`, and their prints.

        :return: {number: print; None where a stamp is too young to tell}, and where to go on (None: that was all)
        """
        domain = [*self.kinds[kind], ["id", ">", after]]
        rows = self.call(
            "res.partner", "search_read", [domain, ["write_date"]], limit=limit, order="id asc", load=""
        )
        stamps = {row["id"]: [row["write_date"]] for row in rows}
        for model, child in self._children_of(kind) if rows else ():
            for row in self._children(model, child, list(stamps), fields=()):
                stamps[row[child.link]].append(f"{model},{row['id']},{row['write_date']}")
        prints = {number: self._print(told) for number, told in stamps.items()}
        return prints, max(stamps) if len(rows) == limit else None

    # Pages

    def _page(self, kind, after, limit, since=None):
        rows = self._rows(kind, [["id", ">", after], *self._moved(since)], limit=limit)
        numbers = [row["id"] for row in rows]
        if numbers and min(numbers) <= after:
            raise SourceError("The source does not page by number; it sent records that it had sent before.")
        page = self._parsed(kind, rows, after=max(numbers) if len(rows) == limit else None)
        if not since:
            page.listed = Listed(numbers, after, page.after)
        return page

    def _rows(self, kind, domain, **kwargs):
        domain = [*self.kinds[kind], *domain]
        return self.call("res.partner", "search_read", [domain, self._fields(kind)], order="id asc", **kwargs)

    def _parsed(self, kind, rows, after=None):
        """A page of rows with what belongs to them."""
        if not rows:
            return Page()
        stamps = {row["id"]: [row.get("write_date")] for row in rows}
        belonging = {}  # model → number of the partner → rows
        for model, child in self._children_of(kind):
            by_partner = belonging[model] = {}
            for row in self._children(model, child, list(stamps), child.fields):
                number = _number(row[child.link])
                by_partner.setdefault(number, []).append(row)
                stamps[number].append(f"{model},{row['id']},{row.get('write_date')}")
        for row in rows:
            self._translate(row, {model: told.get(row["id"], []) for model, told in belonging.items()})
        page = parse_page(kind, rows, after=after)
        page.prints = {f"{kind}:{number}": self._print(told) for number, told in stamps.items()}
        return page

    def _translate(self, row, belonging):
        """From the words of this kind of server to those of `records`.

        :param belonging: {model: rows that belong to this one}
        """
        if isinstance(row.get("kind"), list):
            row["kind"] = _label(row["kind"])
        if "birthdate_not_exact" in row:
            row["birthdate_exact"] = not row.pop("birthdate_not_exact")
        row["ids"] = [{**one, "id_type": _label(one["id_type"])} for one in belonging["g2p.reg.id"]]
        row["phone_numbers"] = belonging["g2p.phone.number"]
        # Not the bank's label: to that, Odoo appends the BIC.
        banks = self._list("res.bank") if belonging["res.partner.bank"] else {}
        row["bank_ids"] = []
        for account in belonging["res.partner.bank"]:
            bank = banks.get(_number(account["bank_id"]), {})
            row["bank_ids"].append({**account, "bank_name": bank.get("name"), "bic": bank.get("bic")})
        if "g2p.program_membership" not in self._missing:
            row["program_membership_ids"] = self._programs(belonging)
        if "g2p.group.membership" in belonging:
            row["members"] = [self._membership(one) for one in belonging["g2p.group.membership"]]

    def _programs(self, belonging):
        answers = {}
        for one in belonging["g2p.program.registrant_info"]:
            membership = _number(one["program_membership_id"])
            answers.setdefault(membership, []).append(one["program_registrant_info"])
        return [
            {
                **one,
                "program_id": _number(one["program_id"]),
                "program_name": _label(one["program_id"]),
                "program_registrant_info_ids": answers.get(one["id"], []),
            }
            for one in belonging["g2p.program_membership"]
        ]

    def _membership(self, row):
        kinds = self._list("g2p.group.membership.kind") if row["kind"] else {}
        return {
            **row,
            "kind": [kinds[number]["name"] for number in row["kind"] if number in kinds],
            "group": _number(row["group"]),
            "individual": row["individual"] and dict(zip(("id", "name"), row["individual"], strict=True)),
        }

    # Calls

    def _moved(self, since):
        """The condition that a record, or something that belongs to it, changed."""
        if not since:
            return []
        bound = ["write_date", ">=", since.strftime(STAMP)]
        moved = set()
        for model, child in self.children.items():
            rows = self._optional(
                model, [[bound], [child.link]], limit=MOST_MOVED + 1, order="id asc", load=""
            )
            moved |= {_number(row[child.link]) for row in rows if row[child.link]}
            if len(rows) > MOST_MOVED:
                return []
        return ["|", bound, ["id", "in", sorted(moved)]]

    def _optional(self, model, args, **kwargs):
        """Rows of search_read; none where the source lacks the model."""
        if model in self._missing:
            return []
        try:
            return self.call(model, "search_read", args, **kwargs)
        except NotThere:
            self._missing.add(model)
            return []

    def _children_of(self, kind):
        return [
            (model, child) for model, child in self.children.items() if kind == "group" or not child.of_groups
        ]

    def _children(self, model, child, numbers, fields):
        """Rows that belong to the partners, oldest first; without fields, links come as mere numbers."""
        args = [[[child.link, "in", numbers], *child.where], [child.link, *fields, "write_date"]]
        kwargs = {"order": "id asc"} if fields else {"order": "id asc", "load": ""}
        if child.optional:
            rows = self._optional(model, args, **kwargs)
        else:
            rows = self.call(model, "search_read", args, **kwargs)
        asked = set(numbers)
        return [row for row in rows if _number(row[child.link]) in asked]

    def _fields(self, kind):
        """What we want to know of a partner, as far as this server's modules have it."""
        wanted = (*self.common, *self.only[kind])
        if self._known_fields is None:
            all_wanted = [*self.common, *(name for names in self.only.values() for name in names)]
            self._known_fields = self.call("res.partner", "fields_get", [all_wanted, ["type"]])
        return [name for name in wanted if name in self._known_fields]

    def _list(self, model):
        """All rows of a short list of the source, by number; asked for once per login."""
        if model not in self._lists:
            names = self.catalogues[model]
            rows = self._optional(model, [[], names], context={"active_test": False})
            self._lists[model] = {row["id"]: row for row in rows}
        return self._lists[model]

    # Prints

    def _print(self, told):
        """A print, or None if something in it is too young to tell.

        :param told: the stamp of a record, then "model,number,stamp" of each row that belongs to it
        """
        bound = self._bound()
        if not bound or not told[0] or max(one[-19:] for one in told) > bound or not self._worded():
            return None
        text = "\n".join([self._wording, told[0], *sorted(told[1:])])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def _bound(self):
        """The youngest stamp that tells, by the source's clock; empty where it does not tell the time."""
        if not self.welcome or self.welcome.clock_ahead is None:
            return ""
        now = self.welcome.at + timedelta(seconds=self.welcome.clock_ahead)
        return (now - self._settled).strftime(STAMP)

    def _worded(self):
        """A print of the lists that records point to; empty where we may not read them."""
        if self._wording is None:
            try:
                lists = {model: self._list(model) for model in self.catalogues}
            except SourceDown:
                raise
            except SourceError:
                self._wording = ""
            else:
                text = json.dumps([CHECKSUM_VERSION, lists], sort_keys=True)
                self._wording = hashlib.sha256(text.encode()).hexdigest()
        return self._wording


def _label(many2one):
    return many2one[1] if isinstance(many2one, list) and len(many2one) == 2 else many2one


def _number(many2one):
    return many2one[0] if isinstance(many2one, list) else many2one
