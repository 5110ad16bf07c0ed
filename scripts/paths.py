"""Where everything of one checkout lives. All that is made at run time is under .spp/ and .venv/."""

import hashlib
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ADDONS = ROOT / "addons"
STATE = ROOT / ".spp"
LOGS = STATE / "log"
BENCH = STATE / "bench"
VENV = ROOT / ".venv"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "spp"

#: Tells two checkouts of one machine apart where a short name is needed.
CHECKOUT = hashlib.sha256(str(ROOT).encode()).hexdigest()[:10]


def our_modules():
    """Names of the addons of this project, sorted."""
    return sorted(path.parent.name for path in ADDONS.glob("*/__manifest__.py"))


def fingerprint(folder):
    """A hash of every file below `folder`, so that a change is seen whatever its time stamp."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(folder)).encode() + b"\0")
            digest.update(path.read_bytes())
    return digest.hexdigest()
