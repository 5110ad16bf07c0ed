"""Stores what a source told as registrants, a page at a time.

    store = Store(source)
    tally = store.save(page)      # of individuals, or of groups with their memberships
    store.hold(tally.troubles, run)

Which record is which registrant is decided by (source, external id); whether it changed, by a checksum. An unchanged
record costs nothing of its own. A page is stored in one go; if the database or a rule of the registry refuses it, it
is halved until the records that are at fault stand alone, and the others are stored.

A value that changed here only stays; one that changed at the source only is taken; one that changed in both places is a
conflict, and the source's policy says who wins (`merge`). What a source leaves empty blanks nothing here, unless the
source is set so and had said something before. Nothing is deleted.
"""

import json
import logging
from dataclasses import dataclass, field
from typing import NamedTuple

import psycopg2

from odoo import _, fields
from odoo.exceptions import UserError
from odoo.tools import SQL

from odoo.addons.spp_registry.models.spp_payment_account import clean_number, mask_number
from odoo.addons.spp_registry.models.spp_phone_number import sanitize
from odoo.addons.spp_registry.tools import bulk_rows
from odoo.addons.spp_registry.tools.deferred import check_now

from .merge import decide, print_of
from .models.spp_mis_conflict import ACCOUNT, DOCUMENT
from .models.spp_mis_mapping import Unmapped
from .models.spp_registrant_source import NUMBER
from .wire.records import parse_page

_logger = logging.getLogger(__name__)

MANY = 5  # new rows; for fewer the ORM is as fast
REFUSED = (UserError, ValueError, psycopg2.IntegrityError, psycopg2.DataError)


# fields of a registrant ← fields of a record, where they are empty at the source
EMPTIED = {
    "email": ("email",),
    "address": ("street", "street2"),
    "street2": ("street2",),
    "city": ("city",),
    "zip": ("zip",),
    "area": ("area_id",),
    "income": ("income",),
    "vulnerability_score": ("vulnerability_score",),
    "kind": ("group_kind_id",),
    "family_name": ("family_name",),
    "given_name": ("given_name",),
    "additional_name": ("additional_name",),
    "gender": ("gender",),
    "birthdate": ("birthdate",),
    "birth_place": ("birth_place",),
}
PROGRAM_KIND, INFORMATION_KIND = "program_elsewhere", "program_information"


class Known(NamedTuple):
    """What we know of a record from before: the registrant it is, its checksum, prints of what it said."""

    partner_id: int = False
    checksum: str | None = None
    said: dict = {}
    stamps: str | None = None
    is_gone: bool = False  # a complete import did not find it


NOBODY = Known()


@dataclass
class Tally:
    """What became of the records of a page. `troubles` are what `Store.hold` keeps."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    troubles: list = field(default_factory=list)

    def add(self, other):
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.troubles += other.troubles


@dataclass
class Item:
    """A record on its way in, with names mapped. `known_id`: the registrant it is; False: a new one."""

    record: object
    known_id: int
    values: dict
    checksum: str
    stamps: str | None = None
    said: dict = field(default_factory=dict)  # prints of what it said before
    emptied: tuple = ()  # fields that it now says are empty
    emptied_lists: bool = False  # an empty list means that all are gone, and not that nothing is said
    facts: list = field(default_factory=list)
    roles: dict = field(default_factory=dict)  # of members, by their number there
    documents: list = field(default_factory=list)
    phones: list = field(default_factory=list)
    accounts: list = field(default_factory=list)
    partner: object = None  # the registrant, while it is being stored

    def says(self):
        """Prints of what it says now."""
        told = {**self.values, **dict.fromkeys(self.emptied, False)}
        says = {
            **self.said,
            "f": {**self.said.get("f", {}), **{name: print_of(value) for name, value in told.items()}},
        }
        if self.accounts or self.emptied_lists:
            says["a"] = [print_of(account["number"]) for account in self.accounts]
        if self.documents or self.emptied_lists:
            says["d"] = {}
            for document in self.documents:
                says["d"].setdefault(str(document["type_id"]), []).append(print_of(document["value"]))
        if self.phones or self.emptied_lists:
            says["t"] = [print_of(_phone(phone["number"])) for phone in self.phones]
        if self.facts:
            says["p"] = print_of(self.facts)
        return says


@dataclass
class Place:
    """A membership on its way in."""

    group: object
    membership: object
    role_ids: set
    head_is_told: bool  # the source says who is the head of this group
    roles_before: list | None = None  # those that the source told last time; None: it told no place

    @property
    def pair(self):
        return self.group.id, self.membership.individual


class Store:
    """:param log: a list that gets what would be changed, line by line, for a preview"""

    def __init__(self, source, log=None):
        self.env = source.env
        self.source = source
        self.log = log
        self._bulk = {}  # model → whether its rows can be made in bulk
        self.code = source._code()
        self.head = self.env.ref("spp_registry.membership_role_head").id
        mappings = self.env["spp.mis.mapping"].search([("source_id", "=", source.id)])
        self._mappings = {(mapping.kind, mapping.name): mapping for mapping in mappings}
        self._meanings = {}  # of mappings that are settled: (kind, name) → our side

    # A page

    def save(self, page):
        """Store a page of individuals or groups; returns a Tally."""
        records = {record.external_id: record for record in page.records}
        known = self._known([*records, *(bad.external_id for bad in page.bad)])
        tally = Tally(unchanged=len(page.unmoved), troubles=[_bad(bad, known) for bad in page.bad])
        items, moved = [], {}
        for external_id, record in records.items():
            before = known.get(external_id, NOBODY)
            checksum, stamps = record.checksum(), page.prints.get(external_id)
            if before.checksum == checksum:
                tally.unchanged += 1
                if stamps != before.stamps:
                    moved[external_id] = stamps
                continue
            try:
                items.append(self._item(record, before, checksum, stamps))
            except Unmapped as error:
                tally.troubles.append(self._trouble(record, error.reason, before.partner_id, cause="name"))
        size = self.source.page_size  # the registry API sends everything as one page
        for start in range(0, len(items), size):
            self._attempt(items[start : start + size], tally, self._save_items)
        self._note_stamps(moved)
        self._back_again([external_id for external_id, before in known.items() if before.is_gone])
        self._settle([*records], tally)
        if new := [item.record for item in items if not item.known_id]:
            self._follow_up(new, tally)
        return tally

    def save_memberships(self, page):
        """Store a page of memberships that were held; returns a Tally."""
        memberships = page.records
        tally = Tally(troubles=[_bad(bad, {}) for bad in page.bad])
        groups = self._known({f"group:{membership.group}" for membership in memberships})
        places = []
        for membership in memberships:
            before = groups.get(f"group:{membership.group}", NOBODY)
            try:
                if not before.partner_id:
                    raise Unmapped(_("Its group has not been stored here yet."))
                role_ids = self._roles(membership)
                group = self.env["res.partner"].browse(before.partner_id)
                place = Place(group, membership, role_ids, False)
                place.head_is_told = self._is_head(place)
                places.append(place)
            except Unmapped as error:
                tally.troubles.append(self._trouble(membership, error.reason, cause="name"))
        self._attempt(places, tally, self._save_places)
        self._settle([membership.external_id for membership in memberships], tally)
        return tally

    def hold(self, troubles, run):
        """Keep what could not be stored, and list it in the run; returns how many records that were."""
        if not troubles:
            return 0
        ids = self.env["spp.mis.held"]._hold(self.source, troubles)
        listed = {trouble["external_id"]: trouble for trouble in troubles}
        run._add_failures(
            [
                {
                    "res_model": "spp.mis.held",
                    "res_id": ids[external_id],
                    "partner_id": trouble["partner_id"],
                    "name": trouble["name"],
                    "external_id": external_id,
                    "reason": trouble["reason"],
                }
                for external_id, trouble in listed.items()
            ]
        )
        return len(listed)

    def _attempt(self, items, tally, save):
        """Store the items together; halve them as long as something in them is refused."""
        if not items:
            return
        try:
            with self.env.cr.savepoint():
                saved = save(items)
        except REFUSED as error:
            if len(items) == 1:
                tally.troubles.append(self._refused(items[0], error))
                return
            middle = len(items) // 2
            self._attempt(items[:middle], tally, save)
            self._attempt(items[middle:], tally, save)
        else:
            tally.add(saved)

    def _known(self, external_ids):
        """external id → Known"""
        self.env["spp.registrant.source"].flush_model()
        query = SQL(
            "SELECT external_id, partner_id, checksum, said, stamps, absent_since IS NOT NULL OR unlisted_by_id IS NOT NULL"
            "  FROM spp_registrant_source WHERE source = %s AND external_id = ANY(%s)",
            self.code,
            list(external_ids),
        )
        self.env.cr.execute(query)
        return {
            external_id: Known(partner_id, checksum, said or {}, stamps, is_gone)
            for external_id, partner_id, checksum, said, stamps, is_gone in self.env.cr.fetchall()
        }

    def moved(self, kind, prints):
        """Which of these records must be read whole: all but those whose print we know and that wait for nothing.

        :param prints: {number at the source: print of its stamps, or None}
        """
        self.env["spp.registrant.source"].flush_model()
        query = SQL(
            """
            SELECT external_id, stamps FROM spp_registrant_source AS known
             WHERE source = %s AND external_id = ANY(%s)
               AND NOT EXISTS (SELECT FROM spp_mis_held
                                WHERE source_id = %s AND external_id = known.external_id AND state = 'waiting')
            """,
            self.code,
            [f"{kind}:{number}" for number in prints],
            self.source.id,
        )
        self.env.cr.execute(query)
        known = dict(self.env.cr.fetchall())
        return [
            number for number, told in prints.items() if not told or known.get(f"{kind}:{number}") != told
        ]

    def note_listed(self, kind, listed, run):
        """Of those whom we know, note who is not in this part of the source's list; and who is there again."""
        if listed is None:
            return
        between = SQL("")
        if listed.above is not None:
            between = SQL("AND (%s) > %s", NUMBER, listed.above)
        if listed.up_to is not None:
            between = SQL("%s AND (%s) <= %s", between, NUMBER, listed.up_to)
        self.env["spp.registrant.source"].flush_model()
        query = SQL(
            """
            SELECT external_id, absent_since IS NOT NULL OR unlisted_by_id IS NOT NULL
              FROM spp_registrant_source
             WHERE source = %s AND split_part(external_id, ':', 1) = %s %s
            """,
            self.code,
            kind,
            between,
        )
        self.env.cr.execute(query)
        known = dict(self.env.cr.fetchall())
        there = {f"{kind}:{number}" for number in listed.numbers}
        self._back_again([external_id for external_id in there if known.get(external_id)])
        if gone := list(known.keys() - there):
            query = SQL(
                "UPDATE spp_registrant_source SET unlisted_by_id = %s WHERE source = %s AND external_id = ANY(%s)",
                run.id,
                self.code,
                gone,
            )
            self.env.cr.execute(query)
            self.env["spp.registrant.source"].invalidate_model(["unlisted_by_id"])

    def _back_again(self, external_ids):
        if external_ids:
            query = SQL(
                "UPDATE spp_registrant_source SET absent_since = NULL, unlisted_by_id = NULL"
                " WHERE source = %s AND external_id = ANY(%s)",
                self.code,
                external_ids,
            )
            self.env.cr.execute(query)
            self.env["spp.registrant.source"].invalidate_model(["absent_since", "unlisted_by_id"])

    def _note_stamps(self, stamps):
        """The source stamped these anew, and they say what they said."""
        if stamps:
            query = SQL(
                "UPDATE spp_registrant_source known SET stamps = t.stamps"
                "  FROM unnest(%s::varchar[], %s::varchar[]) AS t (external_id, stamps)"
                " WHERE known.source = %s AND known.external_id = t.external_id",
                list(stamps),
                list(stamps.values()),
                self.code,
            )
            self.env.cr.execute(query)
            self.env["spp.registrant.source"].invalidate_model(["stamps"])

    def _sign(self, items):
        """Note which registrant each record is, and its checksum; the unique index decides about two at once."""
        self.env.flush_all()
        query = SQL(
            """
            INSERT INTO spp_registrant_source AS known
                   (source, external_id, partner_id, checksum, stamps, said, last_seen,
                    create_uid, create_date, write_uid, write_date)
            SELECT %(source)s, t.external_id, t.partner_id, t.checksum, t.stamps, t.said, %(now)s,
                   %(uid)s, %(now)s, %(uid)s, %(now)s
              FROM unnest(%(external_ids)s::varchar[], %(partner_ids)s::integer[], %(checksums)s::varchar[],
                          %(stamps)s::varchar[], %(said)s::jsonb[])
                   AS t (external_id, partner_id, checksum, stamps, said)
                ON CONFLICT (source, external_id) DO UPDATE
               SET checksum = excluded.checksum, stamps = excluded.stamps, said = excluded.said,
                   last_seen = excluded.last_seen,
                   write_uid = excluded.write_uid, write_date = excluded.write_date
            """,
            source=self.code,
            now=self.env.cr.now(),
            uid=self.env.uid,
            external_ids=[item.record.external_id for item in items],
            partner_ids=[item.partner.id for item in items],
            checksums=[item.checksum for item in items],
            stamps=[item.stamps for item in items],
            said=[json.dumps(_said(item)) for item in items],
        )
        self.env.cr.execute(query)
        self.env["spp.registrant.source"].invalidate_model()

    def _settle(self, external_ids, tally):
        """Records that were stored wait no longer."""
        troubled = {trouble["external_id"] for trouble in tally.troubles}
        self.env["spp.mis.held"]._settle(self.source, [one for one in external_ids if one not in troubled])

    def _follow_up(self, records, tally):
        """People who have just arrived take the places in groups that waited for them."""
        waiting = self.env["spp.mis.held"].search(
            [
                ("source_id", "=", self.source.id),
                ("waits_for", "in", [record.external_id for record in records]),
                ("state", "=", "waiting"),
            ]
        )
        if waiting:
            follow = parse_page("membership", [held.payload for held in waiting])
            tally.troubles += self.save_memberships(follow).troubles

    # Mapping

    def _item(self, record, before, checksum, stamps):
        """Raise Unmapped if a name in the record has no meaning here."""
        item = Item(record, before.partner_id, self._values(record), checksum, stamps, said=before.said)
        item.emptied_lists = self.source.empty_overwrites
        if self.source.empty_overwrites and before.partner_id:
            item.emptied = tuple(
                name
                for told, names in EMPTIED.items()
                if told in record.model_fields_set
                for name in names
                if name not in item.values
            )
        item.facts = self._facts(record)
        for document in record.documents:
            item.documents.append(
                {
                    "type_id": self._meaning("id_type", document.type),
                    "value": document.value,
                    "expiry_date": document.expiry_date,
                }
            )
        for phone in record.phones:
            item.phones.append(
                {"number": phone.number, "date_collected": phone.collected, "ended": phone.ended}
            )
        for account in record.accounts:
            bank_id = account.bank and self._meaning("bank", account.bank, account.bic)
            item.accounts.append(
                {
                    "kind": account.kind,
                    "number": clean_number(account.kind, account.number),
                    "provider_id": bank_id,
                    "holder": account.holder,
                }
            )
        if record.kind_of_record == "group":
            for membership in record.memberships or ():
                item.roles[str(membership.individual)] = sorted(self._roles(membership))
        return item

    def _values(self, record):
        """Fields of the registrant that the source says something about."""
        street, _newline, rest = (record.address or "").partition("\n")
        values = {
            "name": record.name,
            "email": record.email,
            "street": street.strip(),
            "street2": record.street2
            or ", ".join(line.strip() for line in rest.splitlines() if line.strip()),
            "city": record.city,
            "zip": record.zip,
            "area_id": record.area and self._meaning("area", record.area),
            "income": record.income,
            "vulnerability_score": record.vulnerability_score,
            "registration_date": record.registration_date,
        }
        if record.kind_of_record == "group":
            values["group_kind_id"] = record.kind and self._meaning("group_kind", record.kind)
        else:
            values |= {
                "family_name": record.family_name,
                "given_name": record.given_name,
                "additional_name": record.additional_name,
                "gender": record.gender and self._meaning("gender", record.gender),
                "birthdate": record.birthdate,
                "birth_place": record.birth_place,
            }
            if record.birthdate and record.birthdate_exact is not None:
                values["birthdate_exact"] = record.birthdate_exact
        return {name: value for name, value in values.items() if value is not None and value != ""}

    def _facts(self, record):
        """(number there, kind, date, value) of each program that somebody is in there, and of what was noted.

        And of each event that was recorded there.
        """
        facts = []
        for event in record.events:
            kind = self.env["spp.event.kind"].browse(self._meaning("event", event.kind)).code
            facts.append((f"{record.external_id}:event:{event.id}", kind, event.date, event.value))
        for program in record.programs:
            name = program.name or str(program.program)
            if ("program", name) not in self._mappings:
                mapping = self.env["spp.mis.mapping"]._first_sight(self.source, "program", name)
                self._mappings["program", name] = mapping
            day = program.enrolled or program.left or record.registration_date
            number = f"{record.external_id}:program:{program.program}"
            facts.append((number, PROGRAM_KIND, day, f"{name}: {program.state or 'enrolled'}"))
            for key, value in sorted(program.information.items()):
                facts.append((f"{number}:{key}", INFORMATION_KIND, day, f"{key}: {value}"))
        return facts

    def _roles(self, membership):
        return {self._meaning("role", name) for name in membership.roles}

    def _meaning(self, kind, name, bic=None):
        if (kind, name) not in self._meanings:
            self._meanings[kind, name] = self._look_up(kind, name, bic)
        return self._meanings[kind, name]

    def _look_up(self, kind, name, bic):
        mapping = self._mappings.get((kind, name))
        if not mapping:
            mapping = self.env["spp.mis.mapping"]._first_sight(self.source, kind, name, bic)
            self._mappings[kind, name] = mapping
        if mapping.is_open:
            what = dict(mapping._fields["kind"]._description_selection(self.env))[kind]
            raise Unmapped(
                _(
                    "%(kind)s “%(name)s” is not known here. Give it a meaning under Names at the Source, then try again.",
                    kind=what,
                    name=name,
                )
            )
        return mapping._target()

    # Registrants

    def _save_items(self, items):
        new = [item for item in items if not item.known_id]
        is_group = items[0].record.kind_of_record == "group"
        partners = self._create(
            "res.partner",
            [
                {"is_registrant": True, "is_group": is_group, **item.values, **self._status(item)}
                for item in new
            ],
        )
        old = [item for item in items if item.known_id]
        known = partners.browse([item.known_id for item in old])  # together, so that they are read together
        for item, partner in zip([*new, *old], [*partners, *known], strict=True):
            item.partner = partner
        created = set(partners.ids)
        self._conflicts, self._agreed = [], set()
        if self.log is not None:
            for item in new:
                self._tell_new(item)
        changed = {item.known_id for item in old if self._write(item)}
        changed |= self._save_documents(items, created)
        changed |= self._save_phones(items, created)
        changed |= self._save_accounts(items, created)
        changed |= self._save_facts(items)
        troubles = []
        if is_group:
            places = [place for item in items for place in self._places(item)]
            moved, troubles = self._place(places, created)
            changed |= moved
            if self.log is not None:
                self._tell_places(items, places)
        self.env["spp.mis.conflict"]._note(self.source, self._conflicts)
        self.env["spp.mis.conflict"]._agree(self.source, self._agreed)
        self._sign(items)
        check_now(self.env["spp.payment.account"])
        check_now(self.env["spp.group.membership"])
        updated = len(changed - created)
        return Tally(len(created), updated, len(items) - len(created) - updated, troubles)

    def _write(self, item):
        """Write what the source changed; whether something was written."""
        partner, before = item.partner, item.said.get("f", {})
        values = self._status(item)
        if partner.registrant_status in (values.get("registrant_status"), "deceased"):
            values = {}
        for name, theirs in [*item.values.items(), *((name, False) for name in item.emptied)]:
            if name in item.emptied and name not in before:
                continue  # it never said anything about it: what is here was added here
            ours = _value(partner, name)
            what = decide(before.get(name), ours, theirs)
            if what == "conflict":
                shown = [_shown(partner, name, value) for value in (ours, theirs)]
                what = self._conflict(partner, name, *shown, _plain(theirs))
                if what == "keep":
                    self._tell_kept(item, partner._fields[name]._description_string(self.env), *shown)
            elif what == "same":
                self._agreed.add((partner.id, name))
            if what == "take":
                values[name] = theirs
                label = partner._fields[name]._description_string(self.env)
                self._tell(item, label, _shown(partner, name, ours), _shown(partner, name, theirs))
        return bool(values) and partner.write(values)

    def _conflict(self, partner, name, ours, theirs, value):
        """Note that a value changed here and there; "take" or "keep", as the source is set."""
        state = {"source": "theirs", "ours": "ours", "ask": "open"}[self.source.conflict_policy]
        if state != "open" and name.startswith(DOCUMENT):
            ours, theirs = mask_number(ours), mask_number(theirs)
        self._conflicts.append(
            {
                "partner_id": partner.id,
                "field_name": name,
                "ours": ours,
                "theirs": theirs,
                "value": value,
                "state": state,
            }
        )
        return "take" if state == "theirs" else "keep"

    def _tell(self, item, label, before, after):
        """For a preview: this would change."""
        if self.log is not None:
            self.log.append(
                {
                    "record_kind": item.record.kind_of_record,
                    "external_id": item.record.external_id,
                    "name": item.record.name,
                    "partner_id": item.known_id,
                    "label": label,
                    "before": before or "",
                    "after": after or "",
                }
            )

    def _tell_kept(self, item, label, ours, theirs):
        """For a preview: a conflict in which what is here stays, for now or for good."""
        self._tell(item, label, ours, _("stays; the source says: %s", theirs))

    def _tell_new(self, item):
        """For a preview: this registrant would be created."""
        partner = item.partner
        for name in item.values:
            label = partner._fields[name]._description_string(self.env)
            self._tell(item, label, "", _shown(partner, name, item.values[name]))

    def _create(self, name, vals_list):
        """New rows, many in one statement where the installed addons let us."""
        model = self.env[name]
        if len(vals_list) < MANY or not self._fits(model):
            return model.create([_commands(values) for values in vals_list])
        return bulk_rows.create(model, vals_list)

    def _fits(self, model):
        if model._name not in self._bulk:
            self._bulk[model._name] = bulk_rows.fits(model)
        return self._bulk[model._name]

    def _status(self, item):
        """Who is disabled or deceased there is so here; that this was undone there is left for a person to repeat."""
        record = item.record
        for status, date, reason in (
            ("deceased", record.deceased, _("Deceased, as %s says", self.source.name)),
            ("disabled", record.disabled, _("Disabled at %s", self.source.name)),
        ):
            if date:
                return {
                    "registrant_status": status,
                    "status_date": date,
                    "status_reason": record.status_reason or reason,
                }
        return {}

    def _children(self, model, items, created):
        """Rows that registrants have already, by registrant."""
        old = [item.partner.id for item in items if item.partner.id not in created]
        rows = self.env[model].search([("partner_id", "in", old)]) if old else self.env[model]
        return rows.grouped(lambda row: row.partner_id.id)

    def _save_documents(self, items, created):
        """By type and number. A number that changed at the source changes here, unless it was changed here, too; one
        that is gone at the source is withdrawn."""
        Document = self.env["spp.identity.document"]
        ours, new, changed = self._children(Document._name, items, created), [], set()
        for item in items:
            mine = ours.get(item.partner.id, Document)
            if not mine and not item.said.get("d"):  # nothing to compare with
                added = item.documents
            else:
                added, is_changed = self._reconcile_documents(item, mine)
                changed |= {item.partner.id} if is_changed else set()
            for values in added:
                new.append({**values, "partner_id": item.partner.id})
                changed.add(item.partner.id)
                if self.log is not None:
                    kind = Document.type_id.browse(values["type_id"]).name
                    self._tell(item, kind, "", mask_number(values["value"]))
        self._create(Document._name, new)
        return changed

    def _reconcile_documents(self, item, left):
        """Bring a registrant's documents in line; returns values of new ones, and whether others changed."""
        before, added, is_changed = item.said.get("d", {}), [], False
        unmatched = []
        for values in item.documents:
            same = left.filtered(
                lambda row, v=values: (row.type_id.id, row.value) == (v["type_id"], v["value"])
            )
            left -= same
            was_told = print_of(values["value"]) in before.get(str(values["type_id"]), ())
            if same:
                self._agreed.add((item.partner.id, f"{DOCUMENT}:{values['type_id']}"))
                is_changed |= bool(self._write_child(same[:1], values, item, "value"))
                if same[0].state == "withdrawn" and not was_told:  # it is told again
                    same[0]._set_state("disputed")
                    same[0]._claim()
                    is_changed = True
            elif not was_told:  # else it was changed or taken away here since
                unmatched.append(values)
        for values in unmatched:
            told = before.get(str(values["type_id"]), ())
            rows = left.filtered(
                lambda row, v=values: row.type_id.id == v["type_id"] and row.state != "withdrawn"
            )
            row = rows.filtered(lambda row, told=told: print_of(row.value) in told)[:1]
            if not row and rows and told:  # both sides changed what the source told
                row, number = rows[:1], values["value"]
                what = self._conflict(
                    item.partner,
                    f"{DOCUMENT}:{values['type_id']}",
                    row.value,
                    number,
                    {"id": row.id, "value": number, "expiry_date": _plain(values["expiry_date"] or False)},
                )
                if what == "keep":
                    left -= row
                    self._tell_kept(item, row.type_id.name, mask_number(row.value), mask_number(number))
                    continue
            if row:
                left -= row
                is_changed |= bool(self._write_child(row, values, item, "value"))
            else:
                added.append(values)
        if item.documents or item.emptied_lists and "documents" in item.record.model_fields_set:
            gone = left.filtered(
                lambda row: (
                    row.state != "withdrawn" and print_of(row.value) in before.get(str(row.type_id.id), ())
                )
            )
            for row in gone:
                row.action_withdraw()
                self._tell(item, _("Document withdrawn"), mask_number(row.value), "")
                is_changed = True
        return added, is_changed

    def _save_phones(self, items, created):
        """By number, however it is written. One that is gone at the source is no longer in use here."""
        Phone = self.env["spp.phone.number"]
        ours, new, changed = self._children(Phone._name, items, created), [], set()
        today = fields.Date.context_today(self.source)
        for item in items:
            mine = ours.get(item.partner.id, Phone)
            by_number = {row.sanitized or row.number: row for row in mine}
            before, told = item.said.get("t", ()), set()
            for values in item.phones:
                number = _phone(values["number"])
                told.add(number)
                row = by_number.get(number)
                if row:
                    changed |= self._write_child(row, {**values, "number": row.number}, item, "number")
                    if row.ended and not values["ended"] and print_of(number) not in before:
                        row.ended = False  # it is told again
                        changed.add(item.partner.id)
                elif row is None and print_of(number) not in before:
                    new.append({**values, "partner_id": item.partner.id})
                    by_number[number] = Phone  # told twice
                    changed.add(item.partner.id)
                    if self.log is not None:
                        self._tell(item, _("Phone"), "", mask_number(number))
                # else it was changed or taken away here since
            if mine and (item.phones or item.emptied_lists and "phones" in item.record.model_fields_set):
                gone = mine.filtered(
                    lambda row, told=told, before=before: (
                        not row.ended
                        and (row.sanitized or row.number) not in told
                        and print_of(row.sanitized or row.number) in before
                    )
                )
                if gone:
                    gone.write({"ended": today})
                    changed.add(item.partner.id)
                    for row in gone:
                        self._tell(item, _("Phone no longer in use"), mask_number(row.number), "")
        self._create(Phone._name, new)
        return changed

    def _save_accounts(self, items, created):
        """By number. An account that ended here stays ended; one that the source replaced or took away ends here."""
        Account = self.env["spp.payment.account"]
        ours, new, changed = self._children(Account._name, items, created), [], set()
        for item in items:
            by_number = {row.number: row for row in ours.get(item.partner.id, Account)}
            for values in item.accounts:
                row = by_number.get(values["number"])
                if row:
                    told = {name: values[name] for name in ("provider_id", "holder")}
                    changed |= self._write_child(row, told, item, "number")
                elif row is None:
                    new.append({**values, "partner_id": item.partner.id})
                    by_number[values["number"]] = Account  # told twice
                    changed.add(item.partner.id)
                    if self.log is not None:
                        self._tell(item, _("Account"), "", mask_number(values["number"]))
        accounts = self._create(Account._name, new)
        replacing = [
            item
            for item in items
            if item.said.get("a")
            and (item.accounts or item.emptied_lists and "accounts" in item.record.model_fields_set)
        ]
        made = accounts.grouped(lambda row: row.partner_id.id) if replacing else {}
        for item in replacing:
            mine = ours.get(item.partner.id, Account) | made.get(item.partner.id, Account)
            changed |= self._replace_account(item, mine)
        return changed

    def _replace_account(self, item, mine):
        """Where the source's account is another one than last time: pay to that, and end the one it was.

        Where it has none any more, the one it had ends, and nobody is paid to it.
        """
        before, told = item.said["a"], [account["number"] for account in item.accounts]
        first = mine.filtered(lambda row: row.number in told[:1] and row.state == "active")[:1]
        primary = mine.filtered(lambda row: row.is_primary and row.state == "active")[:1]
        changed = set()
        if first and primary and first != primary:
            what = decide(before[0], primary.number, first.number)
            if what == "conflict":
                what = self._conflict(
                    item.partner, ACCOUNT, primary.display_name, first.display_name, first.id
                )
            if what == "take":
                primary.write({"is_primary": False})
                first.write({"is_primary": True})
                self._tell(item, _("Primary account"), primary.number_masked, first.number_masked)
                changed.add(item.partner.id)
        elif first and first == primary:
            self._agreed.add((item.partner.id, ACCOUNT))
        replaced = mine.filtered(
            lambda row: (
                row.state == "active"
                and not (row.is_primary and told)
                and row.number not in told
                and print_of(row.number) in before
            )
        )
        if replaced:
            replaced.write({"state": "ended"})
            for row in replaced:
                self._tell(item, _("Account ends"), row.number_masked, "")
            changed.add(item.partner.id)
        return changed

    def _save_facts(self, items):
        """Programs at the source and what was noted there, as events of the registrant."""
        accepted, changed = {}, set()
        today = fields.Date.context_today(self.source)
        for item in items:
            if not item.facts or item.said.get("p") == print_of(item.facts):
                continue
            changed.add(item.partner.id)
            for number, kind, day, value in item.facts:
                accepted[self.code, number] = (
                    0,
                    {
                        "partner_id": item.partner.id,
                        "kind": kind,
                        "date": day or today,
                        "value": value,
                        "source": self.code,
                        "external_id": number,
                    },
                )
                self._tell(item, _("Fact"), "", value)
        if accepted:
            self.env["spp.event"]._upsert(accepted)
        return changed

    def _write_child(self, row, values, item, number):
        values = {name: value for name, value in values.items() if value and _value(row, name) != value}
        if not values:
            return set()
        self._tell(
            item,
            row._description,
            mask_number(row[number]),
            mask_number(values.get(number, row[number])),
        )
        row.write(values)
        return {row.partner_id.id}

    # Memberships

    def _places(self, item):
        memberships = item.record.memberships or ()
        number = item.record.id
        before = item.said.get("m", {})
        places = [
            Place(
                item.partner,
                one.model_copy(update={"group": number}),
                self._roles(one),
                False,
                before.get(str(one.individual)),
            )
            for one in memberships
        ]
        head_is_told = any(
            place.membership.is_head is not None or self._is_head(place)
            for place in places
            if not place.membership.ended
        )
        for place in places:
            place.head_is_told = head_is_told
        return places

    def _save_places(self, places):
        _moved, troubles = self._place(places)
        check_now(self.env["spp.group.membership"])
        return Tally(created=len(places) - len(troubles), troubles=troubles)

    def _place(self, places, created=frozenset()):
        """Put people into groups; returns the ids of groups in which something changed, and troubles.

        :param created: ids of groups that are new, and so have nobody yet
        """
        Membership = self.env["spp.group.membership"]
        people = self._known({f"individual:{place.membership.individual}" for place in places})
        old = {place.group.id for place in places} - created
        rows = Membership.search([("group_id", "in", list(old))]) if old else Membership
        ours = rows.grouped(lambda row: (row.group_id.id, row.individual_id.id))
        told, new, changed, troubles = {}, [], set(), []
        for place in places:
            told.setdefault(place.pair, []).append(place)
        for (group_id, number), pair in told.items():
            partner_id = people.get(f"individual:{number}", NOBODY).partner_id
            if not partner_id:
                reason = _("This person has not been stored here yet, so the place in the group waits.")
                troubles += [
                    self._trouble(place.membership, reason, group=place.group, cause="person")
                    for place in pair
                ]
                continue
            mine = ours.get((group_id, partner_id), Membership)
            vals_list, is_changed = self._reconcile(pair, mine)
            new += [{**vals, "group_id": group_id, "individual_id": partner_id} for vals in vals_list]
            if vals_list or is_changed:
                changed.add(group_id)
        self._create(Membership._name, new)
        return changed, troubles

    def _reconcile(self, pair, mine):
        """Bring our rows of one person in one group in line with the source's; returns new ones and whether others
        changed."""
        live = mine and mine.filtered(lambda row: not row.ended)[:1]
        known_ends = set(mine.mapped("ended")) if mine else set()
        new, is_changed = [], False
        current = next((place for place in reversed(pair) if not place.membership.ended), None)
        if current:
            values = self._place_values(current, live)
            if live:
                values = {name: value for name, value in values.items() if _value(live, name) != value}
                is_changed = bool(values) and live.write(_commands(values))
            elif not mine or current.roles_before is None:
                new.append(values)
            # else the source says what it said before, and the place was ended here since
        for place in sorted(
            (one for one in pair if one.membership.ended), key=lambda one: one.membership.ended
        ):
            if place.membership.ended in known_ends:
                continue
            if live and not current:
                live.ended = place.membership.ended
                live, is_changed = live.browse(), True
            else:
                new.append({**self._place_values(place, mine.browse()), "ended": place.membership.ended})
        return new, is_changed

    def _is_head(self, place):
        told = place.membership.is_head
        return self.head in place.role_ids if told is None else told

    def _place_values(self, place, live):
        """Roles given here stay, those that the source takes back go; the head is whom it names, if it names one."""
        role_ids, is_head = place.role_ids, False
        if live:
            role_ids = role_ids | (set(live.role_ids.ids) - set(place.roles_before or ()))
            is_head = live.is_head
        if place.head_is_told:
            is_head = self._is_head(place)
            if not is_head and place.membership.is_head is None:
                role_ids = role_ids - {self.head}
        values = {"role_ids": tuple(sorted(role_ids)), "is_head": is_head}
        if place.membership.start:
            values["start"] = place.membership.start
        return values

    def _tell_places(self, items, places):
        by_group = {item.partner.id: item for item in items}
        names = dict(self.env["spp.membership.role"].search([]).mapped(lambda role: (role.id, role.name)))
        for place in places:
            before = place.roles_before
            told = sorted(place.role_ids)
            if before is not None and sorted(before) == told and not place.membership.ended:
                continue
            person = place.membership.individual_name or f"individual:{place.membership.individual}"
            shown = ", ".join([person, *(names.get(role_id, "") for role_id in told)])
            if place.membership.ended:
                shown = _("%(person)s, until %(day)s", person=shown, day=place.membership.ended)
            self._tell(by_group[place.group.id], _("Member"), "", shown)

    # Troubles

    def _refused(self, item, error):
        is_place = isinstance(item, Place)
        record = item.membership if is_place else item.record
        if isinstance(error, UserError):
            reason = str(error.args[0]) if error.args else str(error)
        elif isinstance(error, psycopg2.IntegrityError):
            name = error.diag.constraint_name
            constraint = self.env["ir.model.constraint"].search([("name", "=", name)], limit=1)
            reason = constraint.message or _("The database refuses it (%s).", name)
        else:
            _logger.info("A record of a source MIS cannot be stored: %s", type(error).__name__)
            reason = _("A value in it cannot be stored here (%s).", type(error).__name__)
        group = item.group if is_place else None
        partner_id = False if is_place else item.known_id
        return self._trouble(record, _discreet(reason, record), partner_id, group)

    def _trouble(self, record, reason, partner_id=False, group=None, cause="refused"):
        """:param cause: "refused", or what it waits for: the meaning of a "name", a "person" to be stored"""
        if record.kind_of_record == "membership":
            person = record.individual_name or f"individual:{record.individual}"
            where = group.name if group else f"group:{record.group}"
            name, partner_id = _("%(person)s in %(group)s", person=person, group=where), group and group.id
        else:
            name = record.name
        waits_for = f"individual:{record.individual}" if cause == "person" else False
        return {
            **_trouble(record.kind_of_record, record.external_id, name, reason, record.dump(), partner_id),
            "cause": cause,
            "waits_for": waits_for,
        }


def _bad(bad, known):
    """The trouble of a row that could not even be read."""
    partner_id = known.get(bad.external_id, NOBODY).partner_id
    name = bad.name or bad.external_id
    return _trouble(bad.kind_of_record, bad.external_id, name, bad.reason, bad.row, partner_id)


def _trouble(kind, external_id, name, reason, payload, partner_id=False):
    return {
        "record_kind": kind,
        "external_id": external_id,
        "name": _storable(name),
        "reason": _storable(" ".join(reason.split())),
        "payload": _storable(payload),
        "partner_id": partner_id or False,
        "cause": "refused",
        "waits_for": False,
    }


def _storable(value):
    """The value without the characters that PostgreSQL does not take."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_storable(key): _storable(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(one) for one in value]
    return value


def _discreet(reason, record):
    """The reason without the numbers of documents and accounts: runs are read by people who may not see these."""
    secrets = [document.value for document in getattr(record, "documents", ())]
    secrets += [account.number for account in getattr(record, "accounts", ())]
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) > 2:
            reason = reason.replace(secret, "••••")
    return reason


def _said(item):
    """Prints of what a record says, who its members are, and who of them is gone since."""
    says, record = item.says(), item.record
    memberships = getattr(record, "memberships", None)
    if memberships is not None:
        told = {str(one.individual) for one in memberships}
        live = {str(one.individual): one for one in memberships if not one.ended}
        before = {*says.get("m", {}), *says.get("gone", ())}
        says["m"] = {number: item.roles.get(number, []) for number in live}
        says["gone"] = sorted(before - told)
    return says


def _phone(number):
    """A number as two are compared."""
    return sanitize(number) or number


def _plain(value):
    """A value as JSON holds it."""
    return str(value) if hasattr(value, "isoformat") else value


def _shown(partner, name, value):
    """A field's value as people read it."""
    kind = partner._fields[name]
    if value in (None, False, "") and kind.type != "boolean":
        return ""
    if kind.type == "many2one":
        return partner.env[kind.comodel_name].browse(value).display_name
    if kind.type == "selection":
        return dict(kind._description_selection(partner.env)).get(value, value)
    if kind.type == "boolean":
        return _("yes") if value else _("no")
    return str(value)


def _value(row, name):
    """A field's value as `Item` and `Place` hold values: ids for records."""
    kind, value = row._fields[name].type, row[name]
    if kind == "many2many":
        return tuple(sorted(value.ids))
    return value.id if kind == "many2one" else value


def _commands(values):
    if "role_ids" in values:
        values = {**values, "role_ids": [fields.Command.set(values["role_ids"])]}
    return values
