"""Families 9 and 10: documents written twice in an ERP, and a failed read taken for an absence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.erp.ports import PaymentDocument, PostedDocument
from tests import machine
from tests.incidents.scene import Scene, scene
from tests.naive.far_sides import FailureIsAbsence, NeverLooks
from tests.simulation.ledger import FarErp
from tests.simulation.stage import Stage
from tests.simulation.town import Rules


async def an_answer_is_lost(played: Scene) -> str:
    """The ERP has the document, and we do not know; its reference."""
    request = await played.request(part=7)
    played.pay(request)
    await played.meets("erp.write", "lose the answer")
    return f"{request.payment_id}-captured"


async def a_lost_answer_is_looked_up(database: machine.Database, rules: Rules) -> None:
    async with scene(database, rules) as played:
        reference = await an_answer_is_lost(played)
        await played.town.come_to_rest()
        assert len(played.town.erp.bearing(reference)) == 1
        assert await played.count("postings", "id = :id AND state = 'confirmed'", id=reference) == 1


async def test_a_document_whose_answer_was_lost_is_found_and_never_written_again(database: machine.Database) -> None:
    """QuickBooks-V3-DotNET-SDK 352, python-quickbooks 292, tripletex-api2 76."""
    await a_lost_answer_is_looked_up(database, Rules())


async def test_without_a_look_it_is_written_twice(database: machine.Database) -> None:
    with pytest.raises(AssertionError):
        await a_lost_answer_is_looked_up(database, Rules(erp=NeverLooks))


class WritesInTwoCalls(FarErp):
    """One call begins a document and another makes it whole: what is found may be a half."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.whole: set[str] = set()

    async def find_document(self, reference: str) -> Sequence[PostedDocument]:
        found = await super().find_document(reference)
        return [replace(each, is_finished=not self.stage.is_played or reference in self.whole) for each in found]

    async def post_payment(self, document: PaymentDocument) -> PostedDocument:
        if self.bearing(document.reference):
            self.whole.add(document.reference)
            return (await self.find_document(document.reference))[0]
        return await super().post_payment(document)


async def test_a_document_that_was_only_begun_is_sent_again_and_so_made_whole(database: machine.Database) -> None:
    async with scene(database, Rules(erp=WritesInTwoCalls)) as played:
        reference = await an_answer_is_lost(played)
        await played.town.come_to_rest()
        erp = played.town.erp
        assert isinstance(erp, WritesInTwoCalls)
        assert (erp.whole, len(erp.bearing(reference))) == ({reference}, 1)
        assert await played.count("postings", "id = :id AND state = 'confirmed'", id=reference) == 1


async def the_look_up_fails(database: machine.Database, rules: Rules) -> None:
    async with scene(database, rules) as played:
        reference = await an_answer_is_lost(played)
        await played.town.go_on()
        played.town.erp.is_down = True
        for _ in range(6):
            await played.later(timedelta(minutes=11))
        played.town.erp.is_down = False
        await played.town.come_to_rest()
        assert len(played.town.erp.bearing(reference)) == 1


async def test_a_look_up_that_fails_says_nothing_about_the_document(database: machine.Database) -> None:
    """carbon 1308: a transient failure was mapped to 'deleted', and a valid payment was voided."""
    await the_look_up_fails(database, Rules())


async def test_a_failure_taken_for_an_absence_writes_it_twice(database: machine.Database) -> None:
    with pytest.raises(AssertionError):
        await the_look_up_fails(database, Rules(erp=FailureIsAbsence))
