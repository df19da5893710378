"""The alarms as Prometheus reads them, and which metrics they ask for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import yaml

FILE: Final = Path(__file__).parents[2] / "docs" / "operations" / "alarms.yml"
PROMETHEUS_OWN: Final = frozenset({"up"})
"""What Prometheus makes itself for each address that it reads."""
AFTER_A_FAILURE: Final = frozenset(
    {"temporal_workflow_task_execution_failed", "temporal_request_failure", "temporal_activity_execution_failed"}
)
"""Counters that are shown from the first failure on; tests/temporal/test_metrics.py makes one of each."""
_NAME: Final = re.compile(r"\b(?:up|(?:duly|temporal|process|service|persistence|schedule)_[a-z_]+)\b")


def rules() -> list[dict[str, Any]]:
    """Every alarm of the file."""
    return [rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]]


def metrics_in(expression: str) -> set[str]:
    """The metrics that an expression asks for."""
    without_labels = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on)\s*\([^)]*\)", " ", expression)
    return set(_NAME.findall(without_labels))


def metrics_of_alarms() -> set[str]:
    """Those of all alarms that a healthy Duly shows."""
    named = {name for rule in rules() for name in metrics_in(rule["expr"])}
    return named - PROMETHEUS_OWN - AFTER_A_FAILURE
