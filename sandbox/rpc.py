"""Just enough of Odoo's ORM to answer `call_kw` from rows in memory: domains, order, limits, Odoo's way of saying empty.

>>> tables.call("res.partner", "search_read", [[["is_group", "=", True]], ["name"]], {"limit": 2, "order": "id"})
[{"id": 7, "name": "Abada household 01"}, …]
"""

import operator
from bisect import bisect
from itertools import islice

# Field → type; of relations, the other model, and of one2many the field that points back. Stamps are kept in
# microseconds and compared so, but told in seconds: the trap of keyset paging on write_date is there.
STAMPS = {"id": "integer", "display_name": "char", "create_date": "datetime", "write_date": "datetime"}
CATALOGUE = {**STAMPS, "name": "char"}
MODELS = {
    "res.partner": {
        **CATALOGUE,
        "active": "boolean",
        "is_registrant": "boolean",
        "is_group": "boolean",
        "kind": "many2one:g2p.group.kind",
        "is_partial_group": "boolean",
        "registration_date": "date",
        "email": "char",
        "address": "text",
        "family_name": "char",
        "given_name": "char",
        "addl_name": "char",
        "gender": "char",
        "birthdate": "date",
        "birthdate_not_exact": "boolean",
        "birth_place": "char",
        "disabled": "datetime",
        "reg_ids": "one2many:g2p.reg.id:partner_id",
        "phone_number_ids": "one2many:g2p.phone.number:partner_id",
        "bank_ids": "one2many:res.partner.bank:partner_id",
        "group_membership_ids": "one2many:g2p.group.membership:group",
        "individual_membership_ids": "one2many:g2p.group.membership:individual",
    },
    "g2p.group.membership": {
        **STAMPS,
        "group": "many2one:res.partner",
        "individual": "many2one:res.partner",
        "kind": "many2many:g2p.group.membership.kind",
        "start_date": "datetime",
        "ended_date": "datetime",
        "status": "char",
        "is_ended": "boolean",
    },
    "g2p.reg.id": {
        **STAMPS,
        "partner_id": "many2one:res.partner",
        "id_type": "many2one:g2p.id.type",
        "value": "char",
        "expiry_date": "date",
        "status": "char",
    },
    "g2p.phone.number": {
        **STAMPS,
        "partner_id": "many2one:res.partner",
        "phone_no": "char",
        "phone_sanitized": "char",
        "date_collected": "date",
        "disabled": "datetime",
    },
    "res.partner.bank": {
        **STAMPS,
        "partner_id": "many2one:res.partner",
        "bank_id": "many2one:res.bank",
        "acc_number": "char",
    },
    "res.bank": {**CATALOGUE, "bic": "char"},
    "g2p.id.type": CATALOGUE,
    "g2p.group.kind": CATALOGUE,
    "g2p.group.membership.kind": CATALOGUE,
}
REQUIRED = {
    "res.partner": ("name", "is_group"),
    "g2p.group.membership": ("group", "individual", "kind"),
    "g2p.reg.id": ("partner_id", "id_type"),
    "g2p.phone.number": ("partner_id", "phone_no"),
    "res.partner.bank": ("partner_id", "acc_number"),
    "res.bank": ("name",),
    "g2p.id.type": ("name",),
    "g2p.group.kind": ("name",),
    "g2p.group.membership.kind": ("name",),
}
LABELS = {
    "g2p.reg.id": lambda row: row.get("value"),
    "g2p.phone.number": lambda row: row["phone_no"],
    "res.partner.bank": lambda row: row["acc_number"],
    "g2p.group.membership": lambda row: "NEW",
}
ORDERS = {
    "res.partner": "name, id desc",
    "res.partner.bank": "id",
    "res.bank": "name, id",
}  # the others: newest first
RECORDED = "2026-11-21T01:17:49.602002"  # the stamp of rows whose own the registry API does not tell
COMPUTED = {
    "create_date": lambda row: row.get("create_date", RECORDED),
    "write_date": lambda row: row.get("write_date", RECORDED),
    "is_registrant": lambda row: True,
    "active": lambda row: row.get("active", True),
    "is_ended": lambda row: bool(row.get("ended_date")),
    "status": lambda row: ("inactive" if row.get("ended_date") else "active") if "group" in row else None,
    "phone_sanitized": lambda row: row.get("phone_sanitized") or row["phone_no"],
}
TRUE = (1, "=", 1)
COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
MANY = ("one2many", "many2many")


class OdooError(Exception):
    """An error as Odoo's JSON-RPC tells it: HTTP 200 with this inside."""

    def __init__(self, name, message, code=200, title="Odoo Server Error"):
        super().__init__(message)
        self._told = (name, message, code, title)

    def envelope(self):
        name, message, code, title = self._told
        data = {"name": name, "debug": "Traceback (most recent call last): …", "message": message}
        return {"code": code, "message": title, "data": {**data, "arguments": [message], "context": {}}}


def value_error(message):
    return OdooError("builtins.ValueError", message)


class Tables(dict):
    """model → id → row. Rows hold ids for relations and leave empty fields out. Who changes rows calls `changed()`."""

    def __init__(self, *args):
        super().__init__(*args)
        self._indexes = {}

    def call(self, model, method, args, kwargs):
        """What `/web/dataset/call_kw` would return; raises OdooError."""
        if model not in self:
            raise OdooError("builtins.KeyError", f"'{model}'")
        parameters = {
            "search_read": ("domain", "fields", "offset", "limit", "order"),
            "search": ("domain", "offset", "limit", "order"),
            "search_count": ("domain", "limit"),
            "read": ("ids", "fields"),
            "fields_get": ("allfields", "attributes"),
        }.get(method)
        if parameters is None:
            if method in ("create", "write", "unlink"):
                reason = f"You are not allowed to modify '{model}' records."
                raise OdooError("odoo.exceptions.AccessError", reason)
            raise OdooError("builtins.AttributeError", f"The method '{model}.{method}' does not exist")
        given = dict(zip(parameters, args, strict=False)) | kwargs
        return getattr(self, f"_{method}")(model, given)

    def _search_read(self, model, given):
        show = self._shower(model, given.get("fields"), given.get("load", "_classic_read"))
        return [show(row) for row in self._found(model, given)]

    def _search(self, model, given):
        return [row["id"] for row in self._found(model, given)]

    def _search_count(self, model, given):
        return len(self._found(model, {**given, "order": "id"}))

    def _read(self, model, given):
        asked = given.get("ids") or []
        rows = [self[model].get(number) for number in ([asked] if isinstance(asked, int) else asked)]
        if None in rows:
            raise OdooError("odoo.exceptions.MissingError", "Record does not exist or has been deleted.")
        return list(map(self._shower(model, given.get("fields"), given.get("load", "_classic_read")), rows))

    def _fields_get(self, model, given):
        wanted = given.get("allfields") or MODELS[model]
        result = {}
        for name in wanted:
            if name in MODELS[model]:
                kind, *relation = MODELS[model][name].split(":")
                result[name] = {"type": kind, "string": name.replace("_", " ").title(), "name": name}
                result[name].update(zip(("relation", "relation_field"), relation, strict=False))
        return result

    def children(self, model, link, number):
        """Ids of the rows that point to `number`, in the order of their model."""
        return sorted(
            (row["id"] for row in self[model].values() if row.get(link) == number),
            reverse=model not in ORDERS,
        )

    def ordered(self, model, order=None):
        rows = list(self[model].values())
        for part in reversed((order or ORDERS.get(model, "id desc")).split(",")):
            name, _space, direction = part.strip().partition(" ")
            down = direction.strip().lower() == "desc"
            # NULL last when ascending, first when descending, as in PostgreSQL
            get = self._getter(model, name)
            rows.sort(key=lambda row, get=get: _sort_key(get(row)), reverse=down)
        return rows

    def _found(self, model, given):
        domain = given.get("domain") or []
        context = given.get("context") or {}
        named = {leaf[0] for leaf in domain if not isinstance(leaf, str)}
        if "active" in MODELS[model] and "active" not in named and context.get("active_test", True):
            domain = ["&", ["active", "=", True], *_explicit(domain)] if domain else [["active", "=", True]]
        explicit = _explicit(domain)
        likely = self._likely(model, explicit, given.get("order"))
        rows = filter(self._predicate(model, explicit), likely)
        offset, limit = given.get("offset") or 0, given.get("limit")
        return list(islice(rows, offset, offset + limit if limit else None))

    def _likely(self, model, domain, order):
        """The rows in their order, fewer of them where an id or a link narrows them down."""
        if (order or "").split() not in (["id"], ["id", "asc"]):
            return self.ordered(model, order)
        floor = 0
        if "|" not in domain and "!" not in domain:
            for place, term in enumerate(domain):
                if isinstance(term, str):
                    continue
                name, sign, value = term
                if name == "id" and sign == ">":
                    floor = max(floor, value)
                elif sign == "in" and MODELS[model].get(name, "").startswith("many2one:"):
                    linked = self._linked(model, name)
                    domain[place] = TRUE  # for it holds for what is given now
                    numbers = sorted(number for one in set(value) for number in linked.get(one, ()))
                    return [self[model][number] for number in numbers]
        numbers = self._numbers(model)
        return (self[model][number] for number in numbers[bisect(numbers, floor) :])

    def _numbers(self, model):
        if model not in self._indexes:
            self._indexes[model] = sorted(self[model])
        return self._indexes[model]

    def _linked(self, model, link):
        if (model, link) not in self._indexes:
            linked = self._indexes[model, link] = {}
            for row in self[model].values():
                linked.setdefault(row.get(link), []).append(row["id"])
        return self._indexes[model, link]

    def changed(self):
        """Rows came, went or changed: forget what was looked up."""
        self._indexes.clear()

    def _predicate(self, model, domain):
        """A function that tells whether a row matches. It is made once for all rows.

        :param domain: with its & written out
        """
        stack = []
        for term in reversed(domain):
            if term in ("&", "|"):
                stack.append(
                    _both(stack.pop(), stack.pop()) if term == "&" else _either(stack.pop(), stack.pop())
                )
            elif term == "!":
                stack.append(_neither(stack.pop()))
            elif term is not TRUE:
                stack.append(self._leaf(model, *term))
            else:
                stack.append(None)
        return stack[0] if stack else None

    def _leaf(self, model, path, sign, value):
        name, _dot, rest = path.partition(".")
        kind, *relation = self._type(model, name).split(":")
        get = self._getter(model, name)
        if rest:
            there = self._leaf(relation[0], rest, sign, value)
            others = get if kind in MANY else lambda row: [one] if (one := get(row)) else []
            return lambda row: any(there(self[relation[0]][other]) for other in others(row))
        if kind in MANY:
            asked = set(value if isinstance(value, list) else [value] if value else [])
            wanted = sign in ("=", "in")
            return lambda row: (bool(asked.intersection(get(row))) if asked else not get(row)) == wanted
        if kind == "datetime" and isinstance(value, str):
            value = value.replace("T", " ")
        if sign in ("in", "not in") and kind != "boolean":
            value = frozenset(value)
        compare = _comparison(sign, value, kind == "boolean")
        return lambda row: compare(get(row))

    def _type(self, model, name):
        if name not in MODELS[model]:
            raise value_error(f"Invalid field '{name}' on model '{model}'")
        return MODELS[model][name]

    def _getter(self, model, name):
        """A function that gives a row's value: None when empty, ids for relations, stamps to the microsecond."""
        kind, *relation = self._type(model, name).split(":")
        if kind == "one2many":
            return lambda row: self.children(*relation, row["id"])
        if name == "display_name":
            return LABELS.get(model, operator.itemgetter("name"))
        get = COMPUTED.get(name) or (lambda row: row.get(name))
        if kind == "many2many":
            return lambda row: get(row) or []
        if kind == "boolean":
            return lambda row: bool(get(row))
        if kind == "datetime":
            return lambda row: (value := get(row)) and value.replace("T", " ")
        return get

    def _shower(self, model, names, load):
        """A function that shows a row as `read` does; it is made once for all rows."""
        shown = [("id", operator.itemgetter("id"))]
        for name in names or MODELS[model]:
            kind, *relation = self._type(model, name).split(":")
            get = self._getter(model, name)
            if kind == "many2one" and load == "_classic_read":
                get = self._labelled(get, relation[0])
            elif kind == "datetime":
                get = _to_the_second(get)
            shown.append((name, get))
        # Odoo says false for what is empty; not for a number or a list, which are told as they are
        return lambda row: {name: False if (value := get(row)) is None else value for name, get in shown}

    def _labelled(self, get, other):
        label = self._getter(other, "display_name")
        return lambda row: (number := get(row)) and [number, label(self[other][number])]


def _to_the_second(get):
    return lambda row: (value := get(row)) and value[:19]


def _both(one, other):
    if one is None or other is None:
        return other or one
    return lambda row: one(row) and other(row)


def _either(one, other):
    if one is None or other is None:
        return None
    return lambda row: one(row) or other(row)


def _neither(one):
    return (lambda row: not one(row)) if one else lambda row: False


def _explicit(domain):
    """The domain with its implied & written out."""
    missing = -1
    for term in domain:
        if term in ("&", "|"):
            missing -= 1
        elif term == "!":
            continue
        elif not isinstance(term, list | tuple) or len(term) != 3:
            raise value_error(f"Invalid leaf {term!r}")
        else:
            missing += 1
    return ["&"] * missing + list(domain)


def _comparison(sign, value, boolean):
    """A function of a row's value."""
    if sign in ("=", "!="):
        wanted = sign == "="
        if boolean:
            return lambda raw: (bool(raw) == bool(value)) == wanted
        empty = value in (None, False)
        return lambda raw: (raw == value or (raw is None and empty)) == wanted
    if sign in ("in", "not in"):
        wanted = sign == "in"
        if boolean:
            asked = {bool(one) for one in value}
            return lambda raw: (bool(raw) in asked) == wanted
        empty = None in value or False in value
        return lambda raw: (raw in value if raw is not None else empty) == wanted
    if sign in COMPARE:
        compare = COMPARE[sign]
        return lambda raw: raw is not None and compare(raw, value)
    if sign in ("like", "ilike"):
        part = str(value)
        if sign == "ilike":
            return lambda raw: part.lower() in str(raw or "").lower()
        return lambda raw: part in str(raw or "")
    raise value_error(f"Invalid operator {sign!r}")


def _sort_key(raw):
    return (raw is None, 0 if raw is None else raw)
