"""Who may do what, asked of a running system over XML-RPC, and written as the tables of docs/roles.md.

Records: `check_access_rights` of every model, for every role. Fields: which of a model's fields a role does not have.
Methods: every public method of ours is called as every role, on a record that does not exist and with arguments
that mean nothing. The role is the first thing that a method looks at: whoever lacks it gets an access error, everybody
else hears about the record or the arguments, and nothing is changed.
"""

import ast
import functools
import xmlrpc.client

import odoo.models

from scripts import paths

PAGE = paths.ROOT / "docs" / "roles.md"
COMMAND = "SPP_WRITE_ROLES=1 ./spp test tests/test_role_matrix.py"
#: Logins of the main job, in the order of the columns, and what heads them.
COLUMNS = {
    "viewer": "Viewer",
    "auditor": "Auditor",
    "officer": "Officer",
    "manager": "Manager",
    "finance": "Finance",
    "approver": "Approver",
    "releaser": "Releaser",
    "administrator": "Admin",
}
OPERATIONS = {"read": "r", "write": "w", "create": "c", "unlink": "d"}
NOBODY = 2**31 - 7  # an id that no record has
#: Models whose methods refuse records that do not exist as they refuse those of others: they are called on none.
OF_MANY = ("spp.program.membership",)
REFUSED = (3, 4)  # XML-RPC fault codes of AccessDenied and AccessError
#: What is sent for an argument of this name; any other gets a word.
ARGUMENTS = {
    "values": {},
    "rows": [],
    "domain": [],
    "partner_ids": [],
    "partner_id": NOBODY,
    "set_aside_id": NOBODY,
    "entry_id": NOBODY,
    "date": "2026-11-21",
    "start": "2026-11-01",
    "end": "2026-11-30",
    "amount_str": "1.00",
    "text": "true",
    "target": "group",
    "decision": "enroll",
    "outcome": "paid",
    "choice": "ours",
    "cause": "died",
    "kind": "move",
}
HEAD = f"""# Who may do what

Eight roles, each for one kind of work; a person may hold several. Over XML-RPC, in a job and in the web client alike, the
same rights hold. These tables are what a running system answered, written by

    {COMMAND}

and compared with a running system by the same test, so that they stay true. What they cannot show holds as well: of people and
of whatever names one, a user sees those of the own areas and companies (`tests/test_limits.py`), and per record the one who
prepares, the one who approves and the one who releases differ (Programs ▸ Open Risks).

- `r` read, `w` write, `c` create, `d` delete. Roles that may nothing have an empty cell. *Write* does not reach states, amounts
  and signatures: those are set by methods only.
- ● may call the method. Whether it does something depends on the record, and is said in the refusal.
- ○ has the field. A field that everybody has who reads the record is not listed.
"""


@functools.cache
def sources():
    """Model → Source for every model that a file of ours speaks of, as that file has it."""
    found = {}
    for path in sorted(paths.ADDONS.glob("*/*/*.py")):
        if path.parent.name in ("models", "wizard"):
            _read(path, found)
    return found


@functools.cache
def of_ours():
    """Model → Source, as the sources have them: its public methods, and its fields that are not for everybody.

    Left out are abstract models, and methods that Odoo's own models have as well (create, write…), which ask for the
    rights on records.
    """
    known, common = sources(), set(dir(odoo.models.BaseModel))

    def whole(model):
        found = Source()
        for parent in sorted(known[model].parents & known.keys()):
            found.methods.update(whole(parent).methods)
            found.limited.update(whole(parent).limited)
        found.methods.update(known[model].methods)
        found.limited.update(known[model].limited)
        return found

    found = {model: whole(model) for model in sorted(known) if not known[model].abstract}
    for source in found.values():
        source.methods = {name: how for name, how in sorted(source.methods.items()) if name not in common}
    return {model: source for model, source in found.items() if model != "ir.module.module"}


class Source:
    """What the sources say about a model. `methods`: name → (is for the model as a whole, names of arguments)."""

    def __init__(self):
        self.methods, self.limited, self.parents, self.abstract = {}, set(), set(), False


def _read(path, sources):
    for node in ast.parse(path.read_text()).body:
        assigned = {
            part.targets[0].id: part.value
            for part in getattr(node, "body", ())
            if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name)
        }
        if not isinstance(node, ast.ClassDef) or not assigned.keys() & {"_name", "_inherit"}:
            continue
        names = {name: ast.literal_eval(assigned[name]) for name in ("_name", "_inherit") if name in assigned}
        inherited = names.get("_inherit", [])
        inherited = [inherited] if isinstance(inherited, str) else inherited
        model = names.get("_name") or inherited[0]
        source = sources.setdefault(model, Source())
        source.abstract |= "_name" in names and any(
            getattr(base, "attr", "") == "AbstractModel" for base in node.bases
        )
        source.parents |= set(inherited) - {model}
        source.limited |= {
            name
            for name, value in assigned.items()
            if isinstance(value, ast.Call) and any(keyword.arg == "groups" for keyword in value.keywords)
        }
        for part in node.body:
            if isinstance(part, ast.FunctionDef) and not part.name.startswith("_"):
                source.methods[part.name] = _how(part)


def _how(function):
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    names = [argument.arg for argument in function.args.args][1:]
    return "api.model" in decorators, names[: len(names) - len(function.args.defaults)]


def probe(sessions):
    """The answers of a system. `sessions`: a session for each login of COLUMNS."""
    answers = {}
    for model, source in of_ours().items():
        limited = sorted(source.limited)
        rights = {login: _rights(session, model) for login, session in sessions.items()}
        fields = {
            login: set(sessions[login](model, "fields_get", limited, ["type"]))
            for login in sessions
            if limited and "r" in rights[login]
        }
        answers[model] = {
            "records": rights,
            "fields": {
                name: [login for login, has in fields.items() if name in has]
                for name in limited
                if any(name not in has for has in fields.values())
            },
            "methods": {
                name: [login for login, session in sessions.items() if may_call(session, model, name, *how)]
                for name, how in source.methods.items()
            },
        }
    return answers


def _rights(session, model):
    return "".join(
        letter
        for operation, letter in OPERATIONS.items()
        if session(model, "check_access_rights", operation, raise_exception=False)
    )


def may_call(session, model, method, for_all, arguments):
    values = [ARGUMENTS.get(name, "matrix") for name in arguments]
    records = [] if for_all else [[]] if model in OF_MANY else [[NOBODY]]
    try:
        session(model, method, *records, *values)
    except xmlrpc.client.Fault as fault:
        return fault.faultCode not in REFUSED
    return True


def page(answers):
    """The text of docs/roles.md."""
    parts = [HEAD]
    for model, answer in answers.items():
        rows = []
        if model.startswith("spp.") or model == "res.partner":
            rows.append(["records", *(answer["records"][login] for login in COLUMNS)])
        for mark, kind in (("○", "fields"), ("●", "methods")):
            for name, logins in answer[kind].items():
                rows.append([f"`{name}`", *(mark if login in logins else "" for login in COLUMNS)])
        if rows:
            parts.append(f"## {model}\n\n{_table([model, *COLUMNS.values()], rows)}\n")
    return "\n".join(parts)


def _table(head, rows):
    lines = [["", *head[1:]], [":--", *[":-:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
