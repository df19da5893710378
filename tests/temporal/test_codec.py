"""Payloads: encrypted with the newest key, readable with any known one, useless when changed; and the sandbox is on."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime

import pytest
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowFailureError
from temporalio.worker import Worker

import worker
from activities.payments import OpenPayment, Told
from activities.requests import FirstAnswer, PayRequest
from connectors.payments.ports import ChargeStatus, ProviderCharge
from connectors.temporal.client import connect, data_converter
from connectors.temporal.codec import AesGcmCodec, UnknownKey
from domain.allocation import Line
from domain.methods import MethodDetails, MethodKind
from domain.money import Money

OLD, NEW = ("old", bytes(range(32))), ("new", bytes(range(32, 64)))


async def test_an_old_key_still_decrypts_and_the_newest_encrypts() -> None:
    written = await AesGcmCodec([OLD], namespace="n").encode([Payload(data=b"secret words")])
    rotated = AesGcmCodec([NEW, OLD], namespace="n")
    assert (await rotated.decode(written))[0].data == b"secret words"
    assert (await rotated.encode([Payload(data=b"x")]))[0].metadata["encryption-key-id"] == b"new"
    assert b"secret" not in written[0].SerializeToString()


async def test_a_key_that_is_not_known_and_a_payload_that_was_changed_are_refused() -> None:
    (written,) = await AesGcmCodec([OLD], namespace="n").encode([Payload(data=b"words")])
    with pytest.raises(UnknownKey):
        await AesGcmCodec([NEW], namespace="n").decode([written])
    written.data = written.data[:-1] + bytes([written.data[-1] ^ 1])
    with pytest.raises(ValueError, match="changed"):
        await AesGcmCodec([OLD], namespace="n").decode([written])


@pytest.mark.parametrize("keys", [[], [("short", b"x" * 31)]])
def test_no_key_or_a_short_one_makes_no_codec(keys: list[tuple[str, bytes]]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        AesGcmCodec(keys, namespace="n")


async def test_payloads_come_back_as_they_went() -> None:
    converter = data_converter([NEW], namespace="n")
    details = MethodDetails(token="t", kind=MethodKind.CARD, brand="visa", last4="4242", exp_month=4, exp_year=2030)
    charge = ProviderCharge(
        provider_id="ch",
        our_ref="pay-1",
        status=ChargeStatus.NEEDS_CUSTOMER,
        amount=Money.of(125, "JPY"),
        action_url="https://provider.example/x",
        action_expires_at=datetime(2026, 11, 22, 9, tzinfo=UTC),
        masked=details,
    )
    request = PayRequest(
        payment_id="pay",
        customer_id="cus",
        customer_ids=("cus", "cus2"),
        currency="JPY",
        lines=(Line(invoice_id="inv", minor=125),),
        kind=MethodKind.SEPA_DEBIT,
    )
    for value in (
        Told(why="told", charge=charge),
        OpenPayment(request=request, run_id="r"),
        FirstAnswer(state="refused", rule="invoice_paid", facts={"number": "INV-1", "most": 200}),
    ):
        encoded = await converter.encode([value])
        assert (await converter.decode(encoded, [type(value)]))[0] == value
        assert all(b"pay" not in payload.data for payload in encoded)


@workflow.defn
class ReadsTheClock:
    """Breaks the rule on purpose."""

    @workflow.run
    async def run(self) -> str:
        return str(datetime.now())  # noqa: DTZ005 - what the sandbox must refuse


@workflow.defn
class Ends:
    """Obeys it."""

    @workflow.run
    async def run(self) -> str:
        return str(workflow.now().date() > date(2020, 1, 1))


async def test_the_sandbox_refuses_workflow_code_that_reads_a_clock(temporal_address: str, task_queue: str) -> None:
    """A prefix that also named `workflows` would pass our own code through, and this would run to its end."""
    assert not any(name == "workflows" or name.startswith("tests") for name in worker.PASSED_THROUGH)
    client = await connect(temporal_address, namespace="default", keys=[NEW])
    broken = Worker(
        client,
        task_queue=task_queue,
        workflows=[ReadsTheClock, Ends],
        workflow_runner=worker.runner(),
        workflow_failure_exception_types=[Exception],
    )
    async with broken:
        assert await client.execute_workflow(Ends.run, id=f"{task_queue}-good", task_queue=task_queue) == "True"
        with pytest.raises(WorkflowFailureError):
            await client.execute_workflow(ReadsTheClock.run, id=f"{task_queue}-bad", task_queue=task_queue)


def test_no_payload_carries_a_name_an_address_or_a_card() -> None:
    """Ids and small decisions only; `started_by` is who acts, as shown on the invoice, and is encrypted like the rest."""
    names = {field.name for field in dataclasses.fields(PayRequest)}
    assert not names & {"email", "name", "number", "card", "iban", "address"}
