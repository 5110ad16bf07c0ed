"""Odoo 19.0 from Debian, through apt, without touching the system.

The package `odoo-19` is in Debian's unstable suite. It leaves out what other packages hold (fonts, jQuery);
those come from the machine's own suite, since unstable's Font Awesome is too new for Odoo. apt works in a
folder of its own, with a source list made from the mirror the machine itself uses, and checks everything
against Debian's archive keyring. Nothing is installed: the packages are unpacked side by side.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .steps import NotToBeHad

PACKAGE = "odoo-19"
SUITE = "sid"
#: What Odoo's web client loads from other packages of Debian.
WEB = (
    "libjs-jquery",
    "libjs-underscore",
    "libjs-jquery-form",
    "fonts-font-awesome",
    "fonts-roboto-unhinted",
    "fonts-inconsolata",
)
#: Debian leaves this file out as it can't be built from source, but Odoo's bundles name it.
STRIPPED = "mail/static/lib/selfie_segmentation/selfie_segmentation.js"
KEYRINGS = (
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
)


def download(target):
    """Fetch Odoo and what its web client needs, and unpack all as the root folder `target`, or nothing."""
    for program in ("apt-get", "dpkg-deb"):
        if not shutil.which(program):
            raise _not_to_be_had(f"there is no {program} on this machine")
    mirror, own_suite = _mirror()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".odoo-") as folder:
        apt = _Apt(Path(folder), mirror, own_suite)
        apt.get("update")
        apt.get("download", f"{PACKAGE}/{SUITE}", *(f"{name}/{own_suite}" for name in WEB))
        root = Path(folder) / "root"
        for package in sorted(apt.packages.glob("*.deb")):
            _run(["dpkg-deb", "--extract", package, root])
        _complete(root)
        root.rename(target)


def _mirror():
    """(URI, suite) of the Debian archive that this machine's own packages come from."""
    listed = _run(["apt-get", "indextargets", "--no-release-info",
                   "--format", "$(CREATED_BY) $(COMPONENT) $(RELEASE) $(REPO_URI)"])  # fmt: skip
    codename = _codename()
    for line in listed.splitlines():
        created_by, component, suite, uri = line.split(" ", 3)
        if (created_by, component) == ("Packages", "main") and suite in (codename, "stable"):
            return uri, suite
    raise _not_to_be_had("apt on this machine has no Debian archive among its sources")


def _codename():
    """The suite this machine runs, e.g. "bookworm" (os-release(5)); empty where it is not Debian."""
    system = Path("/etc/os-release").read_text().splitlines() if Path("/etc/os-release").exists() else []
    told = dict(line.split("=", 1) for line in system if "=" in line)
    return told.get("VERSION_CODENAME", "").strip('"') if told.get("ID") == "debian" else ""


class _Apt:
    """apt with sources, lists and downloads in a folder of its own; the machine's proxies and logins hold."""

    def __init__(self, folder, mirror, own_suite):
        self.packages = folder / "packages"
        sources = folder / "sources"
        for path in (self.packages, sources, folder / "lists/partial", folder / "cache/archives/partial"):
            path.mkdir(parents=True)
        keyring = next((path for path in KEYRINGS if os.path.exists(path)), None)
        if not keyring:
            raise _not_to_be_had("Debian's archive keyring (debian-archive-keyring) is not on this machine")
        (sources / "debian.sources").write_text(
            f"Types: deb\nURIs: {mirror}\nSuites: {SUITE} {own_suite}\nComponents: main\nSigned-By: {keyring}\n"
        )
        settings = {
            "Dir::Etc::SourceList": "/dev/null",
            "Dir::Etc::SourceParts": sources,
            "Dir::State::Lists": folder / "lists",
            "Dir::Cache": folder / "cache",
            "Acquire::Languages": "none",
            "Acquire::Retries": "3",
            # apt's own download user can't enter a user's cache; what it fetched is checked all the same
            "APT::Sandbox::User": "root",
        }
        self.command = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in settings.items())]

    def get(self, *arguments):
        _run([*self.command, *arguments], cwd=self.packages)


def _complete(root):
    """What the packages alone leave missing, and a check that the rest is there."""
    (addons,) = root.glob("usr/lib/python3/dist-packages/odoo/addons")
    stripped = addons / STRIPPED
    stripped.parent.mkdir(parents=True, exist_ok=True)
    stripped.touch()
    for name in ("lib/jquery/jquery.js", "lib/fontawesome/fonts/fontawesome-webfont.woff2"):
        if not (addons / "web/static" / name).exists():
            raise _not_to_be_had(f"the packages of this suite do not hold {name}")


def _run(command, cwd=None):
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=cwd)
    if result.returncode:
        told = result.stderr.strip().splitlines() or [str(result.returncode)]
        error = next((line for line in told if line.startswith("E: ")), told[-1])
        raise _not_to_be_had(f"{command[0]} said: {error.removeprefix('E: ')}")
    return result.stdout


def _not_to_be_had(reason):
    return NotToBeHad(
        f"Odoo 19.0 could not be taken from Debian's package {PACKAGE}: {reason}.",
        "run this on Debian with its archive among the sources of apt, or set ODOO_SRC to an Odoo source tree",
    )
