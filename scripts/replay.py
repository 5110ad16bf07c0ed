"""./spp replay: compute all decisions and amounts of a cycle again from what was frozen with them.

Nothing is written. People are named by the ids of their records only.
"""

import json

from . import odoo_server, paths
from .steps import Failed, say, step

SCRIPT = """
import json
record = env[{model!r}].browse({record_id!r}).exists()
with open({target!r}, "w") as file:
    if record:
        print(json.dumps({{"name": record.display_name}}), file=file)
        for page in record._replay_pages():
            print(json.dumps(page), file=file)
"""
MOST_SHOWN = 1000


def run(odoo, model, record_id):
    """Print how many answers are the same, and those that are not; 1 if there is one of these, else 0."""
    paths.STATE.mkdir(exist_ok=True)
    target = paths.STATE / "replay.json"
    target.unlink(missing_ok=True)
    with step("Replay"):
        script = SCRIPT.format(model=model, record_id=record_id, target=str(target))
        odoo_server.run(odoo, odoo.database, "shell", "--no-http", name="replay", script=script)
    try:
        if not target.exists():
            raise Failed("The replay ended early.", f"the log is {paths.LOGS / 'install.log'}")
        with open(target) as file:
            return _tell(file, model, record_id)
    finally:
        target.unlink(missing_ok=True)


def _tell(file, model, record_id):
    name = json.loads(file.readline() or "null")
    if not name:
        raise Failed(
            f"There is no {model} with the id {record_id}.", "see its number in the address of its form"
        )
    replayed = same = shown = 0
    for line in file:
        page = json.loads(line)
        replayed += page["replayed"]
        same += page["same"]
        for answer in page["different"]:
            shown += 1
            if shown <= MOST_SHOWN:
                say(f"  registrant {answer['registrant']}: {_words(answer)}")
    if shown > MOST_SHOWN:
        say(f"  … and {shown - MOST_SHOWN} more")
    say(f"{name['name']}: {replayed} replayed, {same} the same, {replayed - same} different.")
    return int(replayed != same)


def _words(answer):
    parts = [
        f"{line['what']} was {line['then'] or 'nothing'}, is {line['now'] or 'nothing'}"
        for line in answer["compared"]
        if not line["same"]
    ]
    return "; ".join([*parts, *answer["problems"]])
