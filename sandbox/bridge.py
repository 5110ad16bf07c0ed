"""The G2P Bridge: dialect B, answering as OpenG2P's bridge 1.0.2 was observed to.

An envelope declares how many payments and how much; it is paid once what was received equals that, on its day.
Totals are whole numbers and lose their fraction batch by batch. No idempotency: a reference sent twice is a second
payment. A payment is looked up by the bridge's own id only, and a status answer has no status: no record means in
progress, cancelled, or unknown. With `partners` set it wants signed messages, as 1.1.0 does.
"""

import json
import time
import uuid
from datetime import UTC, date, datetime

from . import door
from .server import NOT_ALLOWED, NOT_FOUND, Answer, Refusal, Server, field, g2p_error

FREQUENCIES = (
    "Daily", "Weekly", "Fortnightly", "Monthly", "BiMonthly", "Quarterly", "SemiAnnually", "Annually", "OnDemand",
)  # fmt: skip
DECLARED = (
    "benefit_program_mnemonic",
    "disbursement_frequency",
    "cycle_code_mnemonic",
    "number_of_beneficiaries",
    "number_of_disbursements",
    "total_disbursement_amount",
    "disbursement_currency_code",
    "disbursement_schedule_date",
)
ITEM = (
    "mis_reference_number",
    "disbursement_id",
    "disbursement_envelope_id",
    "beneficiary_id",
    "beneficiary_name",
    "disbursement_amount",
    "narrative",
)


class Rejected(Exception):
    """HTTP 200 with the header `rjct`; nothing of the message was taken."""

    def __init__(self, code, message=None):
        super().__init__(code)
        self.code = code
        self.message = message


class Bridge(Server):
    name = "bridge"
    schema = (
        door.SCHEMA
        + """
        CREATE TABLE IF NOT EXISTS envelope (
            id TEXT PRIMARY KEY, program TEXT, frequency TEXT, cycle TEXT, beneficiaries INTEGER, declared INTEGER,
            declared_total INTEGER, currency TEXT, schedule TEXT, received INTEGER DEFAULT 0,
            received_total INTEGER DEFAULT 0, cancelled INTEGER DEFAULT 0, created REAL, complete REAL);
        CREATE TABLE IF NOT EXISTS disbursement (
            seq INTEGER PRIMARY KEY, id TEXT UNIQUE, envelope TEXT, reference TEXT, beneficiary TEXT, name TEXT,
            amount TEXT, narrative TEXT, cancelled INTEGER DEFAULT 0, received REAL);
        CREATE INDEX IF NOT EXISTS disbursement_envelope ON disbursement (envelope);
    """
    )
    defaults = {
        **door.DEFAULTS,
        "programs": ["SPP-TEST"],  # codes agreed with the operator
        "settle_after": 0.3,  # seconds from the last payment of an envelope until the bank's statement shows them
        "reverse_after": 0.3,  # seconds from there until the bank sends `reversed_beneficiaries` back
        "any_day": 1,  # 0: an envelope is paid on its own day only
        "reversed_beneficiaries": [],  # ids whose payment comes back
        "unresolved_beneficiaries": [],  # ids that the mapper does not know: never shipped, never reported
    }

    def act(self, request):
        operations = {
            "/create_disbursement_envelope": self._create_envelope,
            "/amend_disbursement_envelope": self._amend_envelope,
            "/cancel_disbursement_envelope": self._cancel_envelope,
            "/create_disbursements": self._create,
            "/cancel_disbursements": self._cancel,
            "/get_disbursement_envelope_status": self._envelope_status,
            "/get_disbursement_status": self._status,
        }
        if request.path == door.TOKEN:
            return door.give_token(self, request)
        if request.path not in operations:
            return NOT_FOUND
        if request.method != "POST":
            return NOT_ALLOWED
        refused = door.check_token(self, request)
        if refused:
            return refused
        header, message = _envelope(request)
        try:
            door.check_signature(self, request)
        except door.NotSigned as error:
            if str(error) == "missing":
                return g2p_error(500, "G2P-REQ-100", "Unknown Error.")
            return self._answer(header, "rjct", "rjct.jwt.invalid", None)
        action = request.path.strip("/")
        if action.endswith("_envelope") and header["action"] != action:
            return self._answer(header, "rjct", "rjct.action.not_supported", None)
        try:
            return self._answer(header, "succ", "", operations[request.path](message))
        except Rejected as refusal:
            return self._answer(header, "rjct", refusal.code, refusal.message)

    # Envelopes

    def _create_envelope(self, message):
        values = self._declared(message)
        envelope_id = str(int(time.time() * 1000))
        while self._find(envelope_id):
            envelope_id = str(int(envelope_id) + 1)
        self.db.execute(
            "INSERT INTO envelope (id, program, frequency, cycle, beneficiaries, declared, declared_total, currency,"
            " schedule, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (envelope_id, *values, time.time()),
        )
        return _envelope_message(message, envelope_id)

    def _amend_envelope(self, message):
        envelope = self._open(field(message, "disbursement_envelope_id"), changing=True)
        self.db.execute(
            "UPDATE envelope SET program = ?, frequency = ?, cycle = ?, beneficiaries = ?, declared = ?,"
            " declared_total = ?, currency = ?, schedule = ? WHERE id = ?",
            (*self._declared(message), envelope["id"]),
        )
        self._complete(envelope["id"])
        return _envelope_message(message, envelope["id"])

    def _cancel_envelope(self, message):
        try:
            envelope = self._open(field(message, "disbursement_envelope_id"))
        except Rejected as refusal:
            code = refusal.code.replace(
                "ENVELOPE_ALREADY_CANCELLED", "DISBURSEMENT_ENVELOPE_ALREADY_CANCELED"
            )
            raise Rejected(code, _envelope_message({}, None)) from None
        self.db.execute("UPDATE envelope SET cancelled = 1 WHERE id = ?", (envelope["id"],))
        return _envelope_message({}, envelope["id"])

    def _declared(self, message):
        if message.get("disbursement_frequency") not in FREQUENCIES:
            raise Refusal(g2p_error(400, "G2P-REQ-102", f"Invalid Input. Input should be {FREQUENCIES}"))
        count, total = message.get("number_of_disbursements"), message.get("total_disbursement_amount")
        for valid, code in (
            (
                message.get("benefit_program_mnemonic") in self.setting("programs"),
                "INVALID_PROGRAM_MNEMONIC",
            ),
            (bool(message.get("cycle_code_mnemonic")), "INVALID_CYCLE_CODE_MNEMONIC"),
            (_number(message.get("number_of_beneficiaries")) >= 1, "INVALID_NO_OF_BENEFICIARIES"),
            (_number(count) >= 1, "INVALID_NO_OF_DISBURSEMENTS"),
            (_number(total) >= 0, "INVALID_TOTAL_DISBURSEMENT_AMOUNT"),
            (bool(message.get("disbursement_currency_code")), "INVALID_DISBURSEMENT_CURRENCY_CODE"),
            (
                _day(message.get("disbursement_schedule_date")) >= _today(),
                "INVALID_DISBURSEMENT_SCHEDULE_DATE",
            ),
        ):
            if not valid:
                raise Rejected(code, _envelope_message({}, None))
        # integer columns: the fraction is cut off
        return [message[name] if name != "total_disbursement_amount" else int(total) for name in DECLARED]

    def _find(self, envelope_id):
        return self.db.execute("SELECT * FROM envelope WHERE id = ?", (envelope_id,)).fetchone()

    def _open(self, envelope_id, changing=False):
        envelope = self._find(envelope_id)
        if not envelope:
            raise Rejected("DISBURSEMENT_ENVELOPE_NOT_FOUND")
        if envelope["cancelled"]:
            raise Rejected("ENVELOPE_ALREADY_CANCELLED")
        if changing and date.fromisoformat(envelope["schedule"]) <= _today():
            raise Rejected("DISBURSEMENT_ENVELOPE_SCHEDULE_DATE_REACHED")
        return envelope

    def _complete(self, envelope_id):
        """Remember since when an envelope has all that it declares; only then it is paid."""
        self.db.execute(
            "UPDATE envelope SET complete = CASE WHEN received = declared AND received_total = declared_total"
            " THEN ? END WHERE id = ?",
            (time.time(), envelope_id),
        )

    # Disbursements

    def _create(self, items):
        if not items:
            raise Refusal(g2p_error(500, "G2P-REQ-100", "list index out of range"))
        given = [{**dict.fromkeys(ITEM), **item, "disbursement_id": None, "id": None} for item in items]
        for item in given:
            field(item, "disbursement_envelope_id")
        if len({item["disbursement_envelope_id"] for item in given}) > 1:
            raise Rejected("MULTIPLE_ENVELOPES_FOUND", given)
        envelope = self._find(given[0]["disbursement_envelope_id"])  # a cancelled one is accepted (observed)
        if not envelope:
            raise Rejected("DISBURSEMENT_ENVELOPE_NOT_FOUND", given)
        at_fault = False
        for item in given:
            codes = [code for valid, code in _item_checks(item) if not valid]
            item["response_error_codes"] = codes
            at_fault = at_fault or bool(codes)
        if at_fault:
            raise Rejected("INVALID_DISBURSEMENT_PAYLOAD", given)
        total = sum(item["disbursement_amount"] for item in given)
        if envelope["received"] + len(given) > envelope["declared"]:
            raise Rejected("NO_OF_DISBUESEMENTS_EXCEEDS_DECLARED", given)
        if envelope["received_total"] + total > envelope["declared_total"]:
            raise Rejected("TOTAL_DISBURSEMENT_AMOUNT_EXCEEDS_DECLARED", given)
        (last,) = self.db.execute("SELECT COALESCE(max(seq), 0) FROM disbursement").fetchone()
        for number, item in enumerate(given, last + 1):
            item["disbursement_id"] = f"{int(time.time() * 1000)}{number:06}"
            self.db.execute(
                "INSERT INTO disbursement (id, envelope, reference, beneficiary, name, amount, narrative, received)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    item["disbursement_id"],
                    envelope["id"],
                    item["mis_reference_number"],
                    item["beneficiary_id"],
                    item["beneficiary_name"],
                    str(item["disbursement_amount"]),
                    item["narrative"],
                    time.time(),
                ),
            )
        self.db.execute(
            "UPDATE envelope SET received = received + ?, received_total = ? WHERE id = ?",
            (len(given), int(envelope["received_total"] + total), envelope["id"]),
        )
        self._complete(envelope["id"])
        return given

    def _cancel(self, items):
        rows = [
            self.db.execute(
                "SELECT * FROM disbursement WHERE id = ?", (item.get("disbursement_id"),)
            ).fetchone()
            for item in items
        ]
        answer = [{**dict.fromkeys(ITEM), **item, "id": None, "response_error_codes": []} for item in items]
        if not rows or None in rows:
            raise Rejected("INVALID_DISBURSEMENT_ID", answer)
        if len({row["envelope"] for row in rows}) > 1:
            raise Rejected("MULTIPLE_ENVELOPES_FOUND", answer)
        envelope = self._open(rows[0]["envelope"], changing=True)
        if any(row["cancelled"] for row in rows):
            raise Rejected("DISBURSEMENT_ALREADY_CANCELED", answer)
        for row in rows:
            self.db.execute("UPDATE disbursement SET cancelled = 1 WHERE id = ?", (row["id"],))
        self.db.execute(
            "UPDATE envelope SET received = received - ?, received_total = ? WHERE id = ?",
            (
                len(rows),
                int(envelope["received_total"] - sum(float(row["amount"]) for row in rows)),
                envelope["id"],
            ),
        )
        self._complete(envelope["id"])
        return answer

    # Status

    def _envelope_status(self, envelope_id):
        envelope = self._find(envelope_id) if isinstance(envelope_id, str) else None
        if not envelope:
            raise Rejected("DISBURSEMENT_ENVELOPE_NOT_FOUND")
        shipped = self._shipped(envelope)
        back = [row for row in shipped if self._is_back(envelope, row)]
        checked = "FUNDS_AVAILABLE" if shipped else "PENDING_CHECK"
        return {
            "disbursement_envelope_id": envelope["id"],
            "number_of_disbursements_received": envelope["received"],
            "total_disbursement_amount_received": envelope["received_total"],
            "funds_available_with_bank": checked,
            "funds_available_latest_timestamp": _naive(envelope["created"]),
            "funds_available_latest_error_code": "",
            "funds_available_attempts": 0,
            "funds_blocked_with_bank": "FUNDS_BLOCK_SUCCESS" if shipped else "PENDING_CHECK",
            "funds_blocked_latest_timestamp": _naive(envelope["created"]),
            "funds_blocked_latest_error_code": "",
            "funds_blocked_attempts": 0,
            "funds_blocked_reference_number": None,
            "id_mapper_resolution_required": True,
            "number_of_disbursements_shipped": len(shipped),
            "number_of_disbursements_reconciled": len(shipped),
            "number_of_disbursements_reversed": len(back),
        }

    def _status(self, ids):
        """A record of each that the bank has paid. Unknown ids answer like those in progress (observed)."""
        answers = []
        for disbursement_id in ids:
            row = self.db.execute("SELECT * FROM disbursement WHERE id = ?", (disbursement_id,)).fetchone()
            envelope = row and self._find(row["envelope"])
            paid = row and any(each["id"] == row["id"] for each in self._shipped(envelope, row["id"]))
            recon = [self._record(envelope, row)] if paid else []
            answers.append(
                {
                    "disbursement_id": disbursement_id,
                    "disbursement_recon_records": {
                        "disbursement_recon_payloads": recon,
                        "disbursement_error_recon_payloads": [],
                    },
                }
            )
        return answers

    def _shipped(self, envelope, only=None):
        """Payments of the envelope that the bank's statement shows by now."""
        due = (
            envelope["complete"]
            and self.setting("settle_after") is not None
            and envelope["complete"] + self.setting("settle_after") <= time.time()
            and (self.setting("any_day") or envelope["schedule"] == _today().isoformat())
            and not envelope["cancelled"]
        )
        if not due:
            return []
        unresolved = set(self.setting("unresolved_beneficiaries"))
        rows = self.db.execute(
            "SELECT * FROM disbursement WHERE envelope = ? AND NOT cancelled AND (? IS NULL OR id = ?)",
            (envelope["id"], only, only),
        )
        return [row for row in rows if row["beneficiary"] not in unresolved]

    def _is_back(self, envelope, row):
        after = self.setting("reverse_after")
        return (
            row["beneficiary"] in self.setting("reversed_beneficiaries")
            and after is not None
            and envelope["complete"] + self.setting("settle_after") + after <= time.time()
        )

    def _record(self, envelope, row):
        back = self._is_back(envelope, row)
        day = f"{_today().isoformat()}T00:00:00"
        return {
            "bank_disbursement_batch_id": str(uuid.uuid4()),
            "disbursement_id": row["id"],
            "disbursement_envelope_id": row["envelope"],
            "beneficiary_name_from_bank": row["name"],
            "remittance_reference_number": f"R{row['seq']}",
            "remittance_entry_date": day,
            "remittance_value_date": day,
            "reversal_found": back,
            "reversal_entry_date": day if back else None,
            "reversal_value_date": day if back else None,
            "reversal_reason": "account closed" if back else None,
        }

    # What the sandbox wants of a counterparty

    def _answer(self, header, status, code, message):
        return Answer(
            200,
            {
                "signature": None,
                "header": {
                    "version": "1.0.0",
                    "message_id": header["message_id"],
                    "message_ts": _naive(time.time()),
                    "action": header["action"],
                    "status": status,
                    "status_reason_code": None,
                    "status_reason_message": code,
                    "total_count": None,
                    "completed_count": None,
                    "sender_id": None,
                    "receiver_id": None,
                    "is_msg_encrypted": False,
                    "meta": {},
                },
                "message": message,
            },
        )

    def refusal(self, request, code):
        try:
            header, _message = _envelope(request)
        except Refusal as refusal:
            return refusal.answer
        return self._answer(header, "rjct", code or "rjct.jwt.invalid", None)

    def state(self):
        """Envelopes and payments; `counts` how often each reference was received, `paid` how often it was paid."""
        envelopes, payments, counts, paid = [], [], {}, {}
        for envelope in self.db.execute("SELECT * FROM envelope ORDER BY created, id").fetchall():
            envelopes.append({**envelope, "created": _naive(envelope["created"])})
            shipped = {row["id"]: self._is_back(envelope, row) for row in self._shipped(envelope)}
            for row in self.db.execute("SELECT * FROM disbursement WHERE envelope = ?", (envelope["id"],)):
                state = "cancelled" if row["cancelled"] else "received"
                if row["id"] in shipped:
                    state = "returned" if shipped[row["id"]] else "paid"
                    paid[row["reference"]] = paid.get(row["reference"], 0) + 1
                payments.append({**row, "received": _naive(row["received"]), "state": state})
                counts[row["reference"]] = counts.get(row["reference"], 0) + 1
        settings = {name: self.setting(name) for name in self.defaults}
        return {
            "envelopes": envelopes,
            "payments": payments,
            "counts": counts,
            "paid": paid,
            "settings": settings,
        }

    def change(self, values):
        """Only settings can be set here."""
        raise ValueError(f"unknown: {', '.join(values)}; there are {', '.join(self.defaults)}")


def _envelope(request):
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Refusal(g2p_error(400, "G2P-REQ-102", "Invalid Input. JSON decode error")) from None
    if not isinstance(body, dict) or "message" not in body:
        raise Refusal(g2p_error(400, "G2P-REQ-102", "Invalid Input. Field required"))
    header = field(body, "header", dict)
    for name in ("message_id", "message_ts", "action", "sender_id"):
        field(header, name)
    field(header, "total_count", int)
    kind = {"create_disbursements": list, "cancel_disbursements": list, "get_disbursement_status": list}
    kind["get_disbursement_envelope_status"] = str
    return header, field(body, "message", kind.get(request.path.strip("/"), dict))


def _envelope_message(message, envelope_id):
    values = {name: message.get(name) for name in DECLARED}
    return {"id": None, "disbursement_envelope_id": envelope_id, **values}


def _item_checks(item):
    yield _number(item["disbursement_amount"]) > 0, "INVALID_DISBURSEMENT_AMOUNT"
    yield bool(item["beneficiary_id"]), "INVALID_BENEFICIARY_ID"
    yield bool(item["beneficiary_name"]), "INVALID_BENEFICIARY_NAME"
    yield bool(item["narrative"]), "INVALID_NARRATIVE"


def _number(value):
    return value if isinstance(value, int | float) and not isinstance(value, bool) else -1


def _day(text):
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        return date.min


def _today():
    return datetime.now(UTC).date()


def _naive(seconds):
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
