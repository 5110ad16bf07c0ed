"""People, groups and memberships from CSV files or an Excel workbook, in the same shape as from a server.

    reader = FileReader({"people": ("people.csv", b"id,name\\r\\n1,Ana\\r\\n")})
    reader.individuals(limit=500)

Strict, so that nothing is read wrongly in silence: CSV in UTF-8; dates as 2026-01-31, or date cells of Excel; a column
that nobody knows refuses the file; a value that cannot be read refuses its row, with its number.
"""

import csv
import hashlib
import io
import re
import zipfile
from datetime import date, timedelta

from lxml import etree

from .errors import SourceError
from .records import LONGEST_KEY, Bad, BadRecord, Listed, Page, parse
from .session import Probe

MOST_BYTES = 200 * 1024 * 1024  # unpacked
MANY = 9  # phone, phone_2 … phone_9
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
YES, NO = ("yes", "true", "1"), ("no", "false", "0")

# column → (what it holds, what to write there)
REGISTRANT = {
    "email": ("text", "E-mail address"),
    "address": ("text", "Lines of the address; the first is the street"),
    "registration_date": ("date", "Day of registration"),
    "disabled": ("date", "Day since which the registrant is disabled; empty: active"),
    "phone": ("text", "Phone number, best with + and country code; more in phone_2 … phone_9"),
    "document_type": ("text", "Name of the document's type; more in document_type_2 … document_type_9"),
    "document_number": ("text", "Number of the document, beside its type"),
    "document_expiry": ("date", "Last day of the document, beside its type"),
    "bank": ("text", "Name of the bank; more in bank_2 … bank_9"),
    "bic": ("text", "BIC of the bank, beside it"),
    "account": ("text", "Account number; the first account is the primary one"),
}
COLUMNS = {
    "people": {
        "id": ("text", "Needed. What the source calls this person; the same in every file"),
        "name": ("text", "Needed. The whole name"),
        "family_name": ("text", "Family name"),
        "given_name": ("text", "Given name"),
        "additional_name": ("text", "Additional names"),
        "gender": ("text", "Word for the gender; it is given a meaning under Names at the Source"),
        "birthdate": ("date", "Date of birth"),
        "birthdate_exact": ("yes", "yes, or no where only the year or an estimate is known"),
        "birth_place": ("text", "Place of birth"),
        **REGISTRANT,
    },
    "groups": {
        "id": ("text", "Needed. What the source calls this group; the same in every file"),
        "name": ("text", "Needed. Name of the group"),
        "kind": ("text", "Kind of group"),
        **REGISTRANT,
    },
    "memberships": {
        "group": ("text", "Needed. The id of the group"),
        "person": ("text", "Needed. The id of the person"),
        "roles": ("text", "Roles, with ; between them"),
        "start": ("date", "First day"),
        "ended": ("date", "First day on which the person no longer belongs; empty: still does"),
    },
}
NEEDED = {"people": ("id", "name"), "groups": ("id", "name"), "memberships": ("group", "person")}
REPEATED = ("phone", "document_type", "document_number", "document_expiry", "bank", "bic", "account")
KINDS = {"people": "individual", "groups": "group", "memberships": "membership"}
EXCEL = b"PK\x03\x04"


class FileReader:
    """:param files: {"people", "groups", "memberships" or "workbook": (file name, bytes)}
    :param is_whole: the files hold the whole registry, so who is not in them has left
    """

    def __init__(self, files, is_whole=False):
        self.reads_all = is_whole
        self._tables = read_files(files)

    def newest(self):
        return None

    def count(self):
        rows = self.counts()
        return Probe(individuals=rows.get("people", 0), groups=rows.get("groups", 0))

    def counts(self):
        return {name: len(rows) for name, rows in self._tables.items()}

    def individuals(self, after=0, limit=500, since=None):
        """The rows of people after so many."""
        return self._page("people", after, limit)

    def groups(self, after=0, limit=500, since=None):
        """The rows of groups after so many, each with its memberships."""
        page = self._page("groups", after, limit)
        if after == 0:
            page.bad += self._stray()
        return page

    def _page(self, name, after, limit):
        rows = self._tables.get(name, [])
        page = Page(after=after + limit if after + limit < len(rows) else None)
        if self.reads_all and page.after is None:
            page.listed = Listed([row.get("id") for _number, row in rows])
        twice = self._twice(name)
        for number, row in rows[after : after + limit]:
            where = f"row {number} of {name}"
            try:
                if row.get("id") in twice:
                    raise BadRecord(f"the id “{row['id']}” is used twice")
                page.records.append(parse(KINDS[name], self._record(name, row)))
            except BadRecord as error:
                told = str(row.get("id") or f"row {number}")
                page.bad.append(
                    Bad(
                        KINDS[name],
                        f"{KINDS[name]}:{told}",
                        str(row.get("name") or ""),
                        f"{where}: {error}",
                        {},
                    )
                )
        return page

    def _twice(self, name):
        seen, twice = set(), set()
        for _number, row in self._tables.get(name, []):
            (twice if row.get("id") in seen else seen).add(row.get("id"))
        return twice

    def _record(self, name, row):
        record = {key: value for key, value in row.items() if key.split("_")[-1] not in "23456789"}
        for key in REPEATED:
            record.pop(key, None)
        record["ids"], record["phone_numbers"], record["bank_ids"] = [], [], []
        for place in ["", *(f"_{number}" for number in range(2, MANY + 1))]:
            if row.get(f"phone{place}"):
                record["phone_numbers"].append({"phone_no": row[f"phone{place}"]})
            if row.get(f"document_number{place}"):
                record["ids"].append(
                    {
                        "id_type": row.get(f"document_type{place}"),
                        "value": row[f"document_number{place}"],
                        "expiry_date": row.get(f"document_expiry{place}"),
                    }
                )
            if row.get(f"account{place}"):
                record["bank_ids"].append(
                    {
                        "acc_number": row[f"account{place}"],
                        "bank_name": row.get(f"bank{place}"),
                        "bic": row.get(f"bic{place}"),
                    }
                )
        for key, (kind, _help) in COLUMNS[name].items():
            for column in [key, *(f"{key}_{number}" for number in range(2, MANY + 1))]:
                if kind == "date":
                    _check_date(column, row.get(column))
        if isinstance(record.get("birthdate_exact"), str):
            record["birthdate_exact"] = _yes_or_no(record["birthdate_exact"])
        if name == "groups" and "memberships" in self._tables:
            record["members"] = [
                {
                    "id": _place_id(one),
                    "individual": one.get("person"),
                    "kind": [role.strip() for role in (one.get("roles") or "").split(";") if role.strip()],
                    "start_date": _check_date("start", one.get("start")),
                    "ended_date": _check_date("ended", one.get("ended")),
                }
                for _number, one in self._members().get(row.get("id"), [])
            ]
        return record

    def _members(self):
        if not hasattr(self, "_by_group"):
            self._by_group = {}
            for number, row in self._tables["memberships"]:
                self._by_group.setdefault(row.get("group"), []).append((number, row))
        return self._by_group

    def _stray(self):
        """Memberships of groups that are not in the file of groups."""
        if "memberships" not in self._tables:
            return []
        groups = {row.get("id") for _number, row in self._tables.get("groups", [])}
        return [
            Bad(
                "membership",
                f"membership:row {number}",
                f"{row.get('person') or ''}",
                f"row {number} of memberships: the group “{row.get('group') or ''}” is not among the groups",
                {},
            )
            for group, rows in self._members().items()
            if group not in groups
            for number, row in rows
        ]


def _check_date(column, value):
    if isinstance(value, NotText):
        raise BadRecord(f"{column}: it is a number; make it a date cell, or write it like 2026-01-31")
    if isinstance(value, str) and value.strip() and not DATE.fullmatch(value.strip()):
        raise BadRecord(f"{column}: “{value[:40]}” cannot be read, it is not a date like 2026-01-31")
    return value


def _place_id(row):
    """A name for a membership that stays when rows are moved about in the file."""
    text = "/".join(str(row.get(name) or "") for name in ("group", "person", "start"))
    return text if len(text) <= LONGEST_KEY else hashlib.sha256(text.encode()).hexdigest()


def _yes_or_no(value):
    if not value.strip():
        return None
    if value.strip().lower() in YES + NO:
        return value.strip().lower() in YES
    raise BadRecord(f"birthdate_exact: “{value[:40]}” cannot be read, write yes or no")


def read_files(files):
    """{"people": [(row number, {column: value})], …} of the files, or SourceError."""
    tables = {}
    for name, (file_name, data) in files.items():
        if not data:
            continue
        if name == "workbook":
            if not data.startswith(EXCEL):
                raise SourceError(f"{file_name} is no Excel workbook (.xlsx).")
            sheets = {title.strip().lower(): rows for title, rows in read_workbook(file_name, data).items()}
            for sheet in COLUMNS:
                if sheet in sheets:
                    tables[sheet] = _table(f"{file_name}, {sheet}", sheet, sheets[sheet])
            if not tables:
                raise SourceError(f"{file_name} has no sheet named people, groups or memberships.")
        elif data.startswith(EXCEL):
            rows = next(iter(read_workbook(file_name, data).values()), [])
            tables[name] = _table(file_name, name, rows)
        else:
            tables[name] = _table(file_name, name, _read_csv(file_name, data))
    if not tables:
        raise SourceError("Nothing has been uploaded.")
    return tables


def _read_csv(file_name, data):
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"{file_name} is not in UTF-8 (row {row}). Save it as “CSV UTF-8” and upload it again."
        ) from None
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        return [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise SourceError(f"{file_name} is no CSV file: {error}.") from None


def _table(place, name, rows):
    """Rows as dicts; the header says which column is which."""
    rows = [(number, row) for number, row in rows if any(cell not in (None, "") for cell in row)]
    if not rows:
        raise SourceError(f"{place} is empty: it has no row of column names.")
    header = [str(cell or "").strip().lower() for cell in rows[0][1]]
    while header and not header[-1]:
        header.pop()
    known = {*COLUMNS[name]} | {
        f"{key}_{number}" for key in REPEATED if key in COLUMNS[name] for number in range(2, MANY + 1)
    }
    if unknown := [column or "(empty)" for column in header if column not in known]:
        raise SourceError(
            f"{place}: no column is called {', '.join(unknown)}. Use the names of the template."
        )
    if missing := [column for column in NEEDED[name] if column not in header]:
        raise SourceError(f"{place}: the column {', '.join(missing)} is missing.")
    if len(set(header)) < len(header):
        raise SourceError(f"{place}: a column is there twice.")
    table = []
    for number, row in rows[1:]:
        values = {}
        for column, cell in zip(header, row, strict=False):
            values[column] = cell.strip() if isinstance(cell, str) and not isinstance(cell, NotText) else cell
        if len(row) > len(header) and any(cell not in (None, "") for cell in row[len(header) :]):
            raise SourceError(f"{place}: row {number} has more cells than there are columns.")
        table.append((number, values))
    return table


# Excel


class NotText(str):
    """A number cell, as digits. Where a date is wanted it is none."""


SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
DATE_FORMATS = {*range(14, 23), *range(45, 48)}
EPOCH = date(1899, 12, 30)


def read_workbook(file_name, data):
    """{sheet: [(row number, cells)]}. Cells are texts, dates, or whole numbers as digits."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            if sum(info.file_size for info in package.infolist()) > MOST_BYTES:
                raise SourceError(f"{file_name} is too large.")
            links = {
                one.get("Id"): one.get("Target").lstrip("/").removeprefix("xl/")
                for one in _xml(package, "xl/_rels/workbook.xml.rels")
            }
            book = _xml(package, "xl/workbook.xml")
            if (settings := book.find(f"{SHEET}workbookPr")) is not None and settings.get("date1904") in (
                "1",
                "true",
            ):
                raise SourceError(f"{file_name} counts days from 1904. Save it with dates from 1900.")
            texts = _shared_texts(package)
            dates = _date_styles(package)
            return {
                sheet.get("name"): _read_sheet(_xml(package, "xl/" + links[sheet.get(LINK)]), texts, dates)
                for sheet in book.iter(f"{SHEET}sheet")
            }
    except (zipfile.BadZipFile, KeyError, etree.XMLSyntaxError, ValueError, IndexError):
        raise SourceError(f"{file_name} cannot be read as an Excel workbook (.xlsx).") from None


def _xml(package, name):
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return etree.fromstring(package.read(name), parser)


def _shared_texts(package):
    if "xl/sharedStrings.xml" not in package.namelist():
        return []
    strings = _xml(package, "xl/sharedStrings.xml")
    return ["".join(text.text or "" for text in one.iter(f"{SHEET}t")) for one in strings.iter(f"{SHEET}si")]


def _date_styles(package):
    """The numbers of the styles that show a date."""
    if "xl/styles.xml" not in package.namelist():
        return set()
    styles = _xml(package, "xl/styles.xml")
    formats = set(DATE_FORMATS)
    for one in styles.iter(f"{SHEET}numFmt"):
        code = re.sub(r'"[^"]*"|\[[^\]]*\]|\\.', "", one.get("formatCode") or "").lower()
        if "y" in code or ("d" in code and "m" in code):
            formats.add(int(one.get("numFmtId")))
    cells = styles.find(f"{SHEET}cellXfs")
    return {
        number
        for number, one in enumerate(cells if cells is not None else ())
        if int(one.get("numFmtId") or 0) in formats
    }


def _read_sheet(sheet, texts, dates):
    rows = []
    for row in sheet.iter(f"{SHEET}row"):
        cells = []
        for cell in row.iter(f"{SHEET}c"):
            column = _column(cell.get("r")) if cell.get("r") else len(cells)
            cells += [None] * (column - len(cells))
            cells.append(_cell(cell, texts, dates))
        rows.append((int(row.get("r") or len(rows) + 1), cells))
    return rows


def _column(reference):
    number = 0
    for letter in re.match(r"[A-Z]+", reference)[0]:
        number = number * 26 + ord(letter) - 64
    return number - 1


def _cell(cell, texts, dates):
    kind, value = cell.get("t"), cell.findtext(f"{SHEET}v")
    if kind == "inlineStr":
        return "".join(text.text or "" for text in cell.iter(f"{SHEET}t"))
    if value is None:
        return None
    if kind == "s":
        return texts[int(value)]
    if kind == "b":
        return "yes" if value == "1" else "no"
    if kind in ("str", "d"):
        return value
    if kind == "e":
        return NotText(value)
    if int(cell.get("s") or 0) in dates:
        return EPOCH + timedelta(days=int(float(value)))
    number = float(value)
    return NotText(int(number) if number == int(number) and abs(number) < 1e15 else value)
