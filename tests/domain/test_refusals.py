"""Refusals: every rule has a name, a status and a sentence that a person can act on."""

from __future__ import annotations

import re
from string import Formatter

import pytest

from domain.refusals import RULES, Refusal, Refused


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_has_a_status_and_a_sentence(rule: str) -> None:
    refusal = Refusal(rule=rule)
    assert refusal.status in {400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 503}
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", rule)
    assert refusal.sentence.endswith(".")
    assert "{" not in refusal.sentence


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_sentence_shows_the_facts_that_it_is_given(rule: str) -> None:
    template = RULES[rule][1]
    names = sorted({name for _, name, _, _ in Formatter().parse(template) if name})
    assert all(name.isidentifier() for name in names)
    refusal = Refusal(rule=rule, facts={name: f"<{name}>" for name in names})
    assert all(f"<{name}>" in refusal.sentence for name in names)
    assert "—" not in refusal.sentence or "—" in template


def test_a_missing_fact_is_a_dash_and_hides_nothing() -> None:
    assert Refusal(rule="invoice_paid").sentence == "Invoice — is already paid."


def test_a_fact_is_text_and_never_a_template() -> None:
    assert "{asked}" in Refusal(rule="invoice_paid", facts={"number": "{asked}"}).sentence


def test_there_is_no_refusal_without_a_rule() -> None:
    with pytest.raises(ValueError, match="not a rule"):
        Refusal(rule="because")


def test_a_refusal_on_its_way_carries_its_rule_and_reads_as_its_sentence() -> None:
    refused = Refused("too_many_invoices", most=200, asked=201)
    assert refused.refusal == Refusal(rule="too_many_invoices", facts={"most": 200, "asked": 201})
    assert str(refused) == refused.refusal.sentence
