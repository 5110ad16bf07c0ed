"""A dated fact about a registrant: school attendance, a health visit… Rules read them as `individual.events`."""

from odoo import _, api, fields, models, tools
from odoo.exceptions import UserError
from odoo.tools import SQL

MOST_ROWS = 10_000
COLUMNS = ("registrant_id", "document", "kind", "date", "value", "source", "external_id")


class SppEvent(models.Model):
    _name = "spp.event"
    _description = "Registrant Event"
    _rec_name = "kind"
    _order = "date desc, id desc"

    partner_id = fields.Many2one(
        comodel_name="res.partner", string="Registrant", required=True, index=True, ondelete="restrict",
        domain="[('is_registrant', '=', True)]",
    )  # fmt: skip
    kind = fields.Selection(
        selection="_selection_kind", required=True, help="What happened; administrators add kinds."
    )
    date = fields.Date(required=True, default=fields.Date.context_today)
    value = fields.Char(help="What was observed: a rate, a grade, a result.")
    source = fields.Char(help="The outside system that reported it; empty if entered here.")
    external_id = fields.Char(string="ID at the source")
    registrant_reference = fields.Char(
        string="Document number or reference", store=False,
        help="For imports: finds the registrant by the number of a valid document, or by their reference.",
    )  # fmt: skip

    _sql_constraints = [
        (
            "external_unique",
            "UNIQUE (source, external_id)",
            "This event of the outside system is already recorded.",
        ),
        (
            "external_of_source",
            "CHECK (external_id IS NULL OR source IS NOT NULL)",
            "An ID at the source needs the name of the source.",
        ),
    ]

    def init(self):
        self.env.cr.execute("""
            CREATE INDEX IF NOT EXISTS spp_event_date_idx ON spp_event (date DESC, id DESC);
            CREATE INDEX IF NOT EXISTS spp_event_kind_idx ON spp_event (kind, date DESC, id DESC);
        """)

    @api.model
    def _selection_kind(self):
        return self._kinds(self.env.lang)

    @api.model
    @tools.ormcache("lang")
    def _kinds(self, lang):
        # sudo: the vocabulary is read with the events, by whoever reads those. Archived kinds name their old events.
        kinds = self.env["spp.event.kind"].sudo().with_context(active_test=False, lang=lang)
        return [(kind.code, kind.name) for kind in kinds.search([])]

    @api.model_create_multi
    def create(self, vals_list):
        vals_list = [dict(vals) for vals in vals_list]
        references = [vals.pop("registrant_reference", None) for vals in vals_list]
        found, reasons = self._find_registrants(filter(None, references))
        for vals, reference in zip(vals_list, references, strict=True):
            if reference and not vals.get("partner_id"):
                if reference not in found:
                    raise UserError(reasons[reference])
                vals["partner_id"] = found[reference]
        self._check_kinds(vals_list)
        return super().create(vals_list)

    def _completed_for_bulk(self, vals_list):
        """Values with what create() would add; see tools/bulk_rows.py."""
        self._check_kinds(vals_list)
        return vals_list

    def _created_in_bulk(self):
        """What is to be done for new rows that SQL made; see tools/bulk_rows.py."""

    def write(self, vals):
        self._check_kinds([vals])
        return super().write({key: value for key, value in vals.items() if key != "registrant_reference"})

    @api.model
    def load(self, fields, data):  # pylint: disable=redefined-outer-name  # the name it has in the core
        """Import rows: the registrant by document number or reference, and events already known are updated.

        A row whose source and ID at the source are known changes that event; so the same file imported again
        changes nothing.
        """
        columns, rows = list(fields), [list(row) for row in data]
        if "registrant_reference" in columns:
            place = columns.index("registrant_reference")
            found, reasons = self._find_registrants(row[place] for row in rows if row[place])
            messages = [
                {
                    "type": "error",
                    "rows": {"from": number, "to": number},
                    "record": number,
                    "field": "registrant_reference",
                    "message": reasons.get(row[place]) or _("There is no document number or reference."),
                }
                for number, row in enumerate(rows)
                if row[place] not in found
            ]
            if messages:
                return {"ids": False, "messages": messages, "nextrow": 0}
            columns[place] = "partner_id/.id"
            for row in rows:
                row[place] = str(found[row[place]])
        return super().load(columns, rows)

    def _load_records(self, data_list, update=False):
        named = {
            (data["values"]["source"], data["values"]["external_id"]): data
            for data in data_list
            if data["values"].get("source") and data["values"].get("external_id")
        }
        known = self.search(
            [
                ("source", "in", [source for source, _external_id in named]),
                ("external_id", "in", [external_id for _source, external_id in named]),
            ]
        )
        for event in known:
            if (event.source, event.external_id) in named:
                named[event.source, event.external_id]["values"]["id"] = event.id
        return super()._load_records(data_list, update)

    # ------------------------------------------------------------------ for integrators

    @api.model
    def record_events(self, rows, request_key):
        """Record many events at once; rows that cannot be recorded are told, the others are. Role: enrollment officer.

        :param rows: at most 10,000 of {"registrant_id": id, or "document": number of a valid document or the
            registrant's reference, "kind": code, "date": "2026-01-31", "value": text, "source": name of the
            outside system, "external_id": ID there}; value, source and external_id may be left out. An event that
            its source has named before is updated
        :param request_key: chosen by the caller. A call that is repeated with it records nothing twice: rows without
            an ID at the source are known by the key and their place in the call
        :return: {"recorded": number, "updated": number, "unchanged": number, "failed": [{"row": place, counted from 0,
            "reason": sentence}]}
        """
        self.check_access_rights("create")
        self.check_access_rights("write")
        key = (request_key or "").strip()
        if not key:
            raise UserError(_("Events need a request key."))
        if len(rows) > MOST_ROWS:
            raise UserError(_("At most %s events in one call.", MOST_ROWS))
        found, reasons = self._find_registrants(
            str(row["document"]) for row in rows if row.get("document") and not row.get("registrant_id")
        )
        given = [row["registrant_id"] for row in rows if isinstance(row.get("registrant_id"), int)]
        visible = set(self.env["res.partner"].search([("id", "in", given), ("is_registrant", "=", True)]).ids)
        codes = dict(self._selection_kind())
        failed, accepted = [], {}
        for number, row in enumerate(rows):
            values, reason = self._read_row(row, codes, found, reasons, visible)
            if reason:
                failed.append({"row": number, "reason": reason})
                continue
            if not values["external_id"]:
                values["external_id"] = f"{key}:{number}"
                values["source"] = values["source"] or "request"
            # Of an event that is named twice in one call the last word counts.
            accepted[values["source"], values["external_id"]] = number, values
        counts, theirs = self._upsert(accepted)
        taken = _("The source has named another registrant's event so before.")
        failed += [{"row": number, "reason": taken} for number in theirs]
        return {**counts, "failed": sorted(failed, key=lambda failure: failure["row"])}

    def _read_row(self, row, codes, found, reasons, visible):
        """(values, "") of one given row, or ({}, why not)."""
        if unknown := set(row) - set(COLUMNS):
            return {}, _("An event has no %s.", ", ".join(sorted(unknown)))
        document = str(row.get("document") or "")
        partner_id = row.get("registrant_id") or found.get(document)
        if row.get("registrant_id") and partner_id not in visible:
            return {}, _("There is no registrant %s whom you may see.", row["registrant_id"])
        if not partner_id:
            return {}, reasons.get(document) or _("Name the registrant, by registrant_id or document.")
        if row.get("kind") not in codes:
            return {}, self._unknown_kind(row.get("kind"))
        try:
            date = fields.Date.to_date(row.get("date"))
        except (ValueError, TypeError):
            date = None
        if not date:
            return {}, _("“%s” is not a date; write it like 2026-01-31.", row.get("date") or "")
        if row.get("external_id") and not row.get("source"):
            return {}, _("An ID at the source needs the name of the source.")
        texts = {
            name: str(row[name]) if row.get(name) not in (None, False, "") else None
            for name in ("value", "source", "external_id")
        }
        return {"partner_id": partner_id, "kind": row["kind"], "date": date, **texts}, ""

    def _upsert(self, accepted):
        """Write the accepted rows in one statement.

        :param accepted: {(source, external id): (row number, values)}
        :return: counts, and the numbers of rows whose event is somebody else's
        """
        names = ("partner_id", "kind", "date", "value", "source", "external_id")
        lists = [[values[name] for _number, values in accepted.values()] for name in names]
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO spp_event AS e (partner_id, kind, date, value, source, external_id,
                                            create_uid, create_date, write_uid, write_date)
                SELECT given.*, %(uid)s, %(now)s, %(uid)s, %(now)s
                  FROM unnest(%(partners)s::int[], %(kinds)s::text[], %(dates)s::date[], %(values)s::text[],
                              %(sources)s::text[], %(external_ids)s::text[]) AS given
                ON CONFLICT (source, external_id) DO UPDATE
                        SET kind = EXCLUDED.kind, date = EXCLUDED.date, value = EXCLUDED.value,
                            write_uid = EXCLUDED.write_uid, write_date = EXCLUDED.write_date
                      WHERE e.partner_id = EXCLUDED.partner_id
                        AND (e.kind, e.date, e.value) IS DISTINCT FROM (EXCLUDED.kind, EXCLUDED.date, EXCLUDED.value)
                RETURNING (xmax = 0)
                """,
                uid=self.env.uid,
                now=self.env.cr.now(),
                **dict(
                    zip(
                        ("partners", "kinds", "dates", "values", "sources", "external_ids"),
                        lists,
                        strict=True,
                    )
                ),
            )
        )
        new = [is_new for (is_new,) in self.env.cr.fetchall()]
        self.env.cr.execute(
            SQL(
                """
                SELECT e.source, e.external_id
                  FROM unnest(%s::int[], %s::text[], %s::text[]) AS given(partner_id, source, external_id)
                  JOIN spp_event e USING (source, external_id)
                 WHERE e.partner_id <> given.partner_id
                """,
                lists[0],
                lists[4],
                lists[5],
            )
        )
        theirs = [accepted[name][0] for name in self.env.cr.fetchall()]
        self.env.invalidate_all()
        counts = {
            "recorded": sum(new),
            "updated": len(new) - sum(new),
            "unchanged": len(accepted) - len(new) - len(theirs),
        }
        return counts, theirs

    # ------------------------------------------------------------------ helpers

    @api.model
    def _find_registrants(self, references):
        """Registrants by the number of a valid document, or by their reference, in one statement.

        :return: {reference: id} of who was found, {reference: why not} of the others
        """
        references = sorted(set(references))
        if not references:
            return {}, {}
        self.env["spp.identity.document"].check_access_rights("read")
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                SELECT given.reference, array_agg(DISTINCT named.partner_id)
                  FROM unnest(%s::text[]) AS given(reference)
                  JOIN LATERAL (SELECT partner_id FROM spp_identity_document
                                 WHERE lower(value) = lower(given.reference) AND state = 'valid'
                                 UNION
                                SELECT id FROM res_partner WHERE ref = given.reference AND is_registrant) named ON TRUE
                 GROUP BY given.reference
                """,
                references,
            )
        )
        named = dict(self.env.cr.fetchall())
        ids = {partner_id for partner_ids in named.values() for partner_id in partner_ids}
        visible = set(self.env["res.partner"].search([("id", "in", list(ids))]).ids)
        found, reasons = {}, {}
        for reference in references:
            theirs = visible.intersection(named.get(reference, ()))
            if len(theirs) == 1:
                found[reference] = theirs.pop()
            elif theirs:
                reasons[reference] = _("Several registrants have the document or reference %s.", reference)
            else:
                reasons[reference] = _(
                    "No registrant whom you may see has the document or reference %s.", reference
                )
        return found, reasons

    def _check_kinds(self, vals_list):
        codes = dict(self._selection_kind())
        for vals in vals_list:
            if vals.get("kind") and vals["kind"] not in codes:
                raise UserError(self._unknown_kind(vals["kind"]))

    def _unknown_kind(self, kind):
        codes = ", ".join(code for code, _name in self._selection_kind())
        return _("There is no event kind “%(kind)s”; there are: %(codes)s.", kind=kind or "", codes=codes)
