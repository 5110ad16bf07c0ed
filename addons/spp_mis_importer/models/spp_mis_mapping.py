"""What the names of a source mean here: document types, kinds of group, roles, genders, banks, programs, areas,
kinds of event."""

import re

from psycopg2.errors import UniqueViolation

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import SQL

from odoo.addons.queue_job.exception import RetryableJobError

# kind → the field that holds our side of it
TARGETS = {
    "id_type": "identity_type_id",
    "group_kind": "group_kind_id",
    "role": "role_id",
    "gender": "gender",
    "bank": "bank_id",
    "program": "program_id",
    "area": "area_id",
    "event": "event_kind_id",
}
NEVER_CREATED = ("program", "area")
GENDERS = {"f": "female", "female": "female", "m": "male", "male": "male", "other": "other"}


class Unmapped(Exception):
    """A name of the source has no meaning here yet; `reason` tells which, and what to do."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class MisMapping(models.Model):
    _name = "spp.mis.mapping"
    _description = "Name at a Source MIS"
    _order = "source_id, kind, name, id"

    source_id = fields.Many2one(comodel_name="spp.mis.source", required=True, index=True, ondelete="cascade")
    kind = fields.Selection(
        selection=[
            ("id_type", "Document type"),
            ("group_kind", "Kind of group"),
            ("role", "Role in a group"),
            ("gender", "Gender"),
            ("bank", "Bank"),
            ("program", "Program"),
            ("area", "Area"),
            ("event", "Kind of event"),
        ],
        required=True,
    )
    name = fields.Char(string="Name at the Source", required=True)
    identity_type_id = fields.Many2one(
        comodel_name="spp.identity.type", string="Document Type", ondelete="restrict"
    )
    group_kind_id = fields.Many2one(
        comodel_name="spp.group.kind", string="Kind of Group", ondelete="restrict"
    )
    role_id = fields.Many2one(comodel_name="spp.membership.role", ondelete="restrict")
    gender = fields.Selection(selection=[("female", "Female"), ("male", "Male"), ("other", "Other")])
    bank_id = fields.Many2one(comodel_name="res.bank", ondelete="restrict")
    program_id = fields.Many2one(
        comodel_name="spp.program",
        ondelete="restrict",
        help="Whoever is in this program at the source becomes a candidate of ours.",
    )
    area_id = fields.Many2one(comodel_name="spp.area", ondelete="restrict")
    event_kind_id = fields.Many2one(
        comodel_name="spp.event.kind", string="Kind of Event", ondelete="restrict"
    )
    is_open = fields.Boolean(
        string="Open",
        compute="_compute_is_open",
        store=True,
        help="It has no meaning here yet. Records that use the name wait until somebody gives it one; "
        "but for programs: nobody waits for these.",
    )
    meaning = fields.Char(string="Here", compute="_compute_meaning")

    _sql_constraints = [
        ("name_unique", "UNIQUE (source_id, kind, name)", "This name of the source is listed already."),
    ]

    @api.depends("kind", *TARGETS.values())
    def _compute_is_open(self):
        for mapping in self:
            mapping.is_open = not (mapping.kind and mapping[TARGETS[mapping.kind]])

    @api.depends("kind", *TARGETS.values())
    def _compute_meaning(self):
        genders = dict(self._fields["gender"]._description_selection(self.env))
        for mapping in self:
            target = mapping.kind and mapping[TARGETS[mapping.kind]]
            mapping.meaning = (
                genders.get(target) if mapping.kind == "gender" else target and target.display_name
            )

    @api.constrains("kind", *TARGETS.values())
    def _check_target(self):
        for mapping in self:
            for kind, field in TARGETS.items():
                if mapping[field] and kind != mapping.kind:
                    raise ValidationError(
                        _("“%(name)s” cannot mean this: it is of another kind.", name=mapping.name)
                    )

    def write(self, vals):
        opened = self.filtered("is_open")
        result = super().write(vals)
        given = opened.filtered(lambda mapping: not mapping.is_open)
        given.source_id._names_settled()
        return result

    def _target(self):
        """Our side: an id, or for genders the value; empty while open."""
        target = self[TARGETS[self.kind]]
        return target if self.kind == "gender" else target.id

    def _in_program(self):
        """SQL of the registrants who are in this program of the source, or were proposed for it there."""
        return SQL(
            "SELECT partner_id FROM spp_event WHERE source = %s AND kind = %s AND value = ANY(%s)",
            self.source_id._code(),
            "program_elsewhere",
            [f"{self.name}: {state}" for state in ("draft", "enrolled", "paused")],
        )

    @api.model
    def _first_sight(self, source, kind, name, bic=None):
        """Make the mapping of a name that was not seen before.

        It means what has the same name here. Where nothing has, it is created, if the source is set so; a gender
        never is, and stays open for a person to decide.
        """
        if kind == "gender":
            target = GENDERS.get(name.strip().casefold(), False)
        else:
            target = self._same_here(kind, name, bic)
            if not target and source.unknown_catalogue == "create" and kind not in NEVER_CREATED:
                target = self._create_target(kind, name, bic)
            target = target.id
        return self.create({"source_id": source.id, "kind": kind, "name": name, TARGETS[kind]: target})

    def _same_here(self, kind, name, bic):
        model = self.env[self._fields[TARGETS[kind]].comodel_name].with_context(active_test=False)
        if kind == "bank" and bic and (bank := model.search([("bic", "=ilike", _literal(bic))], limit=1)):
            return bank
        same = kind != "area" and model.search([("name", "=ilike", _literal(name))], limit=1)
        if not same and kind != "bank":
            code = name if kind == "area" else _code(name)  # sources name areas by their codes
            same = model.search([("code", "=ilike", _literal(code))], limit=1)
        return same

    def _create_target(self, kind, name, bic):
        model = self.env[self._fields[TARGETS[kind]].comodel_name]
        if kind == "bank":
            return model.create({"name": name, "bic": bic or False})
        if kind == "event":  # known there by its code
            name = name.replace("_", " ").capitalize()
        try:
            with self.env.cr.savepoint():
                return model.create({"name": name, "code": _code(name)})
        except UniqueViolation as error:  # another source met the same name at this moment; then we find it
            raise RetryableJobError(_("Another import is adding “%s”, too.", name), seconds=5) from error


def _literal(text):
    """Text for =ilike that means itself."""
    return re.sub(r"([\\%_])", r"\\\1", text)


def _code(name):
    """A code made of a name.

    >>> _code("Social Security No.")
    'social_security_no'
    """
    return re.sub(r"\W+", "_", name.casefold()).strip("_") or "unnamed"
