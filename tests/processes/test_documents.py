"""The ERP's own PDF: asked for once a version when somebody looks, and Duly's meanwhile, also while the ERP is down."""

from __future__ import annotations

import io

import httpx
from pypdf import PdfReader

from store import access
from tests.processes.house import House, now, until


async def come_in(house: House, customer_id: str) -> httpx.AsyncClient:
    async with house.admin.begin("test") as tx:
        link = await access.create_link(tx, customer_id, by="test", at=now(), days=2)
    visitor = httpx.AsyncClient(base_url=house.base_url, headers={"Sec-Fetch-Site": "same-origin"}, trust_env=False)
    assert (await visitor.post(f"/l/{link.token}")).status_code == 303
    return visitor


async def said(visitor: httpx.AsyncClient, invoice_id: str) -> str:
    answer = await visitor.get(f"/invoices/{invoice_id}.pdf")
    assert answer.status_code == 200, answer.text
    return PdfReader(io.BytesIO(answer.content)).pages[0].extract_text()


async def test_dulys_pdf_is_there_at_once_and_the_erps_once_the_erp_has_given_it(house: House) -> None:
    customer_id, (invoice_id,) = await house.customer()
    visitor = await come_in(house, customer_id)
    try:
        await house.knobs(down=True)
        try:
            for _ in range(2):
                assert "Printed by the demo ERP" not in await said(visitor, invoice_id)
        finally:
            await house.knobs(down=False)

        async def printed() -> bool:
            return "Printed by the demo ERP" in await said(visitor, invoice_id)

        await until(printed, what="the ERP's own PDF")
    finally:
        await visitor.aclose()
    kept = await house.one("SELECT state, version, digest FROM erp_documents WHERE document_id = :id", id=invoice_id)
    read = await house.one("SELECT read_seq FROM invoices WHERE id = :id", id=invoice_id)
    assert (kept.state, kept.version, len(kept.digest)) == ("kept", read.read_seq, 64)
