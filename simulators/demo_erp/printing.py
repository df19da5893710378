"""The demo ERP's own print of an invoice or a credit note: a page of its own looks, so that nobody takes it for Duly's."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from reportlab.pdfgen.canvas import Canvas


def printed(kind: str, document: Mapping[str, Any]) -> bytes:
    """A PDF of one page."""
    written = io.BytesIO()
    canvas = Canvas(written, invariant=1)
    canvas.setTitle(f"{kind} {document['number']}")
    canvas.setFont("Times-Bold", 20)
    canvas.drawString(72, 760, f"{kind} {document['number']}")
    canvas.setFont("Times-Roman", 12)
    y = 730
    for name in ("currency", "issued_on", "due_on", "total", "settled", "status"):
        if name in document:
            canvas.drawString(72, y, f"{name}: {document[name]}")
            y -= 18
    canvas.drawString(72, 60, "Printed by the demo ERP")
    canvas.showPage()
    canvas.save()
    return written.getvalue()
