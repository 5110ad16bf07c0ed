"""./spp bench: run one benchmark of benchmarks/ in a database of its own.

A benchmark is a module with `run(env, size)`, which yields (name, ours_s, base_s, limit): seconds of
our way, seconds of what it is measured against in the same run, and the ratio that must not be
passed. Machines differ, so only ratios are judged. `SIZE` is its default number of people.
"""

import json

from . import database, odoo_server, paths
from .steps import Failed, say, step

FOLDER = paths.ROOT / "benchmarks"
DATABASE = "spp_bench"
SCRIPT = """
import importlib, json
benchmark = importlib.import_module("benchmarks." + {name!r})
rows = [
    {{"name": label, "ours_s": round(ours, 4), "base_s": round(base, 4), "ratio": round(ours / base, 3), "limit": limit}}
    for label, ours, base, limit in benchmark.run(env, {size!r} or benchmark.SIZE)
]
open({target!r}, "w").write(json.dumps(rows, indent=1))
"""


def names():
    return sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))


def run(odoo, name, size):
    """Print the table, write .spp/bench/NAME.json; 1 if a ratio is past its limit, else 0."""
    if name not in names():
        raise Failed(f"There is no benchmark {name!r}.", f"choose one of: {', '.join(names()) or 'none yet'}")
    paths.BENCH.mkdir(parents=True, exist_ok=True)
    target = paths.BENCH / f"{name}.json"
    target.unlink(missing_ok=True)
    with step(f"Database {DATABASE}"):
        database.clone(odoo.template, DATABASE)
    try:
        with step(f"Benchmark {name}"):
            script = SCRIPT.format(name=name, size=size, target=str(target))
            odoo_server.run(odoo, DATABASE, "shell", "--no-http", name="bench", script=script)
    finally:
        database.drop(DATABASE)
    if not target.exists():
        raise Failed(
            f"The benchmark {name} ended without figures.", f"the log is {paths.LOGS / 'install.log'}"
        )
    rows = json.loads(target.read_text())
    say(f"\n{'':50} {'ours s':>10} {'base s':>10} {'ratio':>8} {'limit':>8}")
    for row in rows:
        mark = "" if row["ratio"] <= row["limit"] else "  past its limit"
        say(
            f"{row['name']:50} {row['ours_s']:10.3f} {row['base_s']:10.3f} {row['ratio']:8.2f} {row['limit']:8.2f}{mark}"
        )
    return int(any(row["ratio"] > row["limit"] for row in rows))
