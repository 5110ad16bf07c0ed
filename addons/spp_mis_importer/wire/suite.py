"""The registry of another instance of this suite, read over its JSON-RPC: all that a registrant has here.

The login needs the roles Auditor (documents) and Finance Officer (whole account numbers) there, and no area of its own.
"""

from .jsonrpc import Child, JsonRpcReader, _number

# States of program memberships, as the other registries name them.
STATES = {
    "candidate": "draft",
    "suspended": "paused",
    "graduated": "exited",
    "ineligible": "not_eligible",
    "duplicate": "duplicated",
}


# Facts that an import wrote there: of programs in yet another registry.
OF_OTHERS = ("program_elsewhere", "program_information")


class SuiteReader(JsonRpcReader):
    common = (
        "name", "email", "street", "street2", "city", "zip", "registration_date", "area_id", "income",
        "vulnerability_score", "registrant_status", "status_date", "status_reason", "write_date",
    )  # fmt: skip
    only = {
        "individual": (
            "family_name", "given_name", "additional_name", "gender", "birthdate", "birthdate_exact", "birth_place",
        ),
        "group": ("group_kind_id",),
    }  # fmt: skip
    children = {
        "spp.identity.document": Child(
            "partner_id", ("type_id", "value", "expiry_date"), where=(("state", "!=", "withdrawn"),)
        ),
        "spp.phone.number": Child("partner_id", ("number", "date_collected", "ended")),
        "spp.payment.account": Child(
            "partner_id",
            ("kind", "provider_id", "number", "holder", "is_primary"),
            where=(("state", "=", "active"),),
        ),
        "spp.program.membership": Child(
            "partner_id", ("program_id", "state", "state_date", "enrolled_on"), optional=True
        ),
        "spp.event": Child(
            "partner_id", ("kind", "date", "value"), where=(("kind", "not in", OF_OTHERS),), optional=True
        ),
        "spp.group.membership": Child(
            "group_id", ("individual_id", "role_ids", "is_head", "start", "ended"), of_groups=True
        ),
    }
    catalogues = {
        "spp.identity.type": ["name"],
        "spp.group.kind": ["name"],
        "spp.membership.role": ["name"],
        "spp.area": ["code"],
        "res.bank": ["name", "bic"],
        "spp.program": ["name"],
    }

    def _translate(self, row, belonging):
        row["address"] = row.pop("street")
        row["area"] = self._name("spp.area", row.pop("area_id"), "code")
        status, date = row.pop("registrant_status"), row.pop("status_date")
        row["disabled"] = date if status == "disabled" else False
        row["deceased"] = date if status == "deceased" else False
        if "group_kind_id" in row:
            row["kind"] = self._name("spp.group.kind", row.pop("group_kind_id"))
        row["ids"] = [
            {**one, "id_type": self._name("spp.identity.type", one["type_id"])}
            for one in belonging["spp.identity.document"]
        ]
        row["phone_numbers"] = belonging["spp.phone.number"]
        accounts = sorted(belonging["spp.payment.account"], key=lambda one: not one["is_primary"])
        row["bank_ids"] = [
            {
                **one,
                "bank_name": self._name("res.bank", one["provider_id"]),
                "bic": self._name("res.bank", one["provider_id"], "bic"),
            }
            for one in accounts
        ]
        row["program_membership_ids"] = [
            {
                "program_id": _number(one["program_id"]),
                "program_name": self._name("spp.program", one["program_id"]),
                "state": STATES.get(one["state"], one["state"]),
                "enrollment_date": one["enrolled_on"] or one["state_date"],
            }
            for one in belonging["spp.program.membership"]
        ]
        row["events"] = belonging["spp.event"]
        if "spp.group.membership" in belonging:
            row["members"] = [
                {
                    **one,
                    "group": row["id"],
                    "individual": dict(zip(("id", "name"), one["individual_id"], strict=True)),
                    "roles": [self._name("spp.membership.role", role) for role in one["role_ids"]],
                }
                for one in belonging["spp.group.membership"]
            ]

    def _name(self, model, many2one, name="name"):
        """A value of a row of a short list; empty where there is none."""
        return self._list(model).get(_number(many2one), {}).get(name)
