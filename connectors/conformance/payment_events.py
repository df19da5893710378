"""The payment suite's part on what a provider tells again, and on ids that lead back to a reference of ours."""

from __future__ import annotations

from datetime import timedelta

from connectors.conformance.payment_declared import Trait, needs
from connectors.conformance.payment_harness import Enters, PaymentSuite, ProviderHarness, fresh_ref, now
from connectors.payments.ports import Capability, EventSubject, ListsEvents, NamesReferences


@needs(Capability.CHARGE_SAVED)
class EventConformance(PaymentSuite):
    """Events that are listed, and references that are named."""

    @needs(ListsEvents, Trait.DELIVERIES)
    async def test_a_delivery_that_was_lost_is_found_in_the_list(self, harness: ProviderHarness) -> None:
        """The list tells it under the same dedupe key, once, and nothing of it after its cursor."""
        assert isinstance(harness.provider, ListsEvents)
        saved, our_ref, since = await self.saved(harness, Enters.GOOD), fresh_ref("pay"), now() - timedelta(minutes=1)
        before = await harness.provider.events_after(None, since=since)
        charge = await self.charge(harness, saved, our_ref)
        delivery = (await harness.deliveries(our_ref, at_least=1))[0]
        (delivered,) = harness.provider.read_webhook(delivery.raw, delivery.headers, now=now())
        listed = await harness.provider.events_after(before.cursor, since=since)
        found = [each for each in listed.events if each.dedupe_key == delivered.dedupe_key]
        assert [(each.subject, each.our_ref, each.provider_id) for each in found] == [
            (EventSubject.CHARGE, our_ref, charge.provider_id)
        ]
        assert not {each.dedupe_key for each in before.events} & {each.dedupe_key for each in listed.events}
        assert list((await harness.provider.events_after(listed.cursor, since=since)).events) == []

    @needs(NamesReferences)
    async def test_the_provider_s_own_id_leads_to_our_reference(self, harness: ProviderHarness) -> None:
        assert isinstance(harness.provider, NamesReferences)
        saved, our_ref = await self.saved(harness, Enters.GOOD), fresh_ref("pay")
        charge = await self.charge(harness, saved, our_ref)
        assert await harness.provider.reference_of(charge.provider_id) == our_ref
        assert await harness.provider.reference_of("never_was_here") is None
