"""The Odoo series this project runs on, and where each is found.

The addons are written for 17.0. Where that cannot be had, 19.0 runs the same addons, converted (convert.py):
17.0 is on no package index, 19.0 is a package of Debian. What else differs between the two stands in SERIES.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import debian, nightly, paths, postgres
from .steps import Failed, NotToBeHad

WRITTEN_FOR = "17.0"


@dataclass(frozen=True)
class Series:
    #: makes the folder it is given, or raises NotToBeHad
    download: Callable[[Path], None]
    #: Its metadata asks for `odoo`, which is on no package index, so it is installed without dependencies.
    queue_job: str


SERIES = {
    "17.0": Series(nightly.download, "odoo-addon-queue-job==17.0.1.5.4"),
    # From 19.0.2 on it asks for openupgradelib, whose licence is stricter than ours.
    "19.0": Series(debian.download, "odoo-addon-queue-job==19.0.1.1.0"),
}


@dataclass(frozen=True)
class Odoo:
    """An Odoo at hand: its series, and the folder that holds its package `odoo`.

    What a checkout makes for one series lies apart from the other's: packages, addons, databases, state.
    """

    series: str
    source: Path

    @property
    def core_addons(self):
        """Odoo's own addon folders: a checkout has two, an installed package one."""
        return [folder for folder in (self.source / "odoo/addons", self.source / "addons") if folder.is_dir()]

    @property
    def addons(self):
        """Our addons for this series."""
        return paths.ADDONS if self.series == WRITTEN_FOR else self.state / "addons"

    @property
    def state(self):
        return paths.STATE / self.series

    @property
    def database(self):
        """Name of the database that people work in; PGDATABASE names it on a server of the user's own."""
        return (postgres.is_external() and os.environ.get("PGDATABASE")) or f"spp_{self._number}"

    @property
    def template(self):
        """Name of the database that tests and benchmarks copy."""
        return f"spp_template_{self._number}"

    @property
    def _number(self):
        return self.series.split(".")[0]


def current():
    """The Odoo that this process was started with (environment variables SPP_SERIES and SPP_SOURCE)."""
    return Odoo(os.environ["SPP_SERIES"], Path(os.environ["SPP_SOURCE"]))


def choose(wanted=None):
    """Find or download an Odoo: of the series `wanted`, else the first of SERIES that can be had.

    ODOO_SRC comes first, then the user's cache, then what can be downloaded.

    :return: it, where it is from, and why it is not 17.0 where nobody asked for another (else empty)
    :raise NotToBeHad: if it is nowhere; names what was tried
    """
    named = os.environ.get("ODOO_SRC")
    if named:
        odoo = _known(Path(named).expanduser().resolve(), "ODOO_SRC")
        if wanted in (None, odoo.series):
            return odoo, f"in {odoo.source}, named by ODOO_SRC", ""
    if wanted:
        return *(_cached(wanted) or _downloaded(wanted)), ""
    for name in SERIES:
        if found := _cached(name):
            not_here = f"Odoo {WRITTEN_FOR} is not on this machine; --series {WRITTEN_FOR} downloads it."
            return *found, "" if name == WRITTEN_FOR else not_here
    reasons = []
    for name in SERIES:
        try:
            return *_downloaded(name), "\n".join(reason.what for reason in reasons)
        except NotToBeHad as reason:
            reasons.append(reason)
    raise NotToBeHad("\n".join(reason.what for reason in reasons), reasons[0].todo)


def _cached(name):
    folder = paths.CACHE / f"odoo-{name}"
    if not folder.exists():
        return None
    odoo = _known(folder, "the cache")
    if odoo.series != name:
        raise Failed(f"The Odoo in {folder} is {odoo.series}, not {name}.", f"remove {folder}")
    return odoo, f"in {folder}"


def _downloaded(name):
    folder = paths.CACHE / f"odoo-{name}"
    SERIES[name].download(folder)
    odoo, where = _cached(name)
    return odoo, f"downloaded, {where}"


def _known(folder, where):
    """The Odoo in `folder`, which is a source tree or the root of unpacked Debian packages."""
    for source in (folder, folder / "usr/lib/python3/dist-packages"):
        release = source / "odoo/release.py"
        if release.exists():
            break
    else:
        raise Failed(
            f"There is no Odoo in {folder} ({where}).",
            f"point ODOO_SRC at a folder that has odoo/release.py, or remove {folder} to download it",
        )
    name = ".".join(re.search(r"version_info = \((\d+), (\d+)", release.read_text()).groups())
    if name not in SERIES:
        raise Failed(f"The Odoo in {folder} ({where}) is {name}.", f"use one of {', '.join(SERIES)}")
    odoo = Odoo(name, source)
    if not any((addons / "web").is_dir() for addons in odoo.core_addons):
        raise Failed(f"The Odoo in {folder} ({where}) has no addons.", "use a complete source tree")
    return odoo
