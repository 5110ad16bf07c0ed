"""What a household change does, worked out before it is done: the steps shown are the steps taken.

A plan is a list of steps, plain values that can be kept: `{"do": name of a _do_ method or "", "text": what the user
reads, **arguments}`. The wizard shows the texts; `spp.household.change` takes the steps. Addons add theirs by
extending `_plan`.
"""

import json
from hashlib import sha256

from markupsafe import Markup

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import format_date

ADDRESS = ("street", "city", "zip")
# kind: what must be given for it, besides the date and the reason
NEEDS = {
    "split": ("household_id", "member_ids", "new_head_id", "household_name"),
    "merge": ("household_id", "other_household_id"),
    "death": ("person_id",),
    "head": ("household_id", "new_head_id"),
    "move": ("household_id",),
}


def label(registrants):
    """Names in a sentence."""
    return "; ".join(registrants.mapped("display_name"))  # names have commas


class HouseholdChangePlan(models.AbstractModel):
    _name = "spp.household.change.plan"
    _description = "Plan of a household change"

    kind = fields.Selection(
        selection=[
            ("split", "Split"),
            ("merge", "Merge"),
            ("death", "Death"),
            ("head", "Change of head"),
            ("move", "Move"),
        ],
        required=True,
    )
    date = fields.Date(
        required=True, default=fields.Date.context_today,
        help="When it happened: the first day on which things are as they are now.",
    )  # fmt: skip
    household_id = fields.Many2one(
        comodel_name="res.partner", ondelete="restrict",
        domain="[('is_registrant', '=', True), ('is_group', '=', True)]",
    )  # fmt: skip
    person_id = fields.Many2one(
        comodel_name="res.partner", string="Who died", ondelete="restrict",
        domain="[('is_registrant', '=', True), ('is_group', '=', False)]",
    )  # fmt: skip
    member_ids = fields.Many2many(comodel_name="res.partner", string="Who leaves")
    other_household_id = fields.Many2one(
        comodel_name="res.partner", string="Other household", ondelete="restrict",
        domain="[('is_registrant', '=', True), ('is_group', '=', True), ('registrant_status', '=', 'active')]",
        help="Of a split, the household that came into being; of a merge, the one whose members come over.",
    )  # fmt: skip
    new_head_id = fields.Many2one(
        comodel_name="res.partner", string="New head", ondelete="restrict",
        help="Who stands for the household from that day on, and receives what it is paid.",
    )  # fmt: skip
    staying_head_id = fields.Many2one(
        comodel_name="res.partner", string="Head of those who stay", ondelete="restrict",
        help="Needed where the head is among those who leave.",
    )  # fmt: skip
    household_name = fields.Char(string="Name of the new household")
    area_id = fields.Many2one(comodel_name="spp.area", string="New area", ondelete="restrict")
    street = fields.Char()
    city = fields.Char()
    zip = fields.Char(string="Post code")
    reason = fields.Char(required=True, help="Kept with the change, and shown to whoever asks why.")
    document = fields.Char(help="The paper it rests on: a death certificate, a letter of the village head…")

    # ------------------------------------------------------------------ the plan

    def _plan(self):
        """The steps of this change, as the registry is now; an error where it cannot be done."""
        self._check_given()
        return getattr(self, f"_plan_{self.kind}")()

    def _plan_split(self):
        leaving, household = self._leaving(), self.household_id
        rows = self._rows(household)
        gone = rows.filtered(lambda row: row.individual_id in leaving)
        if strangers := leaving - gone.individual_id:
            raise UserError(
                _("%(people)s: not a member of %(household)s now.",
                  people=label(strangers), household=household.display_name)
            )  # fmt: skip
        staying = rows.individual_id - leaving
        if not staying:
            raise UserError(_("Nobody would stay in %s: record a move instead.", household.display_name))
        self._check_member(self.new_head_id, leaving)
        place = self._place()
        steps = [
            self._leave(gone),
            {
                "do": "found",
                "name": self.household_name,
                "place": place,
                "people": leaving.ids,
                "head": self.new_head_id.id,
                "text": _(
                    "A new household, %(name)s, comes into being on %(date)s: %(people)s. Its head is %(head)s, who "
                    "receives what it is paid.",
                    name=self.household_name,
                    date=self._day(),
                    people=label(leaving),
                    head=self.new_head_id.display_name,
                ),
            },
        ]
        if place:
            steps.append(self._relocate(leaving, place))
        if gone.filtered("is_head"):
            self._check_new_head(self.staying_head_id, staying, household)
            steps.append(self._head_step(household, self.staying_head_id))
        return steps

    def _plan_merge(self):
        household, other = self.household_id, self.other_household_id
        if household == other:
            raise UserError(
                _("Choose two households: %s cannot be merged with itself.", household.display_name)
            )
        self._check_group(other)
        rows = self._rows(other)
        coming = rows.individual_id - self._rows(household).individual_id
        steps = [self._leave(rows)] if rows else []
        if coming:
            steps.append(
                {
                    "do": "join",
                    "household": household.id,
                    "people": coming.ids,
                    "text": _(
                        "%(people)s: members of %(household)s from %(date)s, whose head stays as it is.",
                        people=label(coming), household=household.display_name, date=self._day(),
                    ),
                }
            )  # fmt: skip
            place = {key: value for key, value in self._place_of(household).items() if value}
            if place and household.area_id != other.area_id:
                steps.append(self._relocate(coming, place))
        return [*steps, self._close(other, _("Merged into %s", household.display_name))]

    def _plan_death(self):
        person = self.person_id
        if person.is_group or not person.is_registrant:
            raise UserError(_("%s is not a registered individual.", person.display_name))
        if person.registrant_status == "deceased":
            raise UserError(_("The death of %s is recorded already.", person.display_name))
        rows = self._rows(person, of="individual_id")
        steps = [
            {
                "do": "status",
                "registrant": person.id,
                "status": "deceased",
                "reason": self.reason,
                "text": _("%(person)s: deceased on %(date)s.", person=person.display_name, date=self._day()),
            }
        ]
        if rows:
            steps.append(self._leave(rows))
        for row in rows:
            others = self._rows(row.group_id).individual_id - person
            if not others:
                steps.append(self._close(row.group_id, _("Its last member has died")))
            elif row.is_head:
                if self.new_head_id and self.new_head_id not in others and len(rows) > 1:
                    raise UserError(
                        _("%(person)s is also the head of %(household)s: change its head first.",
                          person=person.display_name, household=row.group_id.display_name)
                    )  # fmt: skip
                self._check_new_head(self.new_head_id, others, row.group_id)
                steps.append(self._head_step(row.group_id, self.new_head_id))
        return steps

    def _plan_head(self):
        rows = self._rows(self.household_id)
        self._check_new_head(self.new_head_id, rows.individual_id, self.household_id)
        if rows.filtered("is_head").individual_id == self.new_head_id:
            raise UserError(
                _("%(person)s is the head of %(household)s already.",
                  person=self.new_head_id.display_name, household=self.household_id.display_name)
            )  # fmt: skip
        return [self._head_step(self.household_id, self.new_head_id)]

    def _plan_move(self):
        place = {
            key: value
            for key, value in self._place().items()
            if value != self._place_of(self.household_id)[key]
        }
        if not place:
            raise UserError(_("Enter the new area or address of %s.", self.household_id.display_name))
        return [self._relocate(self.household_id | self._rows(self.household_id).individual_id, place)]

    # ------------------------------------------------------------------ steps

    def _leave(self, rows):
        texts = [
            _("%(people)s: no longer in %(household)s from %(date)s.",
              people=label(members.individual_id), household=group.display_name, date=self._day())
            for group, members in rows.grouped("group_id").items()
        ]  # fmt: skip
        for row in rows:
            self._check_starts(row)
        return {"do": "leave", "rows": sorted(rows.ids), "text": " ".join(texts)}

    def _head_step(self, household, person):
        return {
            "do": "head",
            "household": household.id,
            "person": person.id,
            "text": _(
                "%(person)s: head of %(household)s from %(date)s, and receives what the household is paid.",
                person=person.display_name, household=household.display_name, date=self._day(),
            ),
        }  # fmt: skip

    def _close(self, household, reason):
        return {
            "do": "status",
            "registrant": household.id,
            "status": "disabled",
            "reason": reason,
            "text": _(
                "%(household)s is closed: %(reason)s.", household=household.display_name, reason=reason
            ),
        }

    def _relocate(self, registrants, place):
        names = [
            self.env["spp.area"].browse(value).display_name if key == "area_id" else value
            for key, value in place.items()
            if value
        ]
        return {
            "do": "relocate",
            "registrants": registrants.ids,
            "place": place,
            "text": _("%(people)s: now at %(place)s.", people=label(registrants), place=", ".join(names) or "–"),
        }  # fmt: skip

    # ------------------------------------------------------------------ what it is about

    def _registrant(self):
        """The registrant that the change is recorded on."""
        return self.person_id if self.kind == "death" else self.household_id

    def _leaving(self):
        return self.env["res.partner"].browse(sorted(self.member_ids.ids))

    def _closed(self, steps):
        """Registrants that are over after these steps."""
        return self.env["res.partner"].browse(
            [step["registrant"] for step in steps if step["do"] == "status"]
        )

    def _rows(self, registrant, of="group_id"):
        """The memberships that last beyond the date of the change; all of them, or an error."""
        domain = [(of, "=", registrant.id), "|", ("ended", "=", False), ("ended", ">", self.date)]
        rows = self.env["spp.group.membership"].search(domain, order="id")
        # sudo: only to know that there are others; who is limited to areas must not change half a household.
        if len(rows) != self.env["spp.group.membership"].sudo().search_count(domain):
            raise AccessError(
                _(
                    "%s: some of its members are registered in areas that you may not see. Somebody who sees them all "
                    "records this change.",
                    registrant.display_name,
                )
            )
        return rows

    def _place(self):
        """Area and address given with the change."""
        given = {"area_id": self.area_id.id, **{key: self[key] for key in ADDRESS}}
        return {key: value for key, value in given.items() if value}

    def _place_of(self, registrant):
        return {"area_id": registrant.area_id.id, **{key: registrant[key] for key in ADDRESS}}

    def _day(self):
        return format_date(self.env, self.date)

    def _fingerprint(self, steps):
        """The same for the same steps: what was shown is what is done, or nothing is."""
        return sha256(json.dumps(steps, sort_keys=True, default=str).encode()).hexdigest()

    @api.model
    def _as_html(self, steps):
        items = Markup("").join(Markup("<li>%s</li>") % step["text"] for step in steps)
        return items and Markup("<ul class='mb-0'>%s</ul>") % items

    # ------------------------------------------------------------------ checks

    def _check_given(self):
        missing = [
            self._fields[name]._description_string(self.env)
            for name in ("date", "reason", *NEEDS[self.kind])
            if not self[name] or (isinstance(self[name], str) and not self[name].strip())
        ]
        if missing:
            raise UserError(_("Still to be given: %s.", ", ".join(missing)))
        if self.date > fields.Date.context_today(self):
            raise UserError(_("A change is recorded once it has happened; this date lies in the future."))
        if self.kind != "death":
            self._check_group(self.household_id)

    def _check_group(self, household):
        if not household.is_group or not household.is_registrant:
            raise UserError(_("%s is not a registered household or group.", household.display_name))
        if household.registrant_status != "active":
            raise UserError(_("%s is closed or disabled.", household.display_name))

    def _check_member(self, person, members):
        if person not in members:
            raise UserError(
                _("%(person)s cannot be the head: not among %(people)s.",
                  person=person.display_name, people=label(members))
            )  # fmt: skip
        if person.registrant_status == "deceased":
            raise UserError(_("%s has died and cannot be the head.", person.display_name))

    def _check_new_head(self, person, members, household):
        if not person:
            raise UserError(_("Name who is the head of %s from now on.", household.display_name))
        self._check_member(person, members)
        for row in self._rows(household).filtered(lambda row: row.is_head or row.individual_id == person):
            self._check_starts(row)

    def _check_starts(self, row):
        if row.start and row.start > self.date:
            raise UserError(
                _(
                    "%(membership)s only since %(start)s: the change cannot be dated %(date)s.",
                    membership=row.display_name,
                    start=format_date(self.env, row.start),
                    date=self._day(),
                )
            )
