"""The registry of an OpenG2P server, read over Odoo's JSON-RPC: all fields, in pages.

Pages follow the record's number (`id > last`, ordered by id). Not by stamp: servers tell stamps in seconds and compare
them in microseconds, so a page that ends within a second would be asked for again for ever.
"""

from .errors import SourceError
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


class JsonRpcReader(Session):
    def __init__(self, client, login):
        super().__init__(client, login)
        self._known_fields = None
        self._catalogues = {}

    def probe(self):
        """Read one record of each kind and count all."""
        for kind in REGISTRANTS:
            self._page(kind, 0, 1)
        return self.count()

    def count(self):
        return Probe(*(self.call("res.partner", "search_count", [REGISTRANTS[kind]]) for kind in REGISTRANTS))

    def individuals(self, after=0, limit=500):
        """People whose number is above `after`."""
        return self._page("individual", after, limit)

    def groups(self, after=0, limit=500):
        """Groups whose number is above `after`, with all their memberships."""
        return self._page("group", after, limit)

    def _page(self, kind, after, limit):
        rows = self.call(
            "res.partner",
            "search_read",
            [[*REGISTRANTS[kind], ["id", ">", after]], self._fields(kind)],
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
        for row in rows:
            for key, by_partner in children.items():
                row[key] = by_partner.get(row["id"], [])
            if isinstance(row.get("kind"), list):
                row["kind"] = _label(row["kind"])
            if "birthdate_not_exact" in row:
                row["birthdate_exact"] = not row.pop("birthdate_not_exact")
        return parse_page(kind, rows, after=max(numbers) if len(rows) == limit else None)

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

    def _catalogue(self, model, names):
        """All rows of a short list of the source, by number; asked for once per login."""
        if model not in self._catalogues:
            rows = self.call(model, "search_read", [[], names], context={"active_test": False})
            self._catalogues[model] = {row["id"]: row for row in rows}
        return self._catalogues[model]


def _label(many2one):
    return many2one[1] if isinstance(many2one, list) and len(many2one) == 2 else many2one
