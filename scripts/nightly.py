"""Odoo from its official archive: a Debian repository whose index publishes a SHA-256 of each package.

The package is checked against it before anything of it is used.
"""

import gzip
import hashlib
import io
import lzma
import re
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from .steps import Failed, NotToBeHad

ARCHIVE = "https://nightly.odoo.com/17.0/nightly/deb/"


def download(target, archive=ARCHIVE):
    """Fetch Odoo from `archive` (a flat Debian repository) and unpack it as `target`, whole or not at all."""
    try:
        entry = _index_entry(_index(archive), "odoo")
        package = _get(archive + entry["Filename"].removeprefix("./"))
    except (OSError, KeyError) as error:
        raise NotToBeHad(
            f"Odoo 17.0 could not be downloaded from {archive}: {error}.",
            f"allow this machine to reach {archive}, or put an Odoo 17.0 source tree into {target}, "
            "or set ODOO_SRC to one",
        ) from error
    if hashlib.sha256(package).hexdigest() != entry["SHA256"]:
        raise Failed(
            "The downloaded Odoo does not have the checksum that its archive publishes.", "try again later"
        )
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
    with urllib.request.urlopen(url, timeout=15) as answer:
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
