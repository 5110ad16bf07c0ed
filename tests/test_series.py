"""Which Odoo runs: the one that was asked for, else 17.0, else 19.0, and it is said why."""

import functools

import pytest

from scripts import database, odoo_server, paths, series
from scripts.steps import Failed, NotToBeHad


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine with an empty cache, where nothing can be downloaded yet."""
    monkeypatch.delenv("ODOO_SRC", raising=False)
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    for name in series.SERIES:
        offer(monkeypatch, name, refuse)


def offer(monkeypatch, name, download):
    monkeypatch.setitem(series.SERIES, name, series.Series(functools.partial(download, name), ""))


def refuse(name, target):
    raise NotToBeHad(f"Odoo {name} is out of reach.", "do something")


def tree(name, folder, packages="", addons="odoo/addons"):
    """A folder that looks like Odoo, a source tree or the root of unpacked packages."""
    (folder / packages / addons / "web").mkdir(parents=True)
    (folder / packages / "odoo").mkdir(exist_ok=True)
    major, minor = name.split(".")
    (folder / packages / "odoo/release.py").write_text(f"version_info = ({major}, {minor}, 0)\n")
    return folder


def test_17_is_taken_where_it_can_be_had(monkeypatch):
    for name in series.SERIES:
        offer(monkeypatch, name, tree)
    odoo, where, why = series.choose()
    assert (odoo.series, why) == ("17.0", "")
    assert "downloaded" in where


def test_19_is_taken_where_17_cannot_be_had_and_it_is_said_why(monkeypatch):
    offer(monkeypatch, "19.0", tree)
    odoo, _where, why = series.choose()
    assert odoo.series == "19.0"
    assert why == "Odoo 17.0 is out of reach."


def test_what_is_on_the_machine_is_not_downloaded_again():
    tree("19.0", paths.CACHE / "odoo-19.0", packages="usr/lib/python3/dist-packages")
    odoo, where, why = series.choose()
    assert odoo.source == paths.CACHE / "odoo-19.0/usr/lib/python3/dist-packages"
    assert "downloaded" not in where
    assert "--series 17.0" in why


def test_the_series_asked_for_or_none():
    tree("19.0", paths.CACHE / "odoo-19.0")
    assert series.choose("19.0")[0].series == "19.0"
    with pytest.raises(NotToBeHad, match="17.0 is out of reach"):
        series.choose("17.0")


def test_a_machine_that_can_have_neither_is_told_both_reasons():
    with pytest.raises(NotToBeHad) as failure:
        series.choose()
    assert failure.value.what == "Odoo 17.0 is out of reach.\nOdoo 19.0 is out of reach."
    assert failure.value.todo


@pytest.mark.parametrize("addons", ["odoo/addons", "addons"])
@pytest.mark.parametrize("name", series.SERIES)
def test_the_odoo_that_is_named_decides(name, addons, tmp_path, monkeypatch):
    monkeypatch.setenv("ODOO_SRC", str(tree(name, tmp_path / "named", addons=addons)))
    odoo, _where, why = series.choose()
    assert (odoo.series, why) == (name, "")
    assert tmp_path / "named" / addons in odoo.core_addons


def test_the_odoo_that_is_named_is_left_aside_where_another_series_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setenv("ODOO_SRC", str(tree("17.0", tmp_path / "named")))
    offer(monkeypatch, "19.0", tree)
    assert series.choose("19.0")[0].series == "19.0"


def test_another_series_and_an_empty_folder_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("ODOO_SRC", str(tree("16.0", tmp_path / "old")))
    with pytest.raises(Failed, match="is 16.0"):
        series.choose()
    monkeypatch.setenv("ODOO_SRC", str(tmp_path))
    with pytest.raises(Failed, match="no Odoo in"):
        series.choose()


def test_a_database_of_the_other_series_is_not_opened_and_nothing_in_it_is_touched(monkeypatch):
    """Asked as the set-up asks before anything runs on a database."""
    monkeypatch.undo()
    ours = series.current()
    (other,) = [series.Odoo(name, None) for name in series.SERIES if name != ours.series]
    monkeypatch.setattr(odoo_server, "run", lambda *_, **__: pytest.fail("Odoo was started on it."))
    name = "spp_other"
    database.clone(ours.template, name)
    try:
        before = everything(name)
        with pytest.raises(Failed) as failure:
            database.ensure(series.Odoo(other.series, ours.source), name)
        assert f"was made with Odoo {ours.series}; this is Odoo {other.series}" in failure.value.what
        assert f"--series {ours.series}" in failure.value.todo
        assert everything(name) == before
    finally:
        database.drop(name)


def everything(name):
    """Rows ever inserted, updated or deleted in each table, as PostgreSQL's own books count them."""
    with database.cursor(name) as cr:
        cr.execute(
            "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables ORDER BY relname"
        )
        return cr.fetchall()


def test_two_series_share_nothing_but_the_sources():
    one, two = (series.Odoo(name, paths.ROOT) for name in series.SERIES)
    for attribute in ("database", "template", "state", "addons"):
        assert getattr(one, attribute) != getattr(two, attribute)
