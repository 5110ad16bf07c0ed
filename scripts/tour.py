"""Ten screens of the running system, each as the role whose work it is: what the README shows and tests/test_tour.py sees.

./spp tour opens them in a browser, checks that each shows what the story says, and makes the pictures and the table of
the README again.
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass

from . import browser, demo, job, paths, services
from .steps import Failed, step

PICTURES = paths.ROOT / "docs" / "images" / "tour"
README = paths.ROOT / "README.md"
BEGIN, END = "<!-- tour: written by ./spp tour -->", "<!-- end of tour -->"
WINDOW = (1280, 800)


@dataclass(frozen=True)
class Screen:
    """One step: who opens what, what must be seen there, and what a reader is told."""

    name: str
    login: str
    title: str
    told: str
    open: Callable
    seen: tuple
    elsewhere: bool = False  # in the company that was imported into, not in the demonstration's

    @property
    def picture(self):
        return f"docs/images/tour/{self.name}.png"


class Tour:
    """A browser in a running system, and what its steps look up there."""

    def __init__(self, url, database, password, page):
        self.url, self.database, self.password, self.page = url, database, password, page
        as_admin = job.Session(url, database, "admin", password)
        (admin,) = as_admin("res.users", "read", [as_admin.uid], ["company_id"])
        self.main = admin["company_id"][0]

    def show(self, screen):
        """Open a step as its role, and wait for what must be seen. What the browser complained of is in `page.errors`."""
        self.session = job.Session(self.url, self.database, screen.login, self.password)
        self.page.forget()
        self.page.log_in(self.url, screen.login, self.password)
        if screen.elsewhere:
            self.page.run(f"document.cookie = 'cids={self.main}; path=/'")
            self.page.open("about:blank")
            self.page.open(f"{self.url}/web")
        self.page.wait_for(selector=".o_action_manager > *")
        screen.open(self)
        for text in screen.seen:
            self.page.wait_for(text=text)
        self.page.settle()

    def action(self, xmlid):
        self._do(xmlid)

    def form(self, model, domain):
        """The form of the first record of `domain`."""
        (record,) = self.session(model, "search", domain, order="id", limit=1)
        self._do(
            {
                "type": "ir.actions.act_window",
                "res_model": model,
                "res_id": record,
                "views": [[False, "form"]],
            }
        )
        self.page.wait_for(selector=".o_form_view .o_form_sheet")

    def list(self, name, model, domain, context):
        views = [[False, "list"], [False, "form"]]
        action = {"name": name, "res_model": model, "domain": domain, "context": context, "views": views}
        self._do({"type": "ir.actions.act_window", **action})

    def _do(self, action):
        self.page.run(
            "odoo.__WOWL_DEBUG__.root.env.services.action"
            f".doAction({json.dumps(action)}, {{clearBreadcrumbs: true}}).then(() => true)"
        )

    def up(self, selector):
        """Scroll what `selector` names to the top of the page."""
        self.page.wait_for(selector=selector)
        self.page.run(f"document.querySelector('{selector}').scrollIntoView()")


PROGRAM = ("program_id.code", "=", demo.PROGRAM)
SECOND, THIRD = (("cycle_id.start", "=", start) for start, _end, _as_of in demo.CYCLES[1:])


def _refused(tour):
    tour.list(
        "Cash transfer",
        "spp.program.membership",
        [("program_id.code", "=", "cash_transfer")],
        {"search_default_ineligible": 1, "hide_program": True},
    )
    tour.page.wait_for(text="BELHADI")
    tour.page.run(
        "[...document.querySelectorAll('tr.o_data_row')].find(row => row.innerText.includes('BELHADI'))"
        ".querySelector('button[name=action_why]').click()"
    )
    tour.page.wait_for(selector=".modal .o_spp_why")


def _difference(tour):
    tour.form("spp.cycle", [PROGRAM, ("start", "=", demo.CYCLES[2][0])])
    tour.up(".o_field_widget[name=difference_total_ids]")


def _self_approval(tour):
    tour.form("spp.cycle", [PROGRAM, ("start", "=", demo.CYCLES[2][0])])
    tour.page.click("Approval", selector="button[name=action_view_approval]")


def _approver(tour):
    tour.page.click("grant", selector="tr.o_data_row td.o_data_cell")


def _payments(tour):
    tour.action("spp_programs.action_spp_payment_reconciliation")


def _fund(tour):
    tour.form("spp.program", [("code", "=", demo.PROGRAM)])
    tour.page.click("Fund", selector=".nav-link")


def _import(tour):
    tour.action("spp_mis_importer.action_spp_mis_board")


def _spar(tour):
    tour.action("spp_spar_sync.action_spp_spar_board")


def _audit(tour):
    tour.action("spp_base.action_spp_audit_entry")


def _auditor(tour):
    tour.form("spp.payment", [SECOND, PROGRAM, ("reissue_of_id", "!=", False)])


SCREENS = (
    Screen(
        "01-refused",
        "officer",
        "Refused, and why",
        "Everybody who was refused is listed with the reason. *Why?* answers part by part, with the facts that decided: "
        "Karima's household earns too much for the cash transfer.",
        _refused,
        ("As decided on", "is needed", "Not eligible"),
    ),
    Screen(
        "02-difference",
        "manager",
        "What is different this month",
        "November is compared with October before anybody is asked to approve it: who joined, who left, whose amount or "
        "account changed, with a click to each of them.",
        _difference,
        ("Compared with", "Left", "Unchanged", "See them"),
    ),
    Screen(
        "03-own-cycle",
        "manager",
        "Nobody approves what they submitted",
        "The manager who submitted November finds no button, and why. Over XML-RPC the same sentence is the refusal.",
        _self_approval,
        ("somebody else approves it",),
    ),
    Screen(
        "04-approver",
        "approver",
        "The approver's page",
        "Whom the program's chain asks begins with it: outcomes, the difference, what is free in the fund before and "
        "after, who decided what; then *Approve*, *Send back* or *Reject*.",
        _approver,
        ("Approve", "Difference: Left", "Free in the fund after"),
    ),
    Screen(
        "05-payments",
        "finance",
        "Where every payment is",
        "Batch by batch: issued, sent, paid, rejected, came back. One of October's answers was lost; its payments were "
        "unknown, the payer was asked, and each was paid once.",
        _payments,
        ("Came back",),
    ),
    Screen(
        "06-fund",
        "finance",
        "The fund",
        "What is allocated, committed, disbursed and free, by fiscal year, with every entry and its document. It cannot "
        "be overspent, not even by two approvals in the same second.",
        _fund,
        ("Allocated", "Disbursed"),
    ),
    Screen(
        "07-import",
        "officer",
        "The import board",
        "What came from another MIS and when, what cannot be stored, what waits for a name or a person; a click shows which.",
        _import,
        ("Ministry of Health MIS", "Cannot be stored"),
        elsewhere=True,
    ),
    Screen(
        "08-spar",
        "officer",
        "The SPAR board",
        "How many changes of accounts wait for SPAR and since when, what it refused, where it holds another account.",
        _spar,
        ("Waiting", "Conflicts", "Refused"),
        elsewhere=True,
    ),
    Screen(
        "09-audit-trail",
        "auditor",
        "The audit trail",
        "Who did what, when, to which record, old and new. Nobody changes or deletes an entry: the database refuses it.",
        _audit,
        ("Payment issued again",),
    ),
    Screen(
        "10-auditor",
        "auditor",
        "The auditor's view",
        "One payment from end to end: instead of which one, what was done about the reason, who confirmed the account, "
        "every message and answer, account numbers masked.",
        _auditor,
        ("Instead of", "Messages of its batch", "••••"),
    ),
)


def run(url, database, password):
    """Make the pictures and the README's table again."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with browser.chromium(*WINDOW) as page:
        tour = Tour(url, database, password, page)
        for screen in SCREENS:
            with step(f"{screen.title}, as {screen.login}"):
                try:
                    tour.show(screen)
                except AssertionError as error:
                    raise Failed(
                        str(error), f"see whether {screen.login} sees this in the web client"
                    ) from error
                if page.errors:
                    raise Failed("\n".join(page.errors), f"see {screen.name} in the web client")
                (paths.ROOT / screen.picture).write_bytes(smaller(page.picture()))
    README.write_text(with_table(README.read_text()))


def smaller(png):
    """The same picture in 256 colours: a screen has hardly more, and a third of the size is left."""
    from PIL import Image

    made = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB").quantize(256, dither=Image.Dither.NONE)
    image.save(made, "PNG", optimize=True)
    return made.getvalue()


def with_table(readme):
    """The README with the table of all steps, two in a row."""
    before, _old, rest = readme.partition(BEGIN)
    after = rest.partition(END)[2]
    cells = [
        f'<td width="50%" valign="top"><img src="{screen.picture}" alt="{screen.title}"><br>\n'
        f"<b>{number}. {screen.title}</b> ({_who(screen.login)}). {_html(screen.told)}</td>"
        for number, screen in enumerate(SCREENS, 1)
    ]
    rows = "\n".join(
        f"<tr>\n{left}\n{right}\n</tr>" for left, right in zip(cells[::2], cells[1::2], strict=True)
    )
    return f"{before}{BEGIN}\n<table>\n{rows}\n</table>\n{END}{after}"


def _who(login):
    return job.PEOPLE[login][1].replace("_", " ")


def _html(text):
    """*Emphasis* of Markdown is none inside of a table of HTML."""
    return "".join(
        part if number % 2 == 0 else f"<i>{part}</i>" for number, part in enumerate(text.split("*"))
    )


def of_running_system(odoo, password):
    """The tour through what ./spp run has left running here; `password` is the file that holds it."""
    record = services.running("odoo")
    if not record or record["database"] != odoo.database:
        raise Failed(
            "Nothing runs here that could be shown.", "./spp run, and ./spp tour in a second terminal"
        )
    if not browser.program():
        raise Failed("There is no Chromium on this machine.", "on Debian: apt-get install chromium")
    run(record["url"], record["database"], password.read_text())
