"""What every ERP connector that gives the ERP's own PDFs must pass: subclass it beside `ErpConformance`."""

from __future__ import annotations

from typing import Protocol

from connectors.conformance.erp_harness import ErpHarness, ErpUnderTest, raised
from connectors.erp.ports import TypesetsDocuments
from connectors.errors import Rejected, Unavailable
from domain.money import Money


class TypesettingErpUnderTest(ErpUnderTest, TypesetsDocuments, Protocol):
    """A connector that gives PDFs too."""


class TypesettingErpHarness(ErpHarness, Protocol):
    """A far side whose connector gives PDFs too."""

    erp: TypesettingErpUnderTest


class ErpTypesetting:
    """PDFs: a whole file or a clear no, never something else in its place."""

    async def test_an_invoice_has_a_pdf_and_what_does_not_exist_is_rejected(self, harness: TypesettingErpHarness) -> None:
        assert isinstance(harness.erp, TypesetsDocuments)
        customer = await harness.make_customer(currency="USD")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(1_000, "USD"))
        file = await harness.erp.invoice_pdf(invoice)
        assert file.startswith(b"%PDF-")
        assert file.rstrip().endswith(b"%%EOF")
        await raised(Rejected, harness.erp.invoice_pdf("nothing-has-this-id"))
        # An invoice is no credit note, whatever its id is.
        await raised(Rejected, harness.erp.credit_note_pdf(invoice))

    async def test_while_the_erp_is_down_a_pdf_is_unavailable(self, harness: TypesettingErpHarness) -> None:
        customer = await harness.make_customer(currency="USD")
        invoice = await harness.make_invoice(customer=customer, total=Money.of(1_000, "USD"))
        await harness.go_down()
        await raised(Unavailable, harness.erp.invoice_pdf(invoice))
        await harness.come_back()
        assert (await harness.erp.invoice_pdf(invoice)).startswith(b"%PDF-")
