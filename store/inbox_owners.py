"""Who of the staff has taken up what waits for a person. It locks nothing: it tells the others."""

from __future__ import annotations

from datetime import datetime

from store.database import Transaction


async def take(tx: Transaction, item: str, staff_id: str, *, at: datetime) -> None:
    """It is this person's now, whoever had it before."""
    await tx.run(
        """INSERT INTO inbox_owners (item, staff_id, taken_at) VALUES (:item, :staff, :at)
           ON CONFLICT (item) DO UPDATE SET staff_id = excluded.staff_id, taken_at = excluded.taken_at""",
        item=item,
        staff=staff_id,
        at=at,
    )


async def release(tx: Transaction, item: str, staff_id: str) -> bool:
    """It is nobody's again; False when it was not this person's."""
    gone = await tx.run("DELETE FROM inbox_owners WHERE item = :item AND staff_id = :staff", item=item, staff=staff_id)
    return gone == 1
