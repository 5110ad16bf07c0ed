"""Turns the addons, written for Odoo 17.0, into the same addons for Odoo 19.0.

One file at a time: Odoo's own scripts first (`odoo upgrade_code`, on a copy), then the tables below,
then a search for what is known to be wrong on 19.0 and left over. TARGET keeps the hash of each source,
so that only what changed is converted again. docs/porting.md says how to write so that this suffices.
"""

import contextlib
import difflib
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import odoo_server, paths
from .steps import Failed

#: Scripts of `odoo/upgrade_code` that do their job on our sources.
ODOO_SCRIPTS = (
    "17.5-01-tree-to-list",
    "18.1-00-sql-constraint",
    "18.1-02-route-jsonrpc",
    "18.5-00-deprecated-properties",
)

#: Python: pattern, what takes its place. In this order.
PYTHON = (
    (r'("version": ")17\.0\.', r"\g<1>19.0."),
    (r"\bgroups_id\b", "group_ids"),
    (r"\bgroup_operator=", "aggregator="),
    (r", unaccent=False\b|\bunaccent=False, ", ""),
    # How booleans are asked for: an index on a condition serves those that are written like its own.
    (r"\b(is_\w+) IS NULL OR \1 = false\b", r"\1 IS NOT TRUE"),
    (r"\b(is_\w+) = true\b", r"\1 IS TRUE"),
    # Tests whose new cursors share the test's.
    (r"\bself\.registry\.in_test_mode\(\)", "self._registry_patched"),
    (
        r"\bself\.registry\.enter_test_mode\(self\.cr\)",
        "self.registry_enter_test_mode(register_cleanup=False)",
    ),
    (r"\bself\.registry\.leave_test_mode\b", "self.registry_leave_test_mode"),
    # The rights of the model and the rules of its records are one check since 18.0.
    (r"\.check_access_rights\(([^(),]+), raise_exception=False\)", r".has_access(\1)"),
    (r"\.check_access_(?:rights|rule)\(", ".check_access("),
    (r"(?m)^( *)(.+\.check_access\(.+\))\n\1\2$", r"\1\2"),
)


def _privilege(field):
    """A group's category becomes a privilege in that category, with the category's own name."""
    category = field.get("ref")
    privilege, groups = f"{category}_privilege", field.getparent()
    field.set("name", "privilege_id")
    field.set("ref", privilege)
    root = field.getroottree().getroot()
    name = root.find(f".//record[@id='{category}']/field[@name='name']")
    if name is not None and root.find(f".//record[@id='{privilege}']") is None:
        record = groups.makeelement("record", id=privilege, model="res.groups.privilege")
        record.append(record.makeelement("field", name="name"))
        record[0].text = name.text
        record.append(record.makeelement("field", name="category_id", ref=category))
        groups.addprevious(record)


def _rename(name):
    return lambda element: element.set("name", name)


def _remove(element):
    element.getparent().remove(element)


def _plain(element):
    for name in ("expand", "string"):
        element.attrib.pop(name, None)


def _card(element):
    element.set("t-name", {"kanban-box": "card", "kanban-menu": "menu"}[element.get("t-name")])


def _chatter(element):
    element.tag = "chatter"
    element.attrib.clear()
    del element[:]


#: XML: XPath, what is done to each element that it finds.
XML = (
    ("//record[@model='ir.cron']/field[@name='numbercall' or @name='doall']", _remove),
    ("//record[@model='res.groups']/field[@name='category_id']", _privilege),
    ("//record[@model='res.groups']/field[@name='users']", _rename("user_ids")),
    ("//field[@name='groups_id']", _rename("group_ids")),
    ("//field[@name='arch']//group[@expand]", _plain),
    ("//t[@t-name='kanban-box' or @t-name='kanban-menu']", _card),
    ("//div[contains(concat(' ', @class, ' '), ' oe_chatter ')]", _chatter),
)

ONE_TREE_A_LINE = "one indented <tree> or </tree> a line, as Odoo's own views do"

#: What must not be left: kind of file, pattern, what to write instead.
LEFT = (
    (".py", r"\b_sql_constraints\b", "literal tuples without ] in them; read no _sql_constraints"),
    (".py", r"\.check_access_(rights|rule)\b", "a plain call with one argument"),
    (".py", r"\buser_has_groups\b", "self.env.user.has_group, one group a call"),
    (".py", r"\bodoo\.osv\b.*\bimport\b|\bimport\b.*\bosv\b", "domains as lists"),
    (".py", r"[\"']tree[\"']", "tests that ask views by their place, or `form` and `search` only"),
    (".py", r"\bmethod_direct_trigger\b", "cron.ir_actions_server_id.run()"),
    (".py", r"type=[\"']json[\"']", "the route in a file under controllers/, a comma after the type"),
    (".py", r"self\._(cr|uid|context)\b", "self.env.cr, self.env.uid, self.env.context"),
    (".xml", r"</?tree\b|//tree\b|[\"'/,]tree[\"'/,\[]|>tree[<,]|,tree<", ONE_TREE_A_LINE),
    (".xml", r"base\.default_user", "no reference to it: it is gone"),
    (".xml", r">inline<", "an action without a target"),
    (".xml", r"kanban_getcolor|kanban_color", "highlight_color of the kanban"),
    (".js", r"useService\(\"rpc\"\)|this\.rpc\(", "orm of useService"),
    (".js", r"web_tour/tour_service", "no tour: scripts/browser.py drives the browser"),
)  # fmt: skip


class Left(Exception):
    """Something that cannot be converted: a list of "file:line: what to write instead"."""


def build(odoo):
    """Bring our addons for this Odoo up to their sources. Returns how many files were converted.

    In a process of its own, because it uses Odoo.
    """
    command = [sys.executable, "-m", "scripts.convert", str(odoo.addons)]
    environment = odoo_server.environment(odoo, "postgres")
    result = subprocess.run(command, capture_output=True, text=True, cwd=paths.ROOT, env=environment)
    if result.returncode:
        raise Failed(
            f"The addons could not be converted for Odoo {odoo.series}:\n{result.stderr.strip()}",
            "docs/porting.md says how to write so that they can",
        )
    return int(result.stdout)


def convert(source, target):
    """Bring `target` up to the addons in `source`; returns how many files were converted.

    `target` is written only when every file could be converted (else `Left`).
    """
    known = target / ".converted.json"
    had = json.loads(known.read_text()) if known.exists() else {}
    want = {str(path.relative_to(source)): _hash(path) for path in _files(source)}
    want[""] = hashlib.sha256(Path(__file__).read_bytes() + _scripts()).hexdigest()
    if had.get("") != want[""]:
        shutil.rmtree(target, ignore_errors=True)
        had = {}
    changed = [name for name in want if name and had.get(name) != want[name]]
    target.mkdir(parents=True, exist_ok=True)
    if changed:
        with tempfile.TemporaryDirectory(dir=target.parent) as copy:
            for name in changed:
                _place(source / name, Path(copy) / name)
            _run_odoo_scripts(copy)
            left = [line for name in changed for line in _finish(source / name, Path(copy) / name, name)]
            if left:
                raise Left("\n".join(left))
            known.unlink(missing_ok=True)  # interrupted from here on, everything is converted again
            for name in changed:
                _place(Path(copy) / name, target / name)
    for name in had.keys() - want.keys():
        (target / name).unlink(missing_ok=True)
    known.write_text(json.dumps(want, indent=0))
    return len(changed)


def _files(source):
    return sorted(path for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _hash(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _place(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def _scripts():
    from odoo.cli import upgrade_code

    return b"".join((upgrade_code.UPGRADE / f"{name}.py").read_bytes() for name in ODOO_SCRIPTS)


def _run_odoo_scripts(folder):
    # Not as a command: that one also rewrites every folder of odoo.addons, which is Odoo itself.
    from odoo.cli import upgrade_code

    with contextlib.redirect_stdout(io.StringIO()):
        for name in ODOO_SCRIPTS:
            upgrade_code.migrate([folder], "**/*", script=name)


def _finish(source, path, name):
    """Apply our own tables to one file; returns what is left in it."""
    if path.suffix == ".py":
        text = path.read_text()
        for pattern, replacement in PYTHON:
            text = re.sub(pattern, replacement, text)
        path.write_text(text)
    elif path.suffix == ".xml":
        from lxml import etree

        try:
            _finish_xml(path)
        except etree.XMLSyntaxError as error:  # of the source, or of what Odoo's scripts made of it
            return [f"{name}:{error.lineno}: {error.msg}  (write {ONE_TREE_A_LINE})"]
    return list(_left(source, path, name))


def _finish_xml(path):
    from lxml import etree

    tree = etree.parse(path)
    before = etree.tostring(tree)
    for xpath, change in XML:
        for element in tree.xpath(xpath):
            change(element)
    if etree.tostring(tree) != before:
        tree.write(path, encoding="utf-8", xml_declaration=True)


def _left(source, path, name):
    patterns = [(pattern, instead) for suffix, pattern, instead in LEFT if suffix == path.suffix]
    if not patterns:
        return
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        for pattern, instead in patterns:
            if re.search(pattern, line):
                at = _line_in_source(source.read_text().splitlines(), lines, number)
                yield f"{name}:{at}: {line.strip()}  (write {instead})"


def _line_in_source(source, converted, number):
    """The line of the source, from 1, that became line `number` (from 0) of its conversion."""
    for _tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, source, converted, False).get_opcodes():
        if j1 <= number < j2:
            return min(i1 + number - j1, max(i2 - 1, i1)) + 1
    return 1


if __name__ == "__main__":
    try:
        print(convert(paths.ADDONS, Path(sys.argv[1])))
    except Left as left:
        sys.exit(str(left))
