"""P3"""
from datetime import UTC, datetime
from bench.data import Books
from bench.ground import Ground
from bench import load
from store import access

# Fifty invoices that are split into three sites each: two hundred rows on one page.
_SPLIT = """
INSERT INTO invoices (id, connection_id, erp_id, customer_id, parent_id, is_parent, number, site, po_number, currency,
                      issued_on, due_on, status, status_word, total, settled, read_seq, changed_at)
SELECT 'inv_' || lpad((p * 4 + s)::text, 26, '0'), 'demo', (p * 4 + s)::text, %(customer)s,
       CASE WHEN s > 0 THEN 'inv_' || lpad((p * 4)::text, 26, '0') END, s = 0,
       'INV-' || lpad(p::text, 6, '0') || CASE WHEN s > 0 THEN '-' || s ELSE '' END, CASE WHEN s > 0 THEN 'Site ' || s END,
       CASE WHEN p %% 3 = 0 THEN 'PO-' || p * 7 END, 'GBP', date %(on)s - p, date %(on)s - p + 25, 'open', 'open',
       CASE WHEN s = 0 THEN 0 ELSE 1000 + (p * 4 + s) * 7919 %% 250000 END, 0, 1, %(at)s
FROM generate_series(1, 50) p, generate_series(0, 3) s"""


def multi_site(books: Books, customer: str) -> None:
    at = datetime.now(UTC)
    books.run((_SPLIT, {"customer": customer, "at": at, "on": at.date().isoformat()}))
    books.settle_down("invoices", "customers")


async def session_cookie(under: Ground, port: int, customer: str) -> str:
    async with under.database("duly_staff", pool_size=1) as database, database.begin("bench") as tx:
        link = await access.create_link(tx, customer, by="bench", at=datetime.now(UTC), days=1)
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
    answer = await load.ask(port, load.request("POST", f"/l/{link.token}", port, headers=headers, body=b" "))
    print(answer)
    return ""
