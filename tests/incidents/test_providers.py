"""Traps of payment providers: keys that repeat, keys that compare nothing, a success that is none, batches, early events.

Each is played against Duly, and against the naive variant that it happened to, which must fail.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from connectors.errors import WebhookRejected
from connectors.payments.adyen import signing, webhooks
from connectors.payments.ports import ChargeStatus
from tests import machine
from tests.incidents.scene import Scene, scene
from tests.naive import hubs
from tests.naive.far_sides import AcceptedIsPaid, AsksWithTheKey, ComparesNothing, KeyOfTheMethod, TrustsTheKey
from tests.simulation.provider import Told
from tests.simulation.town import Rules


async def a_500_is_kept_under_the_key(database: machine.Database, rules: Rules) -> None:
    async with scene(database, rules) as played:
        request = await played.request()
        played.pay(request)
        await played.meets("provider.write", "answer 500")
        await played.town.go_on()
        await played.later(timedelta(hours=2))
        assert played.moving(request.payment_id) == 1
        assert await played.state(request.payment_id) == "captured"


async def test_a_500_that_a_key_repeats_is_looked_up_and_not_asked_for_again(database: machine.Database) -> None:
    """Stripe keeps the answer of a key for a day, 500s and declines as well."""
    await a_500_is_kept_under_the_key(database, Rules())


async def test_whoever_asks_with_the_key_hears_the_500_until_it_is_forgotten(database: machine.Database) -> None:
    with pytest.raises(AssertionError):
        await a_500_is_kept_under_the_key(database, Rules(provider=AsksWithTheKey))


async def declined_and_tried_once_more(database: machine.Database, rules: Rules) -> None:
    async with scene(database, rules) as played:
        invoice = (await played.invoices())[0]
        declined = await played.request(behaviour="declined", invoice=invoice)
        played.pay(declined)
        await played.town.come_to_rest()
        assert await played.state(declined.payment_id) == "declined"
        again = await played.request(behaviour="ok", invoice=invoice)  # the same card, which has money now
        played.pay(again)
        await played.town.come_to_rest()
        assert await played.state(again.payment_id) == "captured"
        assert (played.moving(declined.payment_id), played.moving(again.payment_id)) == (0, 1)


async def test_a_new_attempt_after_a_decline_has_a_key_of_its_own(database: machine.Database) -> None:
    await declined_and_tried_once_more(database, Rules())


async def test_a_key_of_the_method_and_the_amount_repeats_the_decline(database: machine.Database) -> None:
    with pytest.raises(AssertionError):
        await declined_and_tried_once_more(database, Rules(provider=KeyOfTheMethod))


async def a_key_has_made_another_amount(database: machine.Database, rules: Rules) -> None:
    async with scene(database, rules) as played:
        request = await played.request()
        played.pay(request)
        await played.town.come_to_rest()
        taken = sum(each.amount.minor for each in played.charges(request.payment_id))
        assert taken == request.lines[0].minor - 1
        assert await played.state(request.payment_id) == "unknown"
        assert await played.count("journal_entries", "process_id = :id", id=request.payment_id) == 0
        assert await played.count("holds", "holder_id = :id", id=request.payment_id) == 1
        alarm = "process_id = :id AND kind = 'another_amount' AND closed_at IS NULL"
        assert await played.count("differences", alarm, id=request.payment_id) == 1


async def test_a_key_that_answers_with_another_amount_is_an_alarm_and_never_booked_as_asked(
    database: machine.Database,
) -> None:
    """GoCardless's conflict names what the key made, and compares nothing with what is asked now."""
    await a_key_has_made_another_amount(database, Rules(provider=ComparesNothing))


async def test_whoever_trusts_the_key_books_money_that_nobody_took(database: machine.Database) -> None:
    with pytest.raises(AssertionError):
        await a_key_has_made_another_amount(database, Rules(provider=TrustsTheKey))


async def a_debit_is_accepted_and_comes_back(database: machine.Database, rules: Rules) -> None:
    async with scene(database, rules) as played:
        request = await played.request(behaviour="debit_returns")
        played.pay(request)
        await played.town.go_on()
        assert await played.state(request.payment_id) == "processing"
        assert [each for each in played.town.erp.documents if each.reference is not None] == []
        await played.later(timedelta(hours=3))
        await played.town.come_to_rest()
        await played.later(timedelta(days=1))
        await played.town.come_to_rest()
        assert await played.state(request.payment_id) == "returned"
        kinds = sorted(each.kind for each in played.town.erp.documents if each.reference is not None)
        assert kinds == ["payment", "reversal"]


async def test_a_debit_that_was_accepted_is_on_its_way_and_its_return_is_booked(database: machine.Database) -> None:
    """Adyen's AUTHORISATION of a debit with success=true is no money yet, and its return comes as a CHARGEBACK."""
    await a_debit_is_accepted_and_comes_back(database, Rules())


async def test_an_accepted_debit_taken_for_paid_is_in_the_erp_before_the_bank_was_asked(database: machine.Database) -> None:
    with pytest.raises(AssertionError):
        await a_debit_is_accepted_and_comes_back(database, Rules(provider=AcceptedIsPaid))


SECRET = "0f" * 32
ITEM: Mapping[str, str] = {
    "pspReference": "QFQTPCQ8HXSKGK82",
    "merchantAccountCode": "Brightwater",
    "merchantReference": "pay_1-1",
    "eventCode": "AUTHORISATION",
    "success": "true",
}
FORGED = {**ITEM, "merchantReference": "pay_2-1", "pspReference": "FORGED"}


def mark_of(item: Mapping[str, str]) -> str:
    names = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")
    text = ":".join([*(item.get(name, "") for name in names), "1000", "EUR", item["eventCode"], item["success"]])
    return base64.b64encode(hmac.new(bytes.fromhex(SECRET), text.encode(), hashlib.sha256).digest()).decode()


MARKS = {ITEM["pspReference"]: mark_of(ITEM), FORGED["pspReference"]: mark_of(ITEM)}
"""The forged item bears the mark of the genuine one."""


def test_one_forged_item_and_nothing_of_its_batch_is_believed() -> None:
    items = [
        {
            "NotificationRequestItem": {
                **each,
                "amount": {"value": 1000, "currency": "EUR"},
                "eventDate": "2026-03-16T10:00:00+01:00",
                "additionalData": {"hmacSignature": MARKS[each["pspReference"]]},
            }
        }
        for each in (ITEM, FORGED)
    ]
    now, keys = datetime(2026, 3, 16, 10, tzinfo=UTC), signing.keys_of([SECRET])

    def read(batch: object) -> int:
        raw = json.dumps({"live": "false", "notificationItems": batch}).encode()
        return len(webhooks.read(raw, {}, keys=keys, is_live=False, account="Brightwater", now=now))

    assert read(items[:1]) == 1
    with pytest.raises(WebhookRejected, match="signature"):
        read(items)


def test_a_batch_that_is_as_genuine_as_its_first_item_pays_a_strangers_invoice() -> None:
    believed = hubs.believed_of([ITEM, FORGED], lambda item: mark_of(item) == MARKS[item["pspReference"]])
    with pytest.raises(AssertionError):
        assert FORGED not in believed


async def told_before_the_answer_was_stored(played: Scene) -> tuple[str, Told]:
    """The charge is made and its event here; whoever sent it died before the answer was written down."""
    request = await played.request()
    played.pay(request)
    await played.meets("provider.write", "die after sending")
    [told] = [each for each in played.town.provider.outgoing if each.claims is ChargeStatus.CAPTURED]
    played.town.receive(told)
    await played.town.go_on()
    return request.payment_id, told


async def test_an_event_that_comes_before_the_answer_finds_its_payment_by_our_reference(database: machine.Database) -> None:
    """killbill-adyen-plugin 69."""
    async with scene(database) as played:
        payment_id, _ = await told_before_the_answer_was_stored(played)
        assert await played.count("inbox", "state IN ('received', 'parked')") == 0  # it has found its payment by now
        await played.town.come_to_rest()
        assert (await played.state(payment_id), played.moving(payment_id)) == ("captured", 1)
        assert await played.count("journal_entries", "process_id = :id", id=payment_id) == 1
        assert await played.count("inbox", "state = 'parked'") == 0


async def test_an_event_that_is_found_by_the_providers_own_id_is_dropped_before_the_answer(
    database: machine.Database,
) -> None:
    async with scene(database) as played:
        payment_id, told = await told_before_the_answer_was_stored(played)
        async with played.town.database.begin("naive") as tx:
            found = await hubs.payment_by_charge(tx, told.object_id)
        with pytest.raises(AssertionError):
            assert found == payment_id
