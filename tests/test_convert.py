"""The addons for Odoo 19.0 are made from those for 17.0: what changes, what is refused, what is left alone."""

import hashlib
import shutil
from pathlib import Path

import pytest

from scripts import convert, paths, series

pytestmark = pytest.mark.skipif(
    series.current().series == series.WRITTEN_FOR, reason="the conversion uses Odoo's own scripts, of 19.0"
)

PYTHON = {
    '{"version": "17.0.1.2.0"}': '{"version": "19.0.1.2.0"}',
    'user.groups_id = env["res.users"].groups_id': 'user.group_ids = env["res.users"].group_ids',
    'fields.Integer(group_operator="sum")': 'fields.Integer(aggregator="sum")',
    "fields.Char(index=True, unaccent=False)": "fields.Char(index=True)",
    'self.check_access_rights("read")\nself.check_access_rule("read")': 'self.check_access("read")',
    'model.check_access_rights("read", raise_exception=False)': 'model.has_access("read")',
    'view_mode = {"view_mode": "tree,form"}': 'view_mode = {"view_mode": "list,form"}',
    "self._cr.execute(query)": "self.env.cr.execute(query)",
}
XML = {
    " <tree>\n<field name='a'/>\n </tree>": " <list>\n<field name='a'/>\n </list>",
    "<field name='view_mode'>tree,form</field>": "<field name='view_mode'>list,form</field>",
    "<xpath expr='//tree/field' position='after'/>": "<xpath expr='//list/field' position='after'/>",
    "<record id='c' model='ir.cron'><field name='numbercall'>-1</field><field name='doall'/></record>": (
        "<record id='c' model='ir.cron'/>"
    ),
    "<field name='arch'><search><group expand='0' string='By'/></search></field>": (
        "<field name='arch'><search><group/></search></field>"
    ),
    "<t t-name='kanban-box'/>": "<t t-name='card'/>",
    "<form><div class='oe_chatter'><field name='message_ids'/></div></form>": "<form><chatter/></form>",
    "<record id='u' model='res.users'><field name='groups_id' eval='[]'/></record>": (
        "<record id='u' model='res.users'><field name='group_ids' eval='[]'/></record>"
    ),
    "<record id='g' model='res.groups'><field name='users' eval='[]'/></record>": (
        "<record id='g' model='res.groups'><field name='user_ids' eval='[]'/></record>"
    ),
    "<record id='k' model='ir.module.category'><field name='name'>Social</field></record>"
    "<record id='g' model='res.groups'><field name='category_id' ref='k'/></record>": (
        "<record id='k' model='ir.module.category'><field name='name'>Social</field></record>"
        "<record id='k_privilege' model='res.groups.privilege'><field name='name'>Social</field>"
        "<field name='category_id' ref='k'/></record>"
        "<record id='g' model='res.groups'><field name='privilege_id' ref='k_privilege'/></record>"
    ),
}
LEFT = {
    "a.py": "_sql_constraints = [('a', 'CHECK (x[1] > 0)', 'No')]",
    "b.py": 'if self.user_has_groups("base.group_user"):',
    "c.py": "from odoo.osv import expression",
    "d.py": 'views = [(False, kind) for kind in ("tree", "form")]',
    "e.py": "cron.method_direct_trigger()",
    "a.xml": "<odoo><field name='inherit_id' ref='base.default_user'/></odoo>",
    "b.xml": "<odoo><field name='target'>inline</field></odoo>",
    "c.xml": "<odoo><a><tree><field name='x'/></tree><tree/></a></odoo>",
    "a.js": 'const rpc = useService("rpc");',
}


@pytest.fixture
def source(tmp_path):
    """One addon, as it is written for 17.0."""
    folder = tmp_path / "source"
    (folder / "spp_x").mkdir(parents=True)
    (folder / "spp_x/__manifest__.py").write_text('{"version": "17.0.1.0.0"}\n')
    (folder / "spp_x/icon.png").write_bytes(b"\x89PNG")
    return folder


@pytest.fixture
def target(tmp_path):
    return tmp_path / "target"


@pytest.mark.parametrize("before", PYTHON)
def test_python_is_rewritten(before, source, target):
    (source / "spp_x/x.py").write_text(before)
    convert.convert(source, target)
    assert (target / "spp_x/x.py").read_text() == PYTHON[before]


def test_constraints_become_objects(source, target):
    (source / "spp_x/x.py").write_text(
        'class X(models.Model):\n    _sql_constraints = [("positive", "CHECK (a > 0)", "Too small.")]\n'
    )
    convert.convert(source, target)
    assert "_positive = models.Constraint(" in (target / "spp_x/x.py").read_text()


@pytest.mark.parametrize("before", XML)
def test_views_and_data_are_rewritten(before, source, target):
    (source / "spp_x/x.xml").write_text(f"<odoo>\n{before}\n</odoo>")
    convert.convert(source, target)
    after = (target / "spp_x/x.xml").read_text().replace('"', "'")
    assert f"<odoo>\n{XML[before]}\n</odoo>" in after


@pytest.mark.parametrize("name", LEFT)
def test_what_cannot_be_converted_is_named_with_its_line_and_nothing_is_written(name, source, target):
    convert.convert(source, target)
    before = contents(target)
    (source / "spp_x" / name).write_text(f"\n\n{LEFT[name]}\n")
    with pytest.raises(convert.Left, match=rf"spp_x/{name}:3: .*\(write "):
        convert.convert(source, target)
    assert contents(target) == before


def test_the_line_is_that_of_the_source_though_others_became_fewer(source, target):
    double = 'self.check_access_rights("read")\nself.check_access_rule("read")\n'
    (source / "spp_x/x.py").write_text(double * 3 + "from odoo.osv import expression\n")
    with pytest.raises(convert.Left, match="x.py:7: "):
        convert.convert(source, target)


def test_only_what_changed_is_converted_again(source, target):
    assert convert.convert(source, target) == 2
    assert convert.convert(source, target) == 0
    (source / "spp_x/icon.png").write_bytes(b"other")
    assert convert.convert(source, target) == 1
    assert (target / "spp_x/icon.png").read_bytes() == b"other"
    (source / "spp_x/icon.png").unlink()
    assert convert.convert(source, target) == 0
    assert not (target / "spp_x/icon.png").exists()


def test_a_conversion_that_was_interrupted_is_made_whole(source, target):
    convert.convert(source, target)
    (target / ".converted.json").unlink()
    (target / "spp_x/__manifest__.py").write_text("half of it")
    assert convert.convert(source, target) == 2
    assert (target / "spp_x/__manifest__.py").read_text() == '{"version": "19.0.1.0.0"}\n'


def test_our_addons_convert_and_neither_they_nor_odoo_are_written_to(target):
    from odoo.cli import upgrade_code

    odoo = Path(upgrade_code.__file__).parents[1]
    before = contents(paths.ADDONS), stamps(odoo)
    assert convert.convert(paths.ADDONS, target) > 300
    assert (contents(paths.ADDONS), stamps(odoo)) == before
    assert not list(target.rglob("*.orig"))
    shutil.rmtree(target)


def contents(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def stamps(folder):
    """Of Odoo's own files that could be taken for ours."""
    return {path: path.stat().st_mtime_ns for path in folder.glob("addons/[bw]*/**/*.[px]*")}
