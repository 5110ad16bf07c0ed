"""Stores what a source told as registrants, a page at a time.

    store = Store(source)
    tally = store.save(page)      # of individuals, or of groups with their memberships
    store.hold(tally.troubles, run)

Which record is which registrant is decided by (source, external id); whether it changed, by a checksum. An unchanged
record costs nothing of its own. A page is stored in one go; if the database or a rule of the registry refuses it, it
is halved until the records that are at fault stand alone, and the others are stored.

What a source leaves empty never blanks what is here, and nothing is deleted.
"""

import logging
from dataclasses import dataclass, field

import psycopg2

from odoo import _, fields
from odoo.exceptions import UserError
from odoo.tools import SQL

from odoo.addons.spp_registry.models.spp_payment_account import clean_number
from odoo.addons.spp_registry.models.spp_phone_number import sanitize
from odoo.addons.spp_registry.tools.deferred import check_now

from .models.spp_mis_mapping import Unmapped
from .wire.records import parse_page

_logger = logging.getLogger(__name__)

REFUSED = (UserError, ValueError, psycopg2.IntegrityError, psycopg2.DataError)


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
    documents: list = field(default_factory=list)
    phones: list = field(default_factory=list)
    accounts: list = field(default_factory=list)
    partner: object = None  # the registrant, while it is being stored


@dataclass
class Place:
    """A membership on its way in."""

    group: object
    membership: object
    role_ids: set
    head_is_told: bool  # the source says who is the head of this group

    @property
    def pair(self):
        return self.group.id, self.membership.individual


class Store:
    def __init__(self, source):
        self.env = source.env
        self.source = source
        self.code = source._code()
        self.head = self.env.ref("spp_registry.membership_role_head").id
        mappings = self.env["spp.mis.mapping"].search([("source_id", "=", source.id)])
        self._mappings = {(mapping.kind, mapping.name): mapping for mapping in mappings}

    # A page

    def save(self, page):
        """Store a page of individuals or groups; returns a Tally."""
        records = {record.external_id: record for record in page.records}
        known = self._known([*records, *(bad.external_id for bad in page.bad)])
        tally = Tally(troubles=[_bad(bad, known) for bad in page.bad])
        items = []
        for external_id, record in records.items():
            partner_id, checksum = known.get(external_id, (False, None))
            if checksum == record.checksum():
                tally.unchanged += 1
                continue
            try:
                items.append(self._item(record, partner_id))
            except Unmapped as error:
                tally.troubles.append(self._trouble(record, error.reason, partner_id))
        size = self.source.page_size  # the registry API sends everything as one page
        for start in range(0, len(items), size):
            self._attempt(items[start : start + size], tally, self._save_items)
        self._mark_seen(known)
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
            partner_id, _checksum = groups.get(f"group:{membership.group}", (False, None))
            try:
                if not partner_id:
                    raise Unmapped(_("Its group has not been stored here yet."))
                role_ids = self._roles(membership)
                group = self.env["res.partner"].browse(partner_id)
                places.append(Place(group, membership, role_ids, self.head in role_ids))
            except Unmapped as error:
                tally.troubles.append(self._trouble(membership, error.reason))
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
        """external id → (registrant's id, checksum)"""
        self.env["spp.registrant.source"].flush_model()
        query = SQL(
            "SELECT external_id, partner_id, checksum FROM spp_registrant_source WHERE source = %s AND external_id = ANY(%s)",
            self.code,
            list(external_ids),
        )
        self.env.cr.execute(query)
        return {
            external_id: (partner_id, checksum)
            for external_id, partner_id, checksum in self.env.cr.fetchall()
        }

    def _mark_seen(self, external_ids):
        query = SQL(
            "UPDATE spp_registrant_source SET last_seen = %s WHERE source = %s AND external_id = ANY(%s)",
            self.env.cr.now(),
            self.code,
            list(external_ids),
        )
        self.env.cr.execute(query)
        self.env["spp.registrant.source"].invalidate_model(["last_seen"])

    def _sign(self, items):
        """Note which registrant each record is, and its checksum; the unique index decides about two at once."""
        self.env.flush_all()
        query = SQL(
            """
            INSERT INTO spp_registrant_source AS known
                   (source, external_id, partner_id, checksum, last_seen, create_uid, create_date, write_uid, write_date)
            SELECT %(source)s, t.external_id, t.partner_id, t.checksum, %(now)s, %(uid)s, %(now)s, %(uid)s, %(now)s
              FROM unnest(%(external_ids)s::varchar[], %(partner_ids)s::integer[], %(checksums)s::varchar[])
                   AS t (external_id, partner_id, checksum)
                ON CONFLICT (source, external_id) DO UPDATE
               SET checksum = excluded.checksum, last_seen = excluded.last_seen,
                   write_uid = excluded.write_uid, write_date = excluded.write_date
            """,
            source=self.code,
            now=self.env.cr.now(),
            uid=self.env.uid,
            external_ids=[item.record.external_id for item in items],
            partner_ids=[item.partner.id for item in items],
            checksums=[item.record.checksum() for item in items],
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
                ("record_kind", "=", "membership"),
                ("state", "=", "waiting"),
            ]
        )
        arrived = {record.id for record in records if record.kind_of_record == "individual"}
        follow = [held.payload for held in waiting if held.payload.get("individual") in arrived]
        if follow:
            tally.troubles += self.save_memberships(parse_page("membership", follow)).troubles

    # Mapping

    def _item(self, record, partner_id):
        """Raise Unmapped if a name in the record has no meaning here."""
        item = Item(record, partner_id, self._values(record))
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
                {"kind": "bank", "number": clean_number("bank", account.number), "provider_id": bank_id}
            )
        if record.kind_of_record == "group":
            for membership in record.memberships or ():
                self._roles(membership)
        return item

    def _values(self, record):
        """Fields of the registrant that the source says something about."""
        street, _newline, rest = (record.address or "").partition("\n")
        values = {
            "name": record.name,
            "email": record.email,
            "street": street.strip(),
            "street2": ", ".join(line.strip() for line in rest.splitlines() if line.strip()),
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
        return {
            name: value
            for name, value in values.items()
            if value or value is False and name == "birthdate_exact"
        }

    def _roles(self, membership):
        return {self._meaning("role", name) for name in membership.roles}

    def _meaning(self, kind, name, bic=None):
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
        partners = self.env["res.partner"].create(
            [
                {"is_registrant": True, "is_group": is_group, **item.values, **self._disabled(item)}
                for item in new
            ]
        )
        old = [item for item in items if item.known_id]
        known = partners.browse([item.known_id for item in old])  # together, so that they are read together
        for item, partner in zip([*new, *old], [*partners, *known], strict=True):
            item.partner = partner
        created = set(partners.ids)
        changed = {item.known_id for item in old if self._write(item)}
        changed |= self._save_documents(items, created)
        changed |= self._save_phones(items, created)
        changed |= self._save_accounts(items, created)
        troubles = []
        if is_group:
            places = [place for item in items for place in self._places(item)]
            moved, troubles = self._place(places)
            changed |= moved
        self._sign(items)
        check_now(self.env["spp.payment.account"])
        check_now(self.env["spp.group.membership"])
        updated = len(changed - created)
        return Tally(len(created), updated, len(items) - len(created) - updated, troubles)

    def _write(self, item):
        """Write what differs; whether something did."""
        values = {
            **item.values,
            **(self._disabled(item) if item.partner.registrant_status == "active" else {}),
        }
        values = {name: value for name, value in values.items() if _value(item.partner, name) != value}
        return bool(values) and item.partner.write(values)

    def _disabled(self, item):
        if not item.record.disabled:
            return {}
        return {
            "registrant_status": "disabled",
            "status_date": item.record.disabled,
            "status_reason": _("Disabled at %s", self.source.name),
        }

    def _children(self, model, items, created):
        """Rows that registrants have already, by registrant."""
        old = [item.partner.id for item in items if item.partner.id not in created]
        rows = self.env[model].search([("partner_id", "in", old)]) if old else self.env[model]
        return rows.grouped(lambda row: row.partner_id.id)

    def _save_documents(self, items, created):
        """By type and number; else the one of the type has another number now."""
        Document = self.env["spp.identity.document"]
        ours, new, changed = self._children(Document._name, items, created), [], set()
        for item in items:
            left = ours.get(item.partner.id, Document)
            told = []
            for values in item.documents:
                same = left.filtered(
                    lambda row, v=values: (row.type_id.id, row.value) == (v["type_id"], v["value"])
                )
                left -= same
                told.append((values, same[:1]))
            for values, row in told:
                if not row:
                    row = left.filtered(
                        lambda row, v=values: row.type_id.id == v["type_id"] and row.state != "withdrawn"
                    )[:1]
                    left -= row
                if row:
                    changed |= self._write_child(row, values)
                else:
                    new.append({**values, "partner_id": item.partner.id})
                    changed.add(item.partner.id)
        Document.create(new)
        return changed

    def _save_phones(self, items, created):
        """By number, however it is written."""
        Phone = self.env["spp.phone.number"]
        ours, new, changed = self._children(Phone._name, items, created), [], set()
        for item in items:
            by_number = {row.sanitized or row.number: row for row in ours.get(item.partner.id, Phone)}
            for values in item.phones:
                number = sanitize(values["number"]) or values["number"]
                row = by_number.get(number)
                if row:
                    changed |= self._write_child(row, {**values, "number": row.number})
                elif row is None:
                    new.append({**values, "partner_id": item.partner.id})
                    by_number[number] = Phone  # told twice
                    changed.add(item.partner.id)
        Phone.create(new)
        return changed

    def _save_accounts(self, items, created):
        """By number. An account that ended here stays ended."""
        Account = self.env["spp.payment.account"]
        ours, new, changed = self._children(Account._name, items, created), [], set()
        for item in items:
            by_number = {row.number: row for row in ours.get(item.partner.id, Account)}
            for values in item.accounts:
                row = by_number.get(values["number"])
                if row:
                    changed |= self._write_child(row, {"provider_id": values["provider_id"]})
                elif row is None:
                    new.append({**values, "partner_id": item.partner.id})
                    by_number[values["number"]] = Account  # told twice
                    changed.add(item.partner.id)
        Account.create(new)
        return changed

    def _write_child(self, row, values):
        values = {name: value for name, value in values.items() if value and _value(row, name) != value}
        if not values:
            return set()
        row.write(values)
        return {row.partner_id.id}

    # Memberships

    def _places(self, item):
        memberships = item.record.memberships or ()
        number = item.record.id
        places = [
            Place(item.partner, one.model_copy(update={"group": number}), self._roles(one), False)
            for one in memberships
        ]
        head_is_told = any(self.head in place.role_ids and not place.membership.ended for place in places)
        for place in places:
            place.head_is_told = head_is_told
        return places

    def _save_places(self, places):
        _moved, troubles = self._place(places)
        check_now(self.env["spp.group.membership"])
        return Tally(created=len(places) - len(troubles), troubles=troubles)

    def _place(self, places):
        """Put people into groups; returns the ids of groups in which something changed, and troubles."""
        Membership = self.env["spp.group.membership"]
        people = self._known({f"individual:{place.membership.individual}" for place in places})
        rows = Membership.search([("group_id", "in", list({place.group.id for place in places}))])
        ours = rows.grouped(lambda row: (row.group_id.id, row.individual_id.id))
        told, new, changed, troubles = {}, [], set(), []
        for place in places:
            told.setdefault(place.pair, []).append(place)
        for (group_id, number), pair in told.items():
            partner_id, _checksum = people.get(f"individual:{number}", (False, None))
            if not partner_id:
                reason = _("This person has not been stored here yet, so the place in the group waits.")
                troubles += [self._trouble(place.membership, reason, group=place.group) for place in pair]
                continue
            mine = ours.get((group_id, partner_id), Membership)
            vals_list, is_changed = self._reconcile(pair, mine)
            new += [{**vals, "group_id": group_id, "individual_id": partner_id} for vals in vals_list]
            if vals_list or is_changed:
                changed.add(group_id)
        Membership.create(new)
        return changed, troubles

    def _reconcile(self, pair, mine):
        """Bring our rows of one person in one group in line with the source's; returns new ones and whether others
        changed."""
        live = mine.filtered(lambda row: not row.ended)[:1]
        known_ends = set(mine.mapped("ended"))
        new, is_changed = [], False
        current = next((place for place in reversed(pair) if not place.membership.ended), None)
        if current:
            values = self._place_values(current, live)
            if live:
                values = {name: value for name, value in values.items() if _value(live, name) != value}
                is_changed = bool(values) and live.write(_commands(values))
            else:
                new.append(_commands(values))
        for place in sorted(
            (one for one in pair if one.membership.ended), key=lambda one: one.membership.ended
        ):
            if place.membership.ended in known_ends:
                continue
            if live and not current:
                live.ended = place.membership.ended
                live, is_changed = live.browse(), True
            else:
                new.append(
                    _commands({**self._place_values(place, mine.browse()), "ended": place.membership.ended})
                )
        return new, is_changed

    def _place_values(self, place, live):
        """Roles given here stay; the head is whom the source names, if it names one."""
        role_ids, is_head = place.role_ids | set(live.role_ids.ids), live.is_head
        if place.head_is_told:
            is_head = self.head in place.role_ids
            if not is_head:
                role_ids = role_ids - {self.head}
        values = {"role_ids": tuple(sorted(role_ids)), "is_head": is_head}
        if place.membership.start:
            values["start"] = place.membership.start
        return values

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

    def _trouble(self, record, reason, partner_id=False, group=None):
        if record.kind_of_record == "membership":
            person = record.individual_name or f"individual:{record.individual}"
            where = group.name if group else f"group:{record.group}"
            name, partner_id = _("%(person)s in %(group)s", person=person, group=where), group and group.id
        else:
            name = record.name
        return _trouble(record.kind_of_record, record.external_id, name, reason, record.dump(), partner_id)


def _bad(bad, known):
    """The trouble of a row that could not even be read."""
    partner_id, _checksum = known.get(bad.external_id, (False, None))
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
