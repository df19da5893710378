"""The pages for whoever runs Duly: every alarm has one, and its commands, settings, metrics and tables are Duly's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main
import yaml

from cli import application
from connectors.telemetry.metrics import GAUGES
from settings import Settings
from store.rows import metadata
from tests.house import alarms

FOLDER: Final = alarms.FILE.parent
ROOT: Final = FOLDER.parents[1]
HEADINGS: Final = ["What it means", "What customers see", "What to look at", "What to do", "What not to do"]
COUNTED: Final = {
    "duly_books_readable",
    "duly_http_requests_total",
    "duly_http_request_seconds",
    "duly_webhook_deliveries_total",
}
PAGES: Final = sorted(FOLDER.glob("*.md"))
RUNBOOKS: Final = sorted({rule["annotations"]["runbook"] for rule in alarms.rules()} | {"secrets.md"})
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def wrong_commands(text: str) -> list[str]:
    """Lines of shell examples, and quoted `duly …`, that Duly's command line does not know."""
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    quoted = re.findall(r"`(duly [a-z][^`]*)`", text)
    return [line.strip() for line in [*lines, *quoted] if line.strip().startswith("duly ") and not _is_known(line)]


def _is_known(line: str) -> bool:
    command: Any = typer.main.get_command(application())
    words = shlex.split(line.partition("#")[0])[1:]
    while words and hasattr(command, "commands") and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in parameter.opts}
    named = [word.partition("=")[0] for word in words if word.startswith("--")]
    return not hasattr(command, "commands") and set(named) <= options


def services_in(text: str) -> set[str]:
    found = re.findall(
        r"docker compose (?:--[\w-]+ [\w-]+ )*(?:ps|logs|exec|up|stop|run)((?: --[\w=-]+| \d+)*) ([a-z]+)", text
    )
    return {name for _, name in found}


# ---------------------------------------------------------------- alarms


def test_every_alarm_has_a_page_in_the_index_and_every_page_an_alarm() -> None:
    index = (FOLDER / "README.md").read_text()
    rows = dict(re.findall(r"^\| ([\w, ]+) \| \[[^\]]+\]\(([\w.-]+)\) \|$", index, re.MULTILINE))
    listed = {name.strip(): page for names, page in rows.items() for name in names.split(",")}
    assert listed == {rule["alert"]: rule["annotations"]["runbook"] for rule in alarms.rules()}
    for rule in alarms.rules():
        assert f"`{rule['alert']}`" in (FOLDER / rule["annotations"]["runbook"]).read_text(), rule["alert"]


def test_every_alarm_says_how_urgent_it_is() -> None:
    for rule in alarms.rules():
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert rule["expr"].count("(") == rule["expr"].count(")")


def test_what_duly_shows_of_its_own_is_what_alarms_ask_for() -> None:
    """What Temporal shows, and all of it together, is compared with a running Duly in tests/processes/test_watched.py."""
    asked = {name for name in alarms.metrics_of_alarms() if name.startswith("duly_")}
    assert {re.sub("_bucket$", "", name) for name in asked} <= set(GAUGES) | COUNTED
    assert len(asked) > 9


def test_a_metric_that_nobody_shows_is_seen() -> None:
    assert alarms.metrics_in('max by (kind) (duly_diferences_open{state="duly_x"}) > 0') == {"duly_diferences_open"}
    assert alarms.metrics_in("min(up) == 0") == {"up"}


def test_jobs_that_alarms_name_are_read_by_the_example() -> None:
    example = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in example["scrape_configs"]}
    named = {job for rule in alarms.rules() for job in re.findall(r'job="([\w-]+)"', rule["expr"])}
    assert named <= set(jobs)
    assert example["rule_files"] == [alarms.FILE.name]


def test_the_example_reads_the_ports_that_compose_sets() -> None:
    example = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    read = {
        (name, found["port"])
        for job in example["scrape_configs"]
        for found in job.get("dns_sd_configs", [])
        for name in found["names"]
    }
    services = COMPOSE["services"]
    set_up = {
        (name, int(services[name]["environment"][variable].rpartition(":")[2]))
        for name, variable in (
            ("api", "DULY_METRICS_ADDRESS"),
            ("worker", "DULY_METRICS_ADDRESS"),
            ("worker", "DULY_TEMPORAL_METRICS_ADDRESS"),
        )
    }
    assert read == set_up
    assert services["temporal"]["environment"]["PROMETHEUS_ENDPOINT"].endswith(":9090")
    published = [str(port) for service in services.values() for port in service.get("ports", [])]
    assert not any(re.search(r"946[45]|9090", port) for port in published)


# ---------------------------------------------------------------- pages


@pytest.mark.parametrize("page", RUNBOOKS)
def test_a_page_of_an_alarm_answers_the_five_questions(page: str) -> None:
    text = (FOLDER / page).read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert "```sh" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_services_of_a_page_exist(page: Path) -> None:
    text = page.read_text()
    assert wrong_commands(text) == []
    assert services_in(text) <= set(COMPOSE["services"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_settings_metrics_and_tables_of_a_page_exist(page: Path) -> None:
    text = page.read_text()
    known = {f"DULY_{name.upper()}" for name in Settings.model_fields} | {"DULY_STAFF_DATABASE"}
    assert set(re.findall(r"\bDULY_[A-Z_]+[A-Z]\b", text)) <= known
    assert set(re.findall(r"`(duly_[a-z_]+)`", text)) <= set(GAUGES) | COUNTED
    tables = {table.name: table for table in metadata.sorted_tables}
    for columns, table, condition in re.findall(r"SELECT (.+?) FROM (\w+) WHERE ([^\"]+)", text):
        named = set(re.findall(r"\b[a-z_]{3,}\b", re.sub(r"'[^']*'|\b(?:sum|max|left)\(", " ", f"{columns} {condition}")))
        assert named <= {column.name for column in tables[table].columns}, named


def test_every_gauge_and_counter_is_explained() -> None:
    explained = set(re.findall(r"`(duly_[a-z_]+)`", (FOLDER / "watching.md").read_text()))
    assert explained == set(GAUGES) | COUNTED


def test_a_page_that_lies_about_a_command_is_seen() -> None:
    assert wrong_commands("```sh\nduly workers helth\n```") == ["duly workers helth"]
    assert wrong_commands("`duly check --jsn`") == ["duly check --jsn"]
    assert wrong_commands("`duly workers current` and ```sh\nduly check --json  # slowly\n```") == []
    assert services_in("docker compose logs --tail 200 wrker") == {"wrker"}


def test_a_worker_in_a_container_is_asked_whether_it_polls() -> None:
    check = COMPOSE["services"]["worker"]["healthcheck"]["test"]
    assert check[0] == "CMD"
    assert wrong_commands(f"```sh\n{' '.join(check[1:])}\n```") == []
