"""What happened to a household: split, merge, death, change of head, move. Recorded as it is done, and never changed."""

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

GIVEN = (
    "household_id",
    "person_id",
    "member_ids",
    "other_household_id",
    "new_head_id",
    "staying_head_id",
    "household_name",
    "area_id",
    "street",
    "city",
    "zip",
    "date",
    "reason",
    "document",
)


class HouseholdChange(models.Model):
    _name = "spp.household.change"
    _inherit = ["spp.household.change.plan"]
    _description = "Household Change"
    _order = "id desc"
    _rec_name = "partner_id"

    partner_id = fields.Many2one(
        comodel_name="res.partner", string="Registrant", required=True, readonly=True, index=True,
        ondelete="restrict", help="The household, or the person who died.",
    )  # fmt: skip
    household_id = fields.Many2one(index="btree_not_null")
    member_ids = fields.Many2many(
        string="Who moved", relation="spp_household_change_member", column1="change_id", column2="partner_id"
    )
    other_household_id = fields.Many2one(index="btree_not_null")
    user_id = fields.Many2one(
        comodel_name="res.users", string="Recorded by", required=True, readonly=True, ondelete="restrict"
    )
    steps = fields.Json(readonly=True)
    done = fields.Html(string="What was done", compute="_compute_done")
    request_key = fields.Char(readonly=True, copy=False)

    _sql_constraints = [
        ("request_unique", "UNIQUE (request_key)", "This change has been recorded already."),
    ]

    @api.depends("kind", "partner_id", "date")
    def _compute_display_name(self):
        for change in self:
            change.display_name = f"{change._kind_label()}: {change.partner_id.display_name}, {change.date}"

    @api.depends("steps")
    def _compute_done(self):
        for change in self:
            change.done = self._as_html(change.steps or [])

    # ------------------------------------------------------------------ actions

    @api.model
    def preview(self, kind, values):
        """What a change would do, in words; nothing is done. Role: enrollment officer.

        :param kind: "split", "merge", "death", "head" or "move"
        :param values: household_id, person_id (who died), member_ids (who leaves), other_household_id (whose members
            come over), new_head_id, staying_head_id, household_name (of the new one), area_id, street, city, zip, date
            ("2026-01-31"), reason, document; as far as the kind needs them. Records by their ids
        :return: {"steps": [sentence, …], "fingerprint": to give to `carry_out`}
        """
        self._check_officer()
        plan = self._given(kind, values)
        steps = plan._plan()
        return {"steps": [step["text"] for step in steps], "fingerprint": plan._fingerprint(steps)}

    @api.model
    def carry_out(self, kind, values, request_key, fingerprint=None):
        """Do what `preview` says, all of it or nothing, and record it. Role: enrollment officer.

        :param kind, values: as for `preview`
        :param request_key: chosen by the caller; a call that is repeated with it does nothing and answers the same
        :param fingerprint: what `preview` gave; if anything would be done differently now, it is refused
        :return: id of the change (spp.household.change)
        """
        self._check_officer()
        key = (request_key or "").strip()
        if not key:
            raise UserError(_("A household change needs a request key."))
        plan = self._given(kind, values)
        # sudo: the key is unique among all changes, also among those that this user may not see.
        known = self.sudo().search([("request_key", "=", key)]).sudo(False)
        if known:
            known.check_access_rule("read")
            if (known.kind, known.partner_id) != (plan.kind, plan._registrant()):
                raise UserError(_("The request key %s was used before, for another change.", key))
            return known.id
        plan._lock_registrants()
        plan = self._given(kind, values)  # as things are now
        steps = plan._plan()
        if fingerprint and fingerprint != plan._fingerprint(steps):
            raise UserError(
                _(
                    "%s has changed since you looked: what you were shown no longer holds. Nothing was done; look again.",
                    plan._registrant().display_name,
                )
            )
        change = plan._record(key, steps)
        for step in steps:
            if step["do"]:
                getattr(change, f"_do_{step['do']}")(step)
        change.env.flush_all()
        self.env["spp.audit.entry"]._log(
            f"Household change: {change._kind_label()}",
            change.partner_id,
            new={"change": change.id, "date": str(change.date), "document": change.document or ""},
            note=change.reason,
        )
        return change.id

    def action_open_registrant(self):
        self.ensure_one()
        return self.partner_id.get_formview_action()

    # ------------------------------------------------------------------ steps

    def _do_found(self, step):
        household = self.household_id
        kept = {name: household[name] for name in ("street", "city", "zip")}
        values = {
            **kept,
            "is_registrant": True,
            "is_group": True,
            "name": step["name"],
            "area_id": household.area_id.id,
            "company_id": household.company_id.id,
            "group_kind_id": household.group_kind_id.id,
            "registration_date": self.date,
            **step["place"],
        }
        founded = self.env["res.partner"].create(values)
        self.sudo().other_household_id = founded  # sudo: nobody writes a change but its own actions
        self._join(founded.id, step["people"], step["head"])

    def _do_join(self, step):
        self._join(step["household"], step["people"])

    def _do_leave(self, step):
        self.env["spp.group.membership"].browse(step["rows"]).write({"ended": self.date})

    def _do_head(self, step):
        """The head changes on the day: the rows of before end with their flag, so that the past stays as it was."""
        rows = self._rows(self.env["res.partner"].browse(step["household"]))
        for row in rows:
            is_head = row.individual_id.id == step["person"]
            if row.is_head == is_head:
                continue
            if row.start == self.date:
                row.is_head = is_head
                continue
            row.copy({"start": self.date, "is_head": is_head})
            row.ended = self.date

    def _do_status(self, step):
        self.env["res.partner"].browse(step["registrant"]).write(
            {"registrant_status": step["status"], "status_date": self.date, "status_reason": step["reason"]}
        )

    def _do_relocate(self, step):
        self.env["res.partner"].browse(step["registrants"]).write(step["place"])

    def _join(self, household_id, people, head=None):
        self.env["spp.group.membership"].create(
            [
                {
                    "group_id": household_id,
                    "individual_id": person_id,
                    "start": self.date,
                    "is_head": person_id == head,
                }
                for person_id in people
            ]
        )

    # ------------------------------------------------------------------ helpers

    @api.model
    def _given(self, kind, values):
        """The change that these plain values describe, not in the database."""
        if kind not in dict(self._fields["kind"].selection):
            raise UserError(_("There is no such change: %s.", kind))
        if unknown := set(values) - set(GIVEN):
            raise UserError(_("A household change has no %s.", ", ".join(sorted(unknown))))
        values = {**values, "kind": kind}
        members = self.env["res.partner"].browse(values.pop("member_ids", []))
        values["date"] = fields.Date.to_date(values.get("date")) or fields.Date.context_today(self)
        plan = self.new(values)
        plan.member_ids = members
        registrants = members
        for name in ("household_id", "person_id", "other_household_id", "new_head_id", "staying_head_id"):
            registrants |= plan[name]
        if len(registrants.exists()) != len(registrants):
            raise UserError(_("One of these registrants does not exist."))
        registrants.check_access_rights("read")
        registrants.check_access_rule("read")
        return plan

    def _record(self, key, steps):
        """The change in the database, as the user who makes it."""
        values = {
            name: self._fields[name].convert_to_write(self[name], self)
            for name in GIVEN
            if name != "member_ids"
        }
        moved = [person for step in steps for person in step.get("people", ())]
        return (
            self.sudo()  # sudo: nobody writes changes but this method; the role was checked
            .create(
                {
                    **values,
                    "kind": self.kind,
                    "member_ids": [(6, 0, moved)],
                    "partner_id": self._registrant().id,
                    "user_id": self.env.uid,
                    "steps": steps,
                    "request_key": key,
                }
            )
            .sudo(False)
        )

    def _kind_label(self):
        return dict(self._fields["kind"]._description_selection(self.env)).get(self.kind)

    def _check_officer(self):
        if not self.env.user.has_group("spp_base.group_enrollment_officer"):
            role = self.env.ref("spp_base.group_enrollment_officer").sudo().name
            raise AccessError(_("This needs the role %s.", role))

    def _lock_registrants(self):
        """One change at a time on a household and its people; who comes second is told at once.

        The rows are touched as well: a transaction that began before the first change was committed then meets a
        serialization error, is run again by Odoo, and sees the household as it is.
        """
        registrants = self._registrant() | self.household_id | self.other_household_id | self._leaving()
        if self.kind == "death":
            registrants |= self._rows(self.person_id, of="individual_id").group_id
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                "SELECT id FROM res_partner WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
                registrants.ids,
            )
        )
        free = {row[0] for row in self.env.cr.fetchall()}
        busy = registrants.filtered(lambda registrant: registrant.id not in free)
        if busy:
            raise UserError(
                _(
                    "%s is being changed by someone else at this moment. Try again when that has ended.",
                    ", ".join(busy.mapped("display_name")),
                )
            )
        self.env.cr.execute(
            SQL(
                "UPDATE res_partner SET write_date = %s, write_uid = %s WHERE id = ANY(%s)",
                self.env.cr.now(),
                self.env.uid,
                registrants.ids,
            )
        )
        self.env.invalidate_all()
