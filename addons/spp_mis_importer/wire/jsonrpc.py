"""The registry of an OpenG2P server, read over Odoo's JSON-RPC: all fields, in pages.

Pages follow the record's number (`id > last`, ordered by id). Not by stamp: servers tell stamps in seconds and compare
them in microseconds, so a page that ends within a second would be asked for again for ever. A stamp is the lower bound
of a whole reading (`since`): then come the records that moved, and those whose documents, phones, accounts, programs
or memberships did, for these do not move their person's own stamp.
"""

from .dates import parse_moment
from .errors import NotThere, SourceError
from .records import Page, parse_page
from .session import Probe, Session

COMMON = ("name", "email", "address", "registration_date", "disabled", "write_date")
INDIVIDUAL = (
    "family_name", "given_name", "addl_name", "gender", "birthdate", "birthdate_not_exact", "birth_place",
)  # fmt: skip
ONLY = {"individual": INDIVIDUAL, "group": ("kind",)}
REGISTRANTS = {
    "individual": [["is_registrant", "=", True], ["is_group", "=", False]],
    "group": [["is_registrant", "=", True], ["is_group", "=", True]],
}
CHILDREN = {
    "g2p.reg.id": "partner_id",
    "g2p.phone.number": "partner_id",
    "res.partner.bank": "partner_id",
    "g2p.program_membership": "partner_id",
    "g2p.group.membership": "group",
}
MOST_MOVED = 5000  # children that changed; where there are more, everything is read instead
NEWEST = "write_date desc, id desc"


class JsonRpcReader(Session):
    reads_all = None  # if it is asked for everything

    def __init__(self, client, login):
        super().__init__(client, login)
        self._known_fields = None
        self._catalogues = {}
        self._missing = set()  # models that the source does not have

    def probe(self):
        """Read one record of each kind and count all."""
        for kind in REGISTRANTS:
            self._page(kind, 0, 1)
        return self.count()

    def count(self):
        return Probe(*(self.call("res.partner", "search_count", [REGISTRANTS[kind]]) for kind in REGISTRANTS))

    def newest(self):
        """The newest stamp at the source, by its own clock; None where it has no records."""
        told = [
            self._optional(model, "search_read", [[], ["write_date"]], limit=1, order=NEWEST)
            for model in ("res.partner", *CHILDREN)
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

    def _page(self, kind, after, limit, since=None):
        rows = self.call(
            "res.partner",
            "search_read",
            [[*REGISTRANTS[kind], ["id", ">", after], *self._moved(since)], self._fields(kind)],
            limit=limit,
            order="id asc",
        )
        numbers = [row["id"] for row in rows]
        if not numbers:
            return Page()
        if min(numbers) <= after:
            raise SourceError("The source does not page by number; it sent records that it had sent before.")
        children = {
            "ids": self._documents(numbers),
            "phone_numbers": self._phones(numbers),
            "bank_ids": self._accounts(numbers),
        }
        if kind == "group":
            children["members"] = self._memberships(numbers)
        programs = self._programs(numbers)
        if programs is not None:
            children["program_membership_ids"] = programs
        for row in rows:
            for key, by_partner in children.items():
                row[key] = by_partner.get(row["id"], [])
            if isinstance(row.get("kind"), list):
                row["kind"] = _label(row["kind"])
            if "birthdate_not_exact" in row:
                row["birthdate_exact"] = not row.pop("birthdate_not_exact")
        return parse_page(kind, rows, after=max(numbers) if len(rows) == limit else None)

    def _moved(self, since):
        """The condition that a record, or something that belongs to it, changed."""
        if not since:
            return []
        bound = ["write_date", ">=", since.strftime("%Y-%m-%d %H:%M:%S")]
        moved = set()
        for model, link in CHILDREN.items():
            rows = self._optional(
                model, "search_read", [[bound], [link]], limit=MOST_MOVED + 1, order="id asc"
            )
            moved |= {row[link][0] for row in rows if row[link]}
            if len(rows) > MOST_MOVED:
                return []
        return ["|", bound, ["id", "in", sorted(moved)]]

    def _optional(self, model, method, args, **kwargs):
        """As call(); no rows where the source lacks the model, or keeps it from us."""
        if model in self._missing:
            return []
        try:
            return self.call(model, method, args, **kwargs)
        except NotThere:
            self._missing.add(model)
            return []

    def _fields(self, kind):
        """What we want to know of a partner, as far as this server's modules have it."""
        wanted = (*COMMON, *ONLY[kind])
        if self._known_fields is None:
            all_wanted = [*COMMON, *INDIVIDUAL, *ONLY["group"]]
            self._known_fields = self.call("res.partner", "fields_get", [all_wanted, ["type"]])
        return [name for name in wanted if name in self._known_fields]

    def _children(self, model, link, numbers, names):
        """Rows that belong to the partners, by partner, oldest first."""
        rows = self.call(model, "search_read", [[[link, "in", numbers]], [link, *names]], order="id asc")
        by_partner = {}
        for row in rows:
            by_partner.setdefault(row[link][0], []).append(row)
        return by_partner

    def _documents(self, numbers):
        by_partner = self._children("g2p.reg.id", "partner_id", numbers, ["id_type", "value", "expiry_date"])
        for rows in by_partner.values():
            for row in rows:
                row["id_type"] = _label(row["id_type"])
        return by_partner

    def _phones(self, numbers):
        return self._children(
            "g2p.phone.number", "partner_id", numbers, ["phone_no", "date_collected", "disabled"]
        )

    def _accounts(self, numbers):
        by_partner = self._children("res.partner.bank", "partner_id", numbers, ["bank_id", "acc_number"])
        for rows in by_partner.values():
            for row in rows:
                # Not the label: to that, Odoo appends the BIC.
                bank = self._catalogue("res.bank", ["name", "bic"]).get(
                    row["bank_id"] and row["bank_id"][0], {}
                )
                row["bank_name"], row["bic"] = bank.get("name"), bank.get("bic")
        return by_partner

    def _memberships(self, numbers):
        names = ["individual", "kind", "start_date", "ended_date"]
        by_group = self._children("g2p.group.membership", "group", numbers, names)
        for rows in by_group.values():
            for row in rows:
                kinds = self._catalogue("g2p.group.membership.kind", ["name"])
                row["kind"] = [kinds[number]["name"] for number in row["kind"] if number in kinds]
                row["group"] = row["group"][0]
                if row["individual"]:
                    row["individual"] = {"id": row["individual"][0], "name": row["individual"][1]}
        return by_group

    def _programs(self, numbers):
        """Memberships of programs, by partner; None where the source has no programs."""
        model = "g2p.program_membership"
        names = ["partner_id", "program_id", "state", "enrollment_date", "exit_date"]
        rows = self._optional(model, "search_read", [[["partner_id", "in", numbers]], names], order="id asc")
        if model in self._missing:
            return None
        answers = {}
        for row in self._optional(
            "g2p.program.registrant_info",
            "search_read",
            [[["registrant_id", "in", numbers]], ["program_membership_id", "program_registrant_info"]],
            order="id asc",
        ):
            if row["program_membership_id"]:
                answers.setdefault(row["program_membership_id"][0], []).append(row["program_registrant_info"])
        by_partner = {}
        for row in rows:
            program = row["program_id"] or [False, False]
            by_partner.setdefault(row["partner_id"][0], []).append(
                {
                    **row,
                    "program_id": program[0],
                    "program_name": program[1],
                    "program_registrant_info_ids": answers.get(row["id"], []),
                }
            )
        return by_partner

    def _catalogue(self, model, names):
        """All rows of a short list of the source, by number; asked for once per login."""
        if model not in self._catalogues:
            rows = self.call(model, "search_read", [[], names], context={"active_test": False})
            self._catalogues[model] = {row["id"]: row for row in rows}
        return self._catalogues[model]


def _label(many2one):
    return many2one[1] if isinstance(many2one, list) and len(many2one) == 2 else many2one
