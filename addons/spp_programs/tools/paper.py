"""Payments on paper: a list with a QR code for each, and a list to sign when money is handed out.

The same orders and the same `created` give the same bytes.
"""

import io
import textwrap
from functools import cache

from odoo.tools import file_path

FONT = "web/static/fonts/sign/NotoSans-Reg.ttf"
MARGIN = 36
SMALLEST = 7  # points that can still be read on paper
COLUMNS = (0, 200, 290, 370)  # of the list to sign


@cache
def _font():
    """A font that has more than the Latin letters of Western Europe, where Odoo brings it along."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    try:
        pdfmetrics.registerFont(TTFont("SPP", file_path(FONT)))
        return "SPP"
    except (FileNotFoundError, ValueError):
        return "Helvetica"


def fitting(text, size, room):
    """The text and its size as they fit into `room` points: smaller, and where that is not enough, cut short."""
    from reportlab.pdfbase.pdfmetrics import stringWidth

    while size > SMALLEST and stringWidth(text, _font(), size) > room:
        size -= 0.5
    if stringWidth(text, _font(), size) > room:
        while text and stringWidth(f"{text}…", _font(), size) > room:
            text = text[:-1]
        text = f"{text.rstrip()}…"
    return text, size


def qr_text(order):
    """What a payment's QR code says: reference, amount and currency, and nothing about the person."""
    return f"SPP:{order.reference}:{order.amount}:{order.currency}"


def payment_list(title, subtitle, orders):
    """Return the PDF of payments with a QR code and the account of each, eight on a page."""
    paper = _Paper(title, subtitle)
    for number, order in enumerate(orders):
        row = number % 8
        if row == 0:
            paper.page()
        top = paper.top - row * 84
        paper.line(top)
        _draw_qr(paper.canvas, qr_text(order), MARGIN, top - 78, 72)
        paper.text(MARGIN + 86, top - 20, f"{number + 1}.  {order.reference}", 11)
        paper.text(MARGIN + 86, top - 38, order.payee_name or "", 11, room=paper.width - 2 * MARGIN - 86)
        paper.text(MARGIN + 86, top - 56, " ".join(filter(None, (order.number, order.bic))), 10)
        paper.right(top - 20, f"{order.amount:,} {order.currency}", 12)
    return paper.done()


def signature_list(title, subtitle, orders):
    """Return the PDF of a list to sign: one line for each payment, with room for date and signature or thumbprint."""
    paper = _Paper(title, subtitle)
    for number, order in enumerate(orders):
        row = number % 14
        if row == 0:
            paper.page(("Reference, name", "Amount", "Date", "Signature or thumbprint, and who collects"))
        top = paper.top - 16 - row * 46
        paper.line(top)
        name, amount, date, signature = (MARGIN + column for column in COLUMNS)
        paper.text(name, top - 16, f"{number + 1}.  {order.payee_name or ''}", 10, room=amount - name - 8)
        paper.text(name + 14, top - 32, order.reference, 8)
        paper.text(amount, top - 16, f"{order.amount:,} {order.currency}", 10, room=date - amount - 8)
        paper.text(date, top - 34, "____________", 10)
        paper.text(signature, top - 34, "__________________________", 10)
    return paper.done()


def collection_list(title, subtitle, lines, heads):
    """Return the PDF of goods to be collected: one line for each, with room for date and signature or thumbprint.

    :param lines: [(area, name, reference, goods)], in the order in which they are printed; each area begins a page
    :param heads: titles of the columns name, goods, date, signature
    """
    paper = _Paper(title, subtitle)
    area, row = None, 0
    for number, (of_area, name, reference, goods) in enumerate(lines):
        if of_area != area or row == 14:
            row = 0
            paper.page(heads)
            paper.text(MARGIN, paper.height - 84, of_area, 10)
        area = of_area
        top = paper.top - 16 - row * 46
        paper.line(top)
        paper.text(MARGIN, top - 16, f"{number + 1}.  {_fits(name, 36)}", 10)
        paper.text(MARGIN + 14, top - 32, reference, 8)
        for part, text in enumerate(textwrap.wrap(goods, 20)[:3]):
            paper.text(MARGIN + 200, top - 12 - 12 * part, text, 9)
        paper.text(MARGIN + 300, top - 34, "____________", 10)
        paper.text(MARGIN + 378, top - 34, "__________________________", 10)
        row += 1
    return paper.done()


def _fits(text, most):
    return text if len(text) <= most else f"{text[: most - 1]}…"


class _Paper:
    """A4 pages with a head and a number."""

    def __init__(self, title, subtitle):
        from reportlab.lib.pagesizes import A4
        from reportlab.pdfgen.canvas import Canvas

        self.width, self.height = A4
        self.out = io.BytesIO()
        self.canvas = Canvas(self.out, pagesize=A4, invariant=1, pageCompression=1)
        self.canvas.setTitle(title)
        self.title, self.subtitle, self.pages, self.top = title, subtitle, 0, self.height - 110

    def page(self, heads=()):
        if self.pages:
            self.canvas.showPage()
        self.pages += 1
        self.text(MARGIN, self.height - 50, self.title, 14, room=self.width - 2 * MARGIN - 40)
        self.text(MARGIN, self.height - 68, self.subtitle, 9, room=self.width - 2 * MARGIN)
        self.right(self.height - 50, str(self.pages), 9)
        for x, head in zip(COLUMNS, heads, strict=False):
            self.text(MARGIN + x, self.top - 10, head, 8, room=self.width - 2 * MARGIN - x)

    def text(self, x, y, text, size, room=None):
        if room:
            text, size = fitting(text, size, room)
        self.canvas.setFont(_font(), size)
        self.canvas.drawString(x, y, text)

    def right(self, y, text, size):
        self.canvas.setFont(_font(), size)
        self.canvas.drawRightString(self.width - MARGIN, y, text)

    def line(self, y):
        self.canvas.setLineWidth(0.4)
        self.canvas.line(MARGIN, y, self.width - MARGIN, y)

    def done(self):
        self.canvas.save()
        return self.out.getvalue()


def _draw_qr(canvas, text, x, y, size):
    """Draw the code as runs of dark modules, which is some hundred rectangles fewer than one for each."""
    from reportlab.graphics.barcode.qrencoder import QRCode, QRErrorCorrectLevel

    code = QRCode(None, QRErrorCorrectLevel.M)
    code.addData(text)
    code.make()
    count = code.getModuleCount()
    step = size / (count + 8)  # four modules of quiet around it
    path = canvas.beginPath()
    for row in range(count):
        start = None
        for column in range(count + 1):
            dark = column < count and code.isDark(row, column)
            if dark and start is None:
                start = column
            elif not dark and start is not None:
                path.rect(x + (start + 4) * step, y + size - (row + 5) * step, (column - start) * step, step)
                start = None
    canvas.drawPath(path, stroke=0, fill=1)
