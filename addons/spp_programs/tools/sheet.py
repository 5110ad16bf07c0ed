"""Tables as CSV and Excel, written and read. Plain Python; it knows no Odoo.

A text that a spreadsheet would take for a formula is written so that it stays a text.
"""

import csv
import datetime
import io
import zipfile

MOST_BYTES = 20_000_000
MOST_UNPACKED = 200_000_000
MOST_ROWS = 100_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Unreadable(ValueError):
    """The file is no table that can be read; the text says why."""


def write_csv(header, rows):
    """Return the bytes of a CSV file: UTF-8 with a mark for Excel, a comma between fields, all of them quoted."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode("utf-8-sig")


def write_xlsx(header, rows, created):
    """Return the bytes of an Excel file with one sheet; every cell is a text, so that no digit is lost.

    :param created: datetime that the file bears; the same rows and the same `created` give the same bytes
    """
    import xlsxwriter

    out = io.BytesIO()
    book = xlsxwriter.Workbook(
        out, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    book.set_properties({"created": created})
    sheet = book.add_worksheet()
    bold = book.add_format({"bold": True})
    for column, title in enumerate(header):
        sheet.write_string(0, column, title, bold)
        sheet.set_column(column, column, 22)
    for number, row in enumerate(rows, 1):
        for column, value in enumerate(row):
            sheet.write_string(number, column, value or "")
    sheet.freeze_panes(1, 0)
    book.close()
    return out.getvalue()


def plain(text):
    """`text` as a spreadsheet shows it and never calculates it.

    >>> plain("=1+1")
    "'=1+1"
    """
    return f"'{text}" if text and text.startswith(FORMULA) else text or ""


def is_excel(name):
    return name.lower().endswith((".xlsx", ".xlsm"))


def about_rows(name, content):
    """How many rows a file has at most, at no cost: an Excel file packs a row into 20 bytes at the least."""
    return len(content) // 20 if is_excel(name) else content.count(b"\n")


def read(name, content):
    """Read a CSV or an Excel file whose first row has the titles.

    :param name: the file's name; its ending says what it is
    :param content: bytes
    :return: [{title in lower case: text}], one for each row that is not empty
    :raise Unreadable:
    """
    if len(content) > MOST_BYTES:
        raise Unreadable("The file is larger than 20 MB. Split it.")
    lines = _excel(content) if is_excel(name) else _csv(content)
    rows = []
    titles = None
    for line in lines:
        if not any(line):
            continue
        if titles is None:
            titles = [title.strip().lower().replace(" ", "_") for title in line]
            named = [title for title in titles if title]
            if len(set(named)) != len(named):
                raise Unreadable("Two columns of the file have the same title.")
            continue
        if len(rows) == MOST_ROWS:
            raise Unreadable("The file has more than 100,000 rows. Split it.")
        rows.append({title: value for title, value in zip(titles, line, strict=False) if title})
    if not rows:
        raise Unreadable("The file has no rows under its titles.")
    return rows


def _csv(content):
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            text = content.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise Unreadable("The file is neither a CSV nor an Excel file.")
    if "\0" in text:
        raise Unreadable("The file is neither a CSV nor an Excel file.")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            yield [cell.strip() for cell in line]
    except csv.Error as error:
        raise Unreadable(f"The CSV file cannot be read: {error}.") from None


def _excel(content):
    import openpyxl

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(each.file_size for each in packed.infolist()) > MOST_UNPACKED:
                raise Unreadable("The Excel file is too large when it is unpacked.")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except Unreadable:
        raise
    except Exception:  # a damaged file breaks in many ways, none of them worth telling apart
        raise Unreadable("The file is no Excel file that can be read.") from None
    try:
        for line in book.worksheets[0].iter_rows(values_only=True):
            yield [_text(value) for value in line]
    finally:
        book.close()


def _text(value):
    """A cell as a person would have typed it: 1250.5, 2026-11-21, not 1250.500000001 or a time of midnight."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime.datetime):
        return (
            value.date().isoformat()
            if value.time() == datetime.time()
            else value.isoformat(sep=" ", timespec="seconds")
        )
    return str(value).strip()
