"""Results that a payer or a payout team gives back as a file or over XML-RPC: looked at first, then applied, once.

Rows are stored and judged by one statement, and judged again when they are applied. What is in order changes its
payment; what contradicts the books becomes a contradiction; what is wrong is listed with the reason. None of them
stops the rest. Reading a file and applying what was read are bulk actions: runs, and in a job where there are many rows.
"""

import base64
import hashlib
import json
from decimal import Decimal

from odoo import _, api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

from odoo.addons.spp_base.models.spp_bulk_mixin import BeingChanged

from ..tools import sheet
from ..tools.money import PLAIN

OUTCOMES = ("paid", "rejected", "returned")
# outcome: states that a payment may be in
FROM_STATES = [
    (outcome, state)
    for outcome, states in (
        ("paid", ("accepted", "unknown")),
        ("rejected", ("accepted", "unknown")),
        ("returned", ("paid",)),
    )
    for state in states
]
COLUMNS = ("reference", "outcome", "amount", "currency", "date", "reason", "evidence", "collected_by")
VERDICTS = [
    ("ok", "Will be applied"),
    ("applied", "Applied"),
    ("already", "It is so already"),
    ("contradiction", "Contradicts the books"),
    ("unknown_reference", "No payment of this manager has this reference"),
    ("duplicate", "Another row is about the same payment"),
    ("bad_outcome", "The outcome is none of paid, rejected, returned"),
    ("bad_amount", "The amount is missing or no number"),
    ("bad_date", "The date is no date like 2026-11-21, or lies ahead"),
    ("wrong_currency", "The currency is another than the payment's"),
    ("amount_differs", "The amount is another than the payment's"),
    ("no_evidence", "Nothing shows that it was handed out"),
    ("own_release", "You released it: somebody else reads its result"),
    ("state", "The payment's state does not allow it"),
]
FINE = ("ok", "applied", "already", "contradiction")


class PaymentManager(models.Model):
    _inherit = "spp.payment.manager"

    def import_results(self, rows, request_key):
        """Apply results of payments of this manager. Role: finance officer.

        :param rows: list of dicts of texts: `reference`, `outcome` (paid, rejected, returned), `amount` (decimal
            string; needed where it was paid or returned), and where there are any `currency`, `date`, `reason`,
            `evidence` and `collected_by` (`evidence` is needed where money was handed out)
        :param request_key: chosen by the caller; a call that is repeated with it applies nothing and answers the same
        :return: {"result": id of the spp.payment.result, "state": "applied", or "read" while many rows are applied in
            the background by the spp.run "run" (else 0), "rows", "applied", "already", "contradictions": numbers,
            "errors": [{"row": 1 for the first, "reference", "problem", "message"}]}
        """
        at_once = isinstance(rows, list) and len(rows) < self.env["spp.payment.result"]._rows_at_once()
        result = self._read_results(rows, request_key, name=request_key, apply=at_once)
        if result.state == "read":
            result.action_apply()
        return result._answer()

    def _read_file(self, name, content):
        """Read a file of results, in a job where it is long; or find what the same file was read as before."""
        self.ensure_one()
        key = f"file:{hashlib.sha256(content).hexdigest()}"
        result = self._known_results(key)
        if not result:
            made = self.env["spp.payment.result"]._create_guarded(
                [
                    {
                        "name": name,
                        "manager_id": self.id,
                        "request_key": key,
                        "fingerprint": hashlib.sha256(content).hexdigest(),
                        "state": "reading",
                        "file": base64.b64encode(content),
                        "read_by": self.env.uid,
                        "read_at": fields.Datetime.now(),
                    }
                ]
            )
            result = made.with_env(self.env)
            result.action_read()
        return result

    def _known_results(self, key):
        """Results of this manager that were read with the key, none being read with it at this moment."""
        results = self.env["spp.payment.result"]
        results._check_importer()
        self.check_access_rights("read")
        self.check_access_rule("read")
        self.env.cr.execute(
            SQL("SELECT id FROM spp_payment_manager WHERE id = %s FOR NO KEY UPDATE", self.id),
            log_exceptions=False,  # a call that is repeated at once waits, and then finds the first one's result
        )
        return results.search([("manager_id", "=", self.id), ("request_key", "=", key)])

    def preview_results(self, rows, request_key):
        """Say what `import_results` with the same rows and key would do, and change no payment. See there."""
        return self._read_results(rows, request_key, name=request_key)._answer()

    def _read_results(self, rows, request_key, name, apply=False):
        """Keep and judge the rows, and `apply` them at once; or find those that were kept with this key."""
        self.ensure_one()
        results = self.env["spp.payment.result"]
        results._check_importer()
        key = (request_key or "").strip()
        if not key:
            raise UserError(_("Results need a request key."))
        if not rows or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise UserError(_("Results are a list of rows, each with a reference and an outcome."))
        if len(rows) > sheet.MOST_ROWS:
            raise UserError(_("At most %s rows at once.", sheet.MOST_ROWS))
        clean = _clean(rows)
        fingerprint = hashlib.sha256(json.dumps(clean).encode()).hexdigest()
        result = self._known_results(key)
        if result:
            if result.fingerprint != fingerprint:
                raise UserError(_("The request key %s was used before, for other rows.", key))
            return result
        # sudo: results are kept by these methods only; the role was checked.
        result = results.sudo()._insert(self, name, key, fingerprint).with_env(self.env)
        result._add_rows(clean, "applied" if apply else "ok")
        if apply:
            run = self.env["spp.run"]._start("payment_result_apply", result._run_name(), result)
            result._apply_rows(run.with_context(run_at_once=True))
        return result


class PaymentResult(models.Model):
    _name = "spp.payment.result"
    _description = "Payment results"
    _order = "id desc"
    _inherit = ["spp.guarded.mixin", "spp.bulk.mixin"]

    _guarded_fields = frozenset(
        {
            "name",
            "file",
            "manager_id",
            "request_key",
            "fingerprint",
            "state",
            "read_by",
            "read_at",
            "applied_by",
            "applied_at",
        }
    )

    name = fields.Char(required=True, readonly=True)
    manager_id = fields.Many2one(
        comodel_name="spp.payment.manager", required=True, readonly=True, ondelete="restrict"
    )
    company_id = fields.Many2one(comodel_name="res.company", related="manager_id.company_id")
    request_key = fields.Char(required=True, readonly=True)
    fingerprint = fields.Char(
        string="SHA-256", required=True, readonly=True, help="Of the file, or of the rows, as they were read."
    )
    file = fields.Binary(readonly=True, attachment=True, help="The file as it came.")
    state = fields.Selection(
        selection=[
            ("reading", "Being read"),
            ("read", "To be looked at"),
            ("applied", "Applied"),
            ("discarded", "Discarded"),
        ],
        required=True,
        readonly=True,
        default="read",
    )
    read_by = fields.Many2one(comodel_name="res.users", readonly=True, ondelete="restrict")
    read_at = fields.Datetime(readonly=True)
    applied_by = fields.Many2one(comodel_name="res.users", readonly=True, ondelete="restrict")
    applied_at = fields.Datetime(readonly=True)
    row_ids = fields.One2many(
        comodel_name="spp.payment.result.row", inverse_name="result_id", string="Rows", readonly=True
    )
    wrong_row_ids = fields.One2many(
        comodel_name="spp.payment.result.row",
        inverse_name="result_id",
        string="Wrong rows",
        domain=[("verdict", "not in", FINE)],
        readonly=True,
    )
    contradiction_row_ids = fields.One2many(
        comodel_name="spp.payment.result.row",
        inverse_name="result_id",
        string="Rows that contradict the books",
        domain=[("verdict", "=", "contradiction")],
        readonly=True,
    )
    row_count = fields.Integer(string="Number of rows", compute="_compute_counts")
    fine_count = fields.Integer(string="In order", compute="_compute_counts")
    contradiction_count = fields.Integer(string="Contradictions", compute="_compute_counts")
    problem_count = fields.Integer(string="Wrong", compute="_compute_counts")
    read_problem = fields.Char(
        compute="_compute_read_problem", compute_sudo=True, help="Why the file could not be read."
    )

    _sql_constraints = [
        ("request_once", "UNIQUE(manager_id, request_key)", "These results were read before."),
    ]

    def _compute_counts(self):
        counts = {}
        for result, verdict, count in self.env["spp.payment.result.row"]._read_group(
            [("result_id", "in", self.ids)], ["result_id", "verdict"], ["__count"]
        ):
            counts.setdefault(result.id, {})[verdict] = count
        for result in self:
            of_result = counts.get(result.id, {})
            result.row_count = sum(of_result.values())
            result.contradiction_count = of_result.get("contradiction", 0)
            result.fine_count = sum(of_result.get(verdict, 0) for verdict in ("ok", "applied", "already"))
            result.problem_count = result.row_count - result.fine_count - result.contradiction_count

    def _compute_read_problem(self):
        for result in self:
            run = self.env["spp.run"].search(
                [("res_model", "=", self._name), ("res_id", "=", result.id), ("kind", "=", "payment_result_read")],
                limit=1,
            )  # fmt: skip
            result.read_problem = result.state == "reading" and (
                run.message or _("The file was not read to its end.")
            )

    # ------------------------------------------------------------------ actions

    def action_read(self):
        """Read the file of these results once more, where reading it did not come to an end. Role: finance officer.

        :return: id of the run (spp.run)
        """
        self.ensure_one()
        self._check_importer()
        self._check_result_state("reading")
        content = base64.b64decode(self.sudo().file)  # sudo: a file of this user's role, read whole
        return self._bulk("read", _("Read results: %s", self.name), rows=sheet.about_rows(self.name, content))

    def action_apply(self):
        """Apply the rows that are in order, as things stand then. Role: finance officer.

        :return: id of the run (spp.run)
        """
        self.ensure_one()
        self._check_importer()
        self._check_result_state("read")
        return self._bulk("apply", self._run_name(), rows=self.row_count)

    def action_discard(self):
        """Leave results unapplied; the same file can be read again. Role: finance officer."""
        self._check_importer()
        for result in self:
            result._lock()
            result._check_result_state("reading", "read")
            if result.at_work_run_id:
                raise BeingChanged(
                    _("%s is at work. Cancel it, or wait for its end.", result.at_work_run_id.sudo().name)
                )
            result._write_guarded({"state": "discarded", "request_key": f"{result.request_key} #{result.id}"})
        return True

    def action_judge(self):
        """Look at the rows again, as things stand now. Role: finance officer."""
        self._check_importer()
        for result in self.filtered(lambda result: result.state == "read"):
            result._judge()
        return True

    # ------------------------------------------------------------------ business

    def _do_read(self, run):
        self._lock()
        self._check_importer()
        self._check_result_state("reading")
        run._progress(0, stage=_("Reading the file"))
        try:
            rows = sheet.read(self.name, base64.b64decode(self.sudo().file))  # sudo: as in action_read
        except sheet.Unreadable as error:
            raise UserError(str(error)) from None
        missing = [column for column in ("reference", "outcome") if column not in rows[0]]
        if missing:
            raise UserError(
                _(
                    "The file has no column %(missing)s. It may have: %(columns)s.",
                    missing=", ".join(missing),
                    columns=", ".join(COLUMNS),
                )
            )
        run._progress(0, total=len(rows), stage=_("Looking up each payment"))
        self._add_rows(_clean(rows), "ok")
        self._write_guarded({"state": "read"})
        self.env.invalidate_all()
        run._finish(
            {_("In order"): self.fine_count, _("Contradictions"): self.contradiction_count,
             _("Wrong"): self.problem_count},
            _("Nothing is applied yet: look at the rows, then apply them."),
        )  # fmt: skip

    def _do_apply(self, run):
        self._lock()
        self._check_importer()
        self._check_result_state("read")
        run._progress(0, total=self.row_count, stage=_("Looking up each payment"))
        self._judge()
        # The unique index on what was applied refuses a second time, whoever does it at the same moment.
        self.env.cr.execute(
            SQL(
                "UPDATE spp_payment_result_row SET verdict = 'applied' WHERE result_id = %s AND verdict = 'ok'",
                self.id,
            )
        )
        self._apply_rows(run)

    def _run_name(self):
        return _("Apply results: %s", self.name)

    def _check_result_state(self, *states):
        labels = dict(self._fields["state"]._description_selection(self.env))
        for result in self:
            if result.state in ("applied", "discarded"):
                raise UserError(_("%s was applied or discarded before.", result.name))
            if result.state not in states:
                raise UserError(
                    _("%(result)s: %(state)s.", result=result.name, state=labels[result.state].lower())
                )

    def _check_importer(self):
        self._check_role("finance_officer")
        if self.env.user.spp_area_ids:
            raise AccessError(_("Results are read whole: by somebody who is not limited to areas."))

    def _add_rows(self, rows, fine):
        """Keep and judge rows; the verdict of those that are in order is `fine`: "ok", or "applied" at once."""
        columns = [list(column) for column in zip(*rows, strict=True)]
        amounts = [row[2] if PLAIN.fullmatch(row[2]) and Decimal(row[2]) > 0 else None for row in rows]
        dates = [_as_date(row[4]) for row in rows]
        given = SQL(
            """
            SELECT number, reference, outcome AS outcome_text, amount_text, currency, date_text,
                   NULLIF(reason, '') AS reason, NULLIF(evidence, '') AS evidence,
                   NULLIF(collected_by, '') AS collected_by, amount, date
              FROM unnest(%(references)s::text[], %(outcomes)s::text[], %(texts)s::text[], %(currencies)s::text[],
                          %(date_texts)s::text[], %(reasons)s::text[], %(evidence)s::text[], %(by)s::text[],
                          %(amounts)s::numeric[], %(dates)s::date[]) WITH ORDINALITY
                   AS given(reference, outcome, amount_text, currency, date_text, reason, evidence, collected_by,
                            amount, date, number)
            """,
            references=columns[0],
            outcomes=[outcome.lower() for outcome in columns[1]],
            texts=columns[2],
            currencies=[currency.upper() for currency in columns[3]],
            date_texts=columns[4],
            reasons=columns[5],
            evidence=columns[6],
            by=columns[7],
            amounts=amounts,
            dates=dates,
        )
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO spp_payment_result_row
                    (result_id, number, reference, outcome_text, amount_text, currency, date_text, reason, evidence,
                     collected_by, amount, date, payment_id, verdict, create_uid, create_date, write_uid, write_date)
                SELECT %(result)s, number, reference, outcome_text, amount_text, currency, date_text, reason, evidence,
                       collected_by, amount, date, found_id,
                       CASE found_verdict WHEN 'ok' THEN %(fine)s ELSE found_verdict END, %(uid)s, %(now)s, %(uid)s, %(now)s
                  FROM (%(judged)s) judged
                 ORDER BY number
                """,
                result=self.id,
                judged=self._judged_sql(given),
                fine=fine,
                uid=self.env.uid,
                now=fields.Datetime.now(),
            ),
            log_exceptions=False,
        )

    @api.model
    def _insert(self, manager, name, key, fingerprint):
        self.env.cr.execute(
            SQL(
                """
                INSERT INTO spp_payment_result
                    (name, manager_id, request_key, fingerprint, state, read_by, read_at,
                     create_uid, create_date, write_uid, write_date)
                VALUES (%(name)s, %(manager)s, %(key)s, %(fingerprint)s, 'read', %(uid)s, %(now)s,
                        %(uid)s, %(now)s, %(uid)s, %(now)s)
                RETURNING id
                """,
                name=name,
                manager=manager.id,
                key=key,
                fingerprint=fingerprint,
                uid=self.env.uid,
                now=fields.Datetime.now(),
            )
        )
        return self.browse(self.env.cr.fetchone())

    def _judge(self):
        """Find each row's payment and say what would become of the row, for all rows in one statement."""
        self.env.flush_all()
        self.env.cr.execute(
            SQL(
                """
                UPDATE spp_payment_result_row r
                   SET payment_id = judged.found_id, verdict = judged.found_verdict
                  FROM (%s) judged
                 WHERE r.id = judged.id
                   AND (r.payment_id, r.verdict) IS DISTINCT FROM (judged.found_id, judged.found_verdict)
                """,
                self._judged_sql(SQL("SELECT * FROM spp_payment_result_row WHERE result_id = %s", self.id)),
            )
        )
        self.env.invalidate_all()

    def _judged_sql(self, rows):
        """SQL: `rows` with found_id, the payment each is about, and found_verdict, what would become of it.

        :param rows: SQL selecting the columns of spp_payment_result_row as they were read
        """
        return SQL(
            """
            SELECT r.*, p.id AS found_id,
                   CASE WHEN p.id IS NULL THEN 'unknown_reference'
                        WHEN r.outcome_text <> ALL(%(outcomes)s) THEN 'bad_outcome'
                        WHEN r.outcome_text <> 'rejected' AND r.amount IS NULL THEN 'bad_amount'
                        WHEN (r.date IS NULL AND r.date_text <> '') OR r.date > %(today)s THEN 'bad_date'
                        WHEN row_number() OVER (PARTITION BY r.reference ORDER BY r.number) > 1 THEN 'duplicate'
                        WHEN r.currency <> '' AND r.currency <> c.name THEN 'wrong_currency'
                        WHEN r.outcome_text = p.state AND (r.amount IS NULL OR r.amount = p.amount) THEN 'already'
                        WHEN b.released_by = %(uid)s THEN 'own_release'
                        WHEN r.outcome_text = 'paid' AND m.provider = ANY(%(without)s) AND r.evidence IS NULL
                             THEN 'no_evidence'
                        WHEN r.outcome_text = 'paid' AND p.state = ANY(%(ended)s) THEN 'contradiction'
                        WHEN step.state IS NULL AND NOT (r.outcome_text = 'paid' AND p.state = 'paid') THEN 'state'
                        WHEN r.outcome_text = 'paid' AND r.amount <> p.amount THEN 'contradiction'
                        WHEN r.outcome_text = 'returned' AND r.amount <> p.amount THEN 'amount_differs'
                        ELSE 'ok' END AS found_verdict
              FROM (%(rows)s) r
              JOIN spp_payment_manager m ON m.id = %(manager)s
         LEFT JOIN (spp_payment p JOIN spp_payment_batch b ON b.id = p.batch_id
                                  JOIN res_currency c ON c.id = p.currency_id)
                ON p.reference = r.reference AND b.manager_id = m.id
         LEFT JOIN unnest(%(for_outcome)s::text[], %(from_state)s::text[]) AS step(outcome, state)
                ON step.outcome = r.outcome_text AND step.state = p.state
            """,
            rows=rows,
            manager=self.manager_id.id,
            uid=self.env.uid,
            today=fields.Date.context_today(self),
            outcomes=list(OUTCOMES),
            ended=["rejected", "cancelled"],
            without=self.env["spp.payment.manager"]._providers_without_accounts(),
            for_outcome=[outcome for outcome, _state in FROM_STATES],
            from_state=[state for _outcome, state in FROM_STATES],
        )

    def _apply_rows(self, run):
        """Change the payments of the rows that are applied, and list what contradicts the books."""
        run._progress(0, stage=_("Payments and the fund"))
        self.env.cr.execute(
            SQL(
                """
                UPDATE spp_payment p
                   SET handed_to = COALESCE(r.collected_by, p.payee_name), handed_on = COALESCE(r.date, %s),
                       hand_evidence = r.evidence, handed_by = %s
                  FROM spp_payment_result_row r
                 WHERE r.result_id = %s AND r.verdict = 'applied' AND r.outcome_text = 'paid' AND r.payment_id = p.id
                   AND r.evidence IS NOT NULL
                """,
                fields.Date.context_today(self),
                self.env.uid,
                self.id,
            )
        )
        # sudo: results may be about payments that the payer had long before this user came; the role was checked.
        changed = (
            self.env["spp.payment"]
            .sudo()
            ._apply(
                SQL(
                    """
                SELECT payment_id, outcome_text, COALESCE(reason, ''), 'result', date::timestamp, ''
                  FROM spp_payment_result_row
                 WHERE result_id = %s AND verdict = 'applied'
                """,
                    self.id,
                )
            )
        )
        answer = self._answer()
        if len(changed) != answer["applied"]:
            raise BeingChanged(_("Payments have changed at this very moment. Try again."))
        self.env["spp.payment.contradiction"].sudo()._list(
            SQL(
                """
                SELECT r.payment_id,
                       CASE WHEN p.state = ANY(%(ended)s) THEN 'late_paid' ELSE 'amount' END,
                       r.amount, r.date, concat_ws(', ', %(source)s::text, 'row ' || r.number, r.reason, r.evidence)
                  FROM spp_payment_result_row r
                  JOIN spp_payment p ON p.id = r.payment_id
                 WHERE r.result_id = %(result)s AND r.verdict = 'contradiction'
                """,
                ended=["rejected", "cancelled"],
                source=self.name,
                result=self.id,
            )
        )

        self._write_guarded(
            {"state": "applied", "applied_by": self.env.uid, "applied_at": fields.Datetime.now()}
        )
        counts = {_("Applied"): answer["applied"], _("Already so"): answer["already"],
                  _("Contradictions"): answer["contradictions"], _("Wrong"): len(answer["errors"])}  # fmt: skip
        self.env["spp.audit.entry"]._log(
            "Payment results applied",
            self,
            new={**{name: answer[name] for name in ("applied", "already", "contradictions")},
                 "errors": len(answer["errors"]), "sha256": self.fingerprint},
            run=run,
        )  # fmt: skip
        run._finish(counts)

    def _answer(self):
        """What an integrator is told: plain values."""
        self.env.cr.execute(
            SQL(
                "SELECT verdict, count(*) FROM spp_payment_result_row WHERE result_id = %s GROUP BY verdict",
                self.id,
            )
        )
        counts = dict(self.env.cr.fetchall())
        labels = dict(self.env["spp.payment.result.row"]._fields["verdict"]._description_selection(self.env))
        self.env.cr.execute(
            SQL(
                """
                SELECT number, reference, verdict FROM spp_payment_result_row
                 WHERE result_id = %s AND verdict <> ALL(%s) ORDER BY number
                """,
                self.id,
                list(FINE),
            )
        )
        wrong = self.env.cr.fetchall()  # before a field that is read below runs a statement of its own
        return {
            "result": self.id,
            "state": self.state,
            "run": self.env["spp.run"]._at_work(self).get(self.id, self.env["spp.run"]).id or 0,
            "rows": sum(counts.values()),
            "applied": counts.get("applied", 0) + (counts.get("ok", 0) if self.state == "read" else 0),
            "already": counts.get("already", 0),
            "contradictions": counts.get("contradiction", 0),
            "errors": [
                {"row": number, "reference": reference, "problem": verdict, "message": labels[verdict]}
                for number, reference, verdict in wrong
            ],
        }


class PaymentResultRow(models.Model):
    _name = "spp.payment.result.row"
    _description = "Result of a payment"
    _order = "result_id desc, number"
    _rec_name = "reference"

    result_id = fields.Many2one(
        comodel_name="spp.payment.result", required=True, readonly=True, index=True, ondelete="restrict"
    )
    number = fields.Integer(string="Row", required=True, readonly=True)
    reference = fields.Char(readonly=True)
    payment_id = fields.Many2one(comodel_name="spp.payment", readonly=True, ondelete="restrict")
    payee_name = fields.Char(related="payment_id.payee_name")
    payment_state = fields.Selection(related="payment_id.state", string="State now")
    payment_amount = fields.Monetary(related="payment_id.amount", string="Amount due")
    currency_id = fields.Many2one(related="payment_id.currency_id")
    outcome_text = fields.Char(string="Outcome", readonly=True)
    amount_text = fields.Char(string="Amount", readonly=True)
    amount = fields.Float(string="Amount read", digits=(16, 6), readonly=True)
    currency = fields.Char(readonly=True)
    date_text = fields.Char(string="Date", readonly=True)
    date = fields.Date(string="Date read", readonly=True)
    reason = fields.Char(readonly=True)
    evidence = fields.Char(readonly=True)
    collected_by = fields.Char(readonly=True)
    verdict = fields.Selection(selection=VERDICTS, required=True, readonly=True, string="What becomes of it")

    def init(self):
        self.env.cr.execute(
            """
            CREATE UNIQUE INDEX IF NOT EXISTS spp_payment_result_row_once
                ON spp_payment_result_row (payment_id, outcome_text) WHERE verdict = 'applied'
            """
        )


def _clean(rows):
    """Texts of the columns that count, a row each."""
    return [[str(row.get(column) or "").strip() for column in COLUMNS] for row in rows]


def _as_date(text):
    """The day that a text begins with, as 2026-11-21; None where it does not."""
    try:
        return fields.Date.to_date(text[:10]) if len(text) >= 10 else None
    except ValueError:
        return None
