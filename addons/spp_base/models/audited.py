"""Records whose every change by a person leaves an entry in the audit trail.

A model says which of its fields decide about eligibility, money, accounts or rights; the rest happens here::

    class Benefit(models.Model):
        _name = "spp.program.benefit"
        _inherit = ["spp.audited.mixin"]
        _audited_fields = ("name", "amount", "active")

One write of many records is one entry each, made together. What works on thousands of rows does so in SQL and
leaves one entry with its run.
"""

from odoo import _, api, models

MASK = "••••"


class AuditedMixin(models.AbstractModel):
    _name = "spp.audited.mixin"
    _description = "Changes leave an entry in the audit trail"

    _audited_fields = ()
    _audited_secrets = frozenset()  # of them, those of which the trail says only that they changed
    _audited_events = frozenset({"create", "write", "unlink"})
    _audit_other_partner = None  # the field with a second registrant whom a change concerns

    @api.model_create_multi
    def create(self, vals_list):
        records = super().create(vals_list)
        if "create" in self._audited_events:
            words = _("%s created", self._description)
            self._audit(
                [(record, words, None, record._audit_values(self._audited_fields)) for record in records]
            )
        return records

    def write(self, vals):
        names = [name for name in self._audited_fields if name in vals]
        if not names or "write" not in self._audited_events:
            return super().write(vals)
        before = {record: record._audit_values(names) for record in self}
        raw = {record: record._audit_raw(names) for record in self}
        result = super().write(vals)
        words = _("%s changed", self._description)
        changes = []
        for record, old in before.items():
            new, values = record._audit_values(names), record._audit_raw(names)
            differ = [name for name in names if raw[record][name] != values[name]]
            if differ:
                labels = [record._audit_label(name) for name in differ]
                changes.append(
                    (record, words, {key: old[key] for key in labels}, {key: new[key] for key in labels})
                )
        self._audit(changes)
        return result

    def unlink(self):
        words = _("%s deleted", self._description)
        entries = []
        if "unlink" in self._audited_events:
            entries = [(record, words, record._audit_values(self._audited_fields), None) for record in self]
        self._audit(entries)  # before: afterwards it has no name any more
        return super().unlink()

    def _audit_about(self):
        """The record that the entry is about: a part names the whole, a benefit its program."""
        return self

    def _audit(self, changes):
        """Log [(record, words, old, new)], all of them in one statement."""
        trail, entries = self.env["spp.audit.entry"], []
        for record, words, old, new in changes:
            # sudo: the name of what was changed is in the trail, whoever changed it.
            about = record.sudo()._audit_about()
            note = "" if about == record else record.sudo().display_name
            # sudo: whom else it concerns limits who reads it
            other = record.sudo()[record._audit_other_partner] if record._audit_other_partner else None
            about = about.with_env(record.env)
            entries.append(trail._values(words, about, old=old, new=new, note=note, other=other))
        # sudo: everybody leaves a trail, nobody writes one by hand
        trail.sudo().create(entries)

    def _audit_label(self, name):
        return self._fields[name]._description_string(self.env)

    def _audit_raw(self, names):
        """The values, to be compared."""
        # sudo: compared here, and shown by _audit_values as far as the trail may show them.
        record = self.sudo()
        return {name: record[name].ids if self._fields[name].relational else record[name] for name in names}

    def _audit_values(self, names):
        """{label: value as people read it}, JSON-serializable."""
        record = self.sudo()  # sudo: as above
        shown = {}
        for name in names:
            field, value = self._fields[name], record[name]
            if name in self._audited_secrets:
                value = MASK if value else None
            elif field.relational:
                value = ", ".join(value.mapped("display_name")) or None
            elif field.type == "selection":
                value = dict(field._description_selection(self.env)).get(value)
            elif field.type in ("date", "datetime"):
                value = str(value) if value else None
            elif field.type not in ("boolean", "integer", "float", "monetary", "json"):
                value = value or None
            shown[self._audit_label(name)] = value
        return shown
