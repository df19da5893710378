"""What a delivery proves is stored with its event, at the door where it came."""

from __future__ import annotations

from temporalio.client import Client

from connectors.payments.adyen import AdyenConfig, build
from tests import machine
from tests.api.house import open_house
from tests.connectors.adyen.test_adyen_webhooks import ACCOUNT, GENUINE, SECRETS, batch, signed_item


async def test_what_an_event_proves_is_stored_with_it(
    database: machine.Database, temporal_client: Client, task_queue: str
) -> None:
    provider = build(AdyenConfig(api_key="AQE", merchant_account=ACCOUNT, hmac_keys=SECRETS, is_live=False))
    first = signed_item({**GENUINE, "merchantReference": "pay_1-1.card"})
    second = signed_item({**GENUINE, "merchantReference": "pay_2-1.sepa_debit", "pspReference": "OTHER"})
    async with open_house(database, temporal_client, task_queue=task_queue, providers={"sandbox": provider}) as house:
        house.accounts.provider()
        async with house.browser(raises=False) as visitor:
            answer = await visitor.post("/webhooks/sandbox", content=batch(first, second))
        async with house.services.staff.begin("test") as tx:
            rows = await tx.rows("SELECT our_ref, facts FROM inbox ORDER BY our_ref")
    await provider.aclose()
    assert answer.status_code == 202
    assert [(row.our_ref, row.facts["kind"], row.facts["value"], row.facts["success"]) for row in rows] == [
        ("pay_1-1", "card", "1000", "true"),
        ("pay_2-1", "sepa_debit", "1000", "true"),
    ]
