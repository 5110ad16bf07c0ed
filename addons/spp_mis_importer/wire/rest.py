"""The registry API of OpenG2P (`/api/v1/registry`) on a session login: the whole list in one answer, no pages.

Written for the 15.0 contract. Keys of the 17.0 one are understood where a server mixes them, but the 17.0 API itself
wants HTTP Basic and tells neither documents nor phones nor members, so it cannot carry an import; it is recognised.
"""

from .errors import SessionExpired, SourceDown, SourceError
from .records import Listed, Page, parse_page
from .session import BUSY, Probe, Session

REGISTRY_PATH = "/api/v1/registry"
NOTHING = "G2P-REQ-010"
FULL = {"include_members_full": "true"}


class RestReader(Session):
    reads_all = True  # it has neither pages nor a filter by date

    def __init__(self, client, login, registry_path=REGISTRY_PATH):
        super().__init__(client, login)
        self._path = registry_path.rstrip("/")

    def probe(self):
        """Read one record, or see that there is none."""
        self._list("individual", id=self._any_individual())
        return self.count()

    def count(self):
        """This API counts nothing; Odoo itself does, if it lets us."""
        return Probe(individuals=self._count(False), groups=self._count(True))

    def newest(self):
        """Of no use here: everything comes each time."""
        return None

    def individuals(self, after=0, limit=0, since=None):
        """All people: this API has no pages."""
        return self._page("individual", self._list("individual"))

    def groups(self, after=0, limit=0, since=None):
        """All groups, with all their memberships."""
        rows = self._list("group", **FULL)
        for row in rows:
            if isinstance(row, dict):
                # The 17.0 API sends an empty list whatever the group has; only a filled one says something.
                if "members" not in row and row.get("group_membership_ids"):
                    row["members"] = row["group_membership_ids"]
        return self._page("group", rows)

    def _page(self, kind, rows):
        page = parse_page(kind, rows, zone=self.welcome.zone) if rows else Page()
        page.listed = Listed([row.get("id") for row in rows if isinstance(row, dict)])
        return page

    def _list(self, name, **params):
        path = f"{self._path}/{name}"
        try:
            status, told = self.get(path, **params)
        except SessionExpired:
            raise SourceError(
                f"{path} does not accept a session login. The registry API of OpenG2P 17.0 does not; "
                "choose the dialect JSON-RPC for it."
            ) from None
        if status == 200 and isinstance(told, list):
            return told
        told = told if isinstance(told, dict) else {}
        # An empty registry, or one of which we may see nothing, is a "bad request" here.
        if status == 400 and (
            told.get("errorCode") == NOTHING or told.get("detail") == "ID/Name not present."
        ):
            return []
        if status in BUSY:
            raise SourceDown(f"The source failed at {path} (HTTP status {status}).")
        raise SourceError(
            f"{path} was answered in a way that the registry API does not (HTTP status {status})."
        )

    def _count(self, is_group):
        try:
            return self.call(
                "res.partner", "search_count", [[["is_registrant", "=", True], ["is_group", "=", is_group]]]
            )
        except SourceError:
            return None

    def _any_individual(self):
        """The number of some person; 0, which nobody has, where we may not ask."""
        try:
            found = self.call(
                "res.partner",
                "search",
                [[["is_registrant", "=", True], ["is_group", "=", False]]],
                limit=1,
                order="id",
            )
        except SourceError:
            return 0
        return found[0] if found else 0
