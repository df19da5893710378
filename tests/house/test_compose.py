"""docker-compose.yml says what it means: no engine runs it here, so its words are compared with the settings."""

import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any, Final

import yaml
from typer.testing import CliRunner

from cli import application
from settings import Settings

ROOT: Final = Path(__file__).parents[2]
COMPOSE: Final[dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
OURS: Final = ("migrate", "worker", "api")


def test_every_variable_of_ours_is_a_setting() -> None:
    known = {f"DULY_{name.upper()}" for name in Settings.model_fields}
    for name in OURS:
        assert set(SERVICES[name]["environment"]) <= known


def test_a_misspelt_setting_would_be_seen() -> None:
    assert "DULY_FROM_KEY" not in {f"DULY_{name.upper()}" for name in Settings.model_fields}


def test_services_wait_for_services_that_exist_and_can_say_that_they_are_ready() -> None:
    for service in SERVICES.values():
        awaited = service.get("depends_on", {})
        for name, how in awaited.items() if isinstance(awaited, dict) else ((name, {}) for name in awaited):
            assert name in SERVICES
            if how.get("condition") == "service_healthy":
                assert "healthcheck" in SERVICES[name]


def test_images_are_pinned_to_a_version() -> None:
    for service in SERVICES.values():
        assert re.search(r":[\w.${}:-]*[\w}]$", service["image"])
        assert not service["image"].endswith(":latest")


def test_no_secret_is_written_down_and_none_has_a_default() -> None:
    for service in SERVICES.values():
        for name, text in service.get("environment", {}).items():
            if re.search(r"PASSWORD|PWD|KEY|SECRET", name) and text:
                assert re.fullmatch(r"\$\{[A-Z_]+(:\?[^}]*|:-)\}", text), name


def test_only_migrating_holds_the_administrators_password() -> None:
    holders = [name for name in OURS if "DULY_ADMIN_DATABASE_URL" in SERVICES[name]["environment"]]
    assert holders == ["migrate"]


def test_ports_are_open_on_loopback_only() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_a_worker_has_time_to_finish_a_charge() -> None:
    assert SERVICES["worker"]["stop_grace_period"] == "60s"


def test_our_services_run_commands_that_exist() -> None:
    for name in OURS:
        command = SERVICES[name]["command"].split()[0]
        assert CliRunner().invoke(application(), [command, "--help"]).exit_code == 0


def checked(*arguments: str) -> int:
    """The status with which one of `make check`'s tools ends."""
    program, *rest = arguments
    path = Path(sysconfig.get_path("scripts")) / program
    return subprocess.run([path, *rest], cwd=ROOT, capture_output=True, check=False).returncode


def test_the_schema_check_finds_a_misspelt_key(tmp_path: Path) -> None:
    schema = ("check-jsonschema", "--builtin-schema", "vendor.compose-spec")
    broken = tmp_path / "docker-compose.yml"
    broken.write_text((ROOT / "docker-compose.yml").read_text().replace("healthcheck:", "healthchek:", 1))
    assert checked(*schema, str(ROOT / "docker-compose.yml")) == 0
    assert checked(*schema, str(broken)) != 0


def test_the_linter_finds_an_image_without_a_version(tmp_path: Path) -> None:
    broken = tmp_path / "Dockerfile"
    broken.write_text((ROOT / "Dockerfile").read_text().replace("python:3.12-slim-bookworm", "python"))
    assert checked("hadolint", str(ROOT / "Dockerfile")) == 0
    assert checked("hadolint", str(broken)) != 0


def test_two_apis_and_two_workers_stand_side_by_side() -> None:
    for name in ("api", "worker"):
        assert SERVICES[name]["deploy"]["replicas"] == 2
    (port,) = SERVICES["api"]["ports"]
    assert port == "127.0.0.1:8000-8001:8000", "one address of the host for each"


def test_the_image_is_compiled_after_it_has_everything() -> None:
    """Its user may not write: uncompiled, every start and every workflow would pay for it."""
    steps = (ROOT / "Dockerfile").read_text().splitlines()
    compiled = next(number for number, step in enumerate(steps) if "compileall" in step)
    assert max(number for number, step in enumerate(steps) if "--editable ." in step) < compiled
    assert compiled < max(number for number, step in enumerate(steps) if step.startswith("FROM"))
