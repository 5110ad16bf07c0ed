"""Where Odoo comes from: ODOO_SRC, else the user's cache, else Odoo's official archive.

Odoo is on no package index. The official archive is a Debian repository whose index publishes a
SHA-256 of each package; the package is checked against it before anything of it is used. A second
series (for machines that reach package indexes only) has its place in SERIES.
"""

import gzip
import hashlib
import io
import lzma
import os
import re
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from . import paths
from .steps import Failed

#: series → its official archive
SERIES = {"17.0": "https://nightly.odoo.com/17.0/nightly/deb/"}
DEFAULT = "17.0"


def ensure(series=DEFAULT):
    """Folder that holds the package `odoo` of this series, downloaded when it is nowhere yet."""
    named = os.environ.get("ODOO_SRC")
    if named:
        return _checked(Path(named).expanduser().resolve(), series, "ODOO_SRC")
    cached = paths.CACHE / f"odoo-{series}"
    if not cached.exists():
        download(SERIES[series], cached)
    return _checked(cached, series, "the cache")


def addons_folders(source):
    """Odoo's own addon folders: a checkout has two, an installed package one."""
    return [folder for folder in (source / "odoo" / "addons", source / "addons") if folder.is_dir()]


def series_of(source):
    """The series of the Odoo in this folder, e.g. "17.0"."""
    release = (source / "odoo" / "release.py").read_text()
    return ".".join(re.search(r"version_info = \((\d+), (\d+)", release).groups())


def _checked(source, series, where):
    release = source / "odoo" / "release.py"
    if not release.exists():
        raise Failed(
            f"There is no Odoo in {source} ({where}).",
            f"point ODOO_SRC at a folder that has odoo/release.py, or remove {source} to download it",
        )
    if series_of(source) != series:
        raise Failed(f"The Odoo in {source} ({where}) is not {series}.", f"point ODOO_SRC at Odoo {series}")
    if not any((folder / "web").is_dir() for folder in addons_folders(source)):
        raise Failed(f"The Odoo in {source} ({where}) has no addons.", "use a complete source tree")
    return source


def download(archive, target):
    """Fetch Odoo from `archive` (a flat Debian repository) and unpack it as `target`, whole or not at all."""
    todo = (
        f"allow this machine to reach {archive}, or put an Odoo 17.0 source tree into {target}, "
        "or set ODOO_SRC to one"
    )
    try:
        entry = _index_entry(_index(archive), "odoo")
        package = _get(archive + entry["Filename"].removeprefix("./"))
    except (OSError, KeyError) as error:
        raise Failed(f"Odoo could not be downloaded from {archive}: {error}", todo) from error
    if hashlib.sha256(package).hexdigest() != entry["SHA256"]:
        raise Failed("The downloaded Odoo does not have the checksum that its archive publishes.", todo)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".odoo-") as partial:
        with tarfile.open(fileobj=io.BytesIO(_data_of_deb(package))) as tree:
            # Python before 3.11.4 has no filters; what we unpack has just been checked against its checksum.
            tree.extractall(partial, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        (packages,) = Path(partial).glob("usr/lib/python3*/dist-packages")
        shutil.move(packages, target)


def _index(archive):
    """The archive's list of packages; either form of it may be missing (Debian repository format)."""
    try:
        return gzip.decompress(_get(archive + "Packages.gz")).decode()
    except urllib.error.HTTPError:
        return _get(archive + "Packages").decode()


def _get(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return answer.read()


def _index_entry(index, package):
    """The newest paragraph of a Debian `Packages` index for one package."""
    found = None
    for paragraph in index.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if re.match(r"[\w-]+: ", line))
        if fields.get("Package") == package:
            found = fields
    if not found:
        raise KeyError(f"its index names no package {package!r}")
    return found


def _data_of_deb(package):
    """The data.tar of a .deb, uncompressed. A .deb is an `ar` file (deb(5)): 60-byte headers, even offsets."""
    position = 8
    while position + 60 <= len(package):
        name = package[position : position + 16].decode().strip().rstrip("/")
        size = int(package[position + 48 : position + 58])
        body = package[position + 60 : position + 60 + size]
        if name.startswith("data.tar"):
            return lzma.decompress(body) if name.endswith(".xz") else body
        position += 60 + size + size % 2
    raise Failed("The downloaded Odoo package has no data in it.", "try again later")
