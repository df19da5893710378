"""Settings refuse what would lose money or leak a secret, and say which rule it was."""

import base64
import secrets

import pytest
from pydantic import ValidationError

from launch.commands.doctor import redacted
from launch.data_folder import Secrets
from settings import Settings

OWN_KEY = f"k1:{base64.b64encode(bytes(range(7, 231, 7))).decode()}"  # the same in every process: it names tests
LIVE = {
    "mode": "live",
    "temporal_codec_keys": OWN_KEY,
    "master_keys": OWN_KEY,
    "form_key": secrets.token_urlsafe(48),
    "base_url": "https://pay.company.test",
}


def test_live_mode_with_keys_of_its_own_is_accepted() -> None:
    assert Settings.model_validate(LIVE).codec_keys()[0].key_id == "k1"


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        ({"temporal_codec_keys": ""}, "payloads are encrypted"),
        ({"temporal_codec_keys": f"example:{OWN_KEY.split(':')[1]}"}, "example key"),
        ({"temporal_codec_keys": f"k1:{base64.b64encode(bytes(32)).decode()}"}, "example key"),
        ({"master_keys": ""}, "keys of payment providers are sealed"),
        ({"master_keys": f"m1:{base64.b64encode(bytes(32)).decode()}"}, "DULY_MASTER_KEYS holds an example key"),
        ({"provider_addresses": "sandbox=http://127.0.0.1:1"}, "real money goes to real providers"),
        ({"form_key": ""}, "DULY_FORM_KEY is missing or shorter"),
        ({"form_key": "short"}, "DULY_FORM_KEY is missing or shorter"),
        ({"form_key": "example" * 8}, "DULY_FORM_KEY is an example"),
        ({"base_url": "http://pay.company.test"}, "not https"),
        ({"fault": "charge:kill9"}, "crash tests never meet money"),
    ],
)
def test_live_mode_refuses_to_start_and_names_the_rule(broken: dict[str, str], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        Settings.model_validate({**LIVE, **broken})
    Settings.model_validate({**LIVE, **broken, "mode": "sandbox"})


@pytest.mark.parametrize("keys", ["k1:c2hvcnQ=", "k1:not base64!", OWN_KEY.split(":")[1], f"{OWN_KEY},k2:"])
def test_a_codec_key_that_cannot_be_read_is_refused_in_every_mode(keys: str) -> None:
    with pytest.raises(ValidationError, match="codec key"):
        Settings.model_validate({"temporal_codec_keys": keys})


def test_a_refusal_shows_no_secret() -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({**LIVE, "base_url": "http://pay.company.test"})
    assert LIVE["form_key"] not in str(refused.value)
    assert OWN_KEY.split(":")[1] not in str(refused.value)


def test_the_newest_codec_key_comes_first() -> None:
    older = OWN_KEY.replace("k1", "k0")
    assert [key.key_id for key in Settings.model_validate({"temporal_codec_keys": f"{OWN_KEY}, {older}"}).codec_keys()] == [
        "k1",
        "k0",
    ]


def test_a_machines_own_secrets_would_be_good_enough_for_money() -> None:
    fresh = Secrets.fresh()
    Settings.model_validate({**LIVE, "temporal_codec_keys": fresh.codec_key, "form_key": fresh.form_key})


def test_the_doctor_shows_no_secret() -> None:
    settings = Settings.model_validate(LIVE)
    shown = " ".join(redacted(getattr(settings, name)) for name in Settings.model_fields)
    assert "(set)" in shown
    assert LIVE["form_key"] not in shown
    assert OWN_KEY.split(":")[1] not in shown


@pytest.mark.parametrize("half", [{"worker_deployment": "duly"}, {"worker_build_id": "2026-11-25"}])
def test_a_version_of_workers_needs_both_names(half: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="belong together"):
        Settings.model_validate(half)
    assert Settings.model_validate({"worker_deployment": "duly", "worker_build_id": "1"}).worker_build_id == "1"


def test_metrics_given_a_port_alone_are_shown_on_loopback() -> None:
    assert Settings.model_validate({"metrics_address": "9464"}).metrics_address == "127.0.0.1:9464"
    assert Settings.model_validate({"metrics_address": "10.0.0.7:9464"}).metrics_address == "10.0.0.7:9464"
    assert Settings().metrics_address is None


@pytest.mark.parametrize("address", ["here", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "9464/metrics"])
def test_an_address_of_metrics_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="is not host:port"):
        Settings.model_validate({"temporal_metrics_address": address})


def test_headers_of_traces_are_read_and_not_shown() -> None:
    told = Settings.model_validate({"traces_headers": "authorization=Bearer abc=, x-team = duly"})
    assert told.trace_headers() == {"authorization": "Bearer abc=", "x-team": "duly"}
    assert "abc" not in repr(told)
