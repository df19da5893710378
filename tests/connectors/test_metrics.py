"""Metrics are shown at their own address; what cannot be read is left out and said, and never holds anybody up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from connectors.telemetry.metrics import GAUGES, BooksCollector, from_loop, new_registry, served
from domain.lifecycles import IN_FLIGHT, PostingState
from tests.machine import free_port

Figures = Sequence[tuple[str, str, int]]


def shown(figures: Figures | Exception) -> str:
    def read() -> Figures:
        if isinstance(figures, Exception):
            raise figures
        return figures

    registry = CollectorRegistry()
    registry.register(BooksCollector(read))
    return generate_latest(registry).decode()


def test_what_nothing_has_is_shown_as_zero_so_that_an_alarm_has_something_to_read() -> None:
    text = shown([])
    assert "duly_books_readable 1.0" in text
    assert "duly_unknown_charge_oldest_seconds 0.0" in text
    for state in IN_FLIGHT:
        assert f'duly_payments_in_flight{{state="{state}"}} 0.0' in text
    for posting_state in set(PostingState) - {PostingState.CONFIRMED, PostingState.CANCELED}:
        assert f'duly_postings_waiting{{state="{posting_state}"}} 0.0' in text


def test_figures_are_shown_with_their_label() -> None:
    text = shown([("duly_differences_open", "overpaid", 3), ("duly_inbox_waiting", "", 7)])
    assert 'duly_differences_open{kind="overpaid"} 3.0' in text
    assert "duly_inbox_waiting 7.0" in text


def test_books_that_cannot_be_read_say_so_and_show_no_old_number() -> None:
    text = shown(TimeoutError())
    assert "duly_books_readable 0.0" in text
    assert not any(line.startswith(name) for name in GAUGES for line in text.splitlines())


def test_registering_asks_the_database_nothing() -> None:
    def read() -> Figures:
        raise AssertionError("asked")

    CollectorRegistry().register(BooksCollector(read))


async def test_metrics_are_answered_at_their_address_and_no_longer_afterwards() -> None:
    registry, address = new_registry(), f"127.0.0.1:{free_port()}"
    registry.register(BooksCollector(from_loop(_seven, asyncio.get_running_loop())))
    async with httpx.AsyncClient(trust_env=False) as client:
        with served(address, registry):
            text = (await client.get(f"http://{address}/metrics")).text
        assert "duly_inbox_waiting 7.0" in text
        assert "process_resident_memory_bytes" in text
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://{address}/metrics")
        with served(None, registry):
            pass


async def test_books_that_do_not_answer_hold_a_scrape_up_for_a_moment_only() -> None:
    async def never() -> Figures:
        await asyncio.Event().wait()
        raise AssertionError

    ask = from_loop(never, asyncio.get_running_loop(), within_seconds=0.1)
    started = time.monotonic()
    with pytest.raises(TimeoutError):
        await asyncio.to_thread(ask)
    assert time.monotonic() - started < 60  # for ever is what it would be without a bound


async def _seven() -> Figures:
    return [("duly_inbox_waiting", "", 7)]
