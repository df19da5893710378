"""The only reader of the environment.

Every setting is a variable DULY_<NAME>; `duly doctor` shows them with the secrets blacked out. What a business
decides (limits, texts, who may do what) is not here but in the database: `duly settings`.
"""

import base64
import binascii
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Final, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

CODEC_KEY_BYTES: Final = 32
FORM_KEY_CHARACTERS_MIN: Final = 32
DISTINCT_BYTES_MIN: Final = 8  # of 32 random bytes, 24 and fewer distinct ones are already unheard of
# Written in examples and compose files so that they run; refused wherever real money can move.
EXAMPLE_MARK: Final = "example"


class Mode(StrEnum):
    """Whether the providers that are configured move real money."""

    SANDBOX = "sandbox"
    LIVE = "live"


class CodecKey:
    """One key of the payload codec: its id, which is written beside each payload, and its 32 bytes."""

    def __init__(self, key_id: str, secret: bytes) -> None:
        self.key_id = key_id
        self.secret = secret

    def __repr__(self) -> str:
        return f"CodecKey({self.key_id!r}, …)"


class Settings(BaseSettings):
    """What one process of Duly is told about its surroundings. Refuses to exist when a rule is broken."""

    model_config = SettingsConfigDict(
        env_prefix="DULY_", extra="ignore", frozen=True, hide_input_in_errors=True, env_ignore_empty=True
    )

    mode: Mode = Field(default=Mode.SANDBOX, description="`live` as soon as one provider moves real money.")
    data_dir: Path = Field(default=Path(".duly/demo"), description="Where this machine keeps files of its own.")
    base_url: str = Field(default="http://127.0.0.1:8600", description="How customers reach the portal.")
    log_level: str = Field(default="info", description="debug, info, warning or error.")

    admin_database_url: SecretStr | None = Field(
        default=None, description="A role that may create roles and migrate; only `duly up` and deployments have it."
    )
    portal_database_url: SecretStr | None = Field(default=None, description="SELECT only, bound by row-level security.")
    worker_database_url: SecretStr | None = Field(default=None, description="The workers' role.")
    staff_database_url: SecretStr | None = Field(default=None, description="The staff pages' and commands' role.")

    temporal_address: str = Field(default="127.0.0.1:7233", description="host:port of the Temporal frontend.")
    temporal_namespace: str = Field(default="default", description="The namespace of this deployment.")
    temporal_ui_url: str | None = Field(default=None, description="Shown to staff and by `duly info`.")
    temporal_codec_keys: SecretStr = Field(
        default=SecretStr(""),
        description="`id:base64 of 32 bytes`, several joined by commas, the newest first: it encrypts, all decrypt.",
    )

    master_keys: SecretStr = Field(
        default=SecretStr(""),
        description="`id:base64 of 32 bytes`, several joined by commas, the newest first: the keys and secrets of payment "
        "providers that staff connect are sealed under the newest, and opened with any.",
    )
    provider_addresses: str = Field(
        default="",
        description="For tests and demonstrations only: `connector=address`, several joined by commas: where a simulator "
        "plays a payment provider.",
    )

    api_requests_per_minute: int = Field(
        default=1_200,
        ge=1,
        description="How many requests one API key may make to one API process; beyond, it is told when.",
    )
    form_key: SecretStr = Field(default=SecretStr(""), description="Signs the forms that move money.")

    provider_url: str | None = Field(default=None, description="The sandbox provider.")
    provider_api_key: SecretStr = Field(default=SecretStr(""), description="How we sign in to the sandbox provider.")
    provider_webhook_secrets: SecretStr = Field(
        default=SecretStr(""), description="Several joined by commas, the newest first; each of them verifies."
    )
    erp_url: str | None = Field(default=None, description="The demo ERP.")
    erp_api_key: SecretStr = Field(default=SecretStr(""), description="How we sign in to the demo ERP.")

    erp_request_life_seconds: int = Field(
        default=30, ge=1, le=3600, description="How long a request that we gave up on may still take effect in the ERP."
    )

    export_dir: Path | None = Field(
        default=None,
        description="A folder for what was paid on imported invoices, one CSV file a day. Without one it waits.",
    )

    smtp_host: str = Field(default="127.0.0.1", description="Where mail leaves.")
    smtp_port: int = Field(default=25, ge=1, le=65_535, description="Where mail leaves.")
    mail_from: str = Field(default="billing@duly.example", description="Who mail is from.")
    mail_url: str | None = Field(default=None, description="The pages of the mail catcher, where there is one.")

    metrics_address: str | None = Field(
        default=None,
        description="host:port (or a port of loopback) where this process shows its metrics; nobody's when not set. "
        "Never a public address: it says how much is paid, though not by whom.",
    )
    temporal_metrics_address: str | None = Field(
        default=None, description="host:port where a worker shows what Temporal's client library counts."
    )
    traces_endpoint: str | None = Field(
        default=None, description="Where traces go, as OTLP over HTTP (…/v1/traces); without it nothing is traced."
    )
    traces_headers: SecretStr = Field(
        default=SecretStr(""), description="`name=value` to sign in there, several joined by commas."
    )
    traces_percent: int = Field(default=100, ge=0, le=100, description="How many of a hundred clicks are traced.")

    worker_deployment: str | None = Field(
        default=None, description="The name of the workers' deployment; with it and a build id, workers are versioned."
    )
    worker_build_id: str | None = Field(
        default=None, description="What this worker's code is called. It gets no work until it is made current."
    )

    fault: str = Field(default="", description="For crash drills only: `point[@word]:action[:n]`, joined by commas.")
    fault_marker: Path | None = Field(default=None, description="For crash drills only: a file that proves the landing.")

    @field_validator("base_url", "provider_url", "erp_url", "mail_url", "temporal_ui_url")
    @classmethod
    def _without_last_slash(cls, url: str | None) -> str | None:
        return None if url is None else url.rstrip("/")

    @field_validator("metrics_address", "temporal_metrics_address")
    @classmethod
    def _host_and_port(cls, address: str | None) -> str | None:
        if address is None:
            return None
        host, _, port = address.rpartition(":")
        if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65_535:
            raise ValueError(f"{address!r} is not host:port")
        return f"{host or '127.0.0.1'}:{port}"

    @model_validator(mode="after")
    def _versioned_or_not(self) -> Self:
        if (self.worker_deployment is None) != (self.worker_build_id is None):
            raise ValueError("DULY_WORKER_DEPLOYMENT and DULY_WORKER_BUILD_ID belong together: set both or neither")
        return self

    @model_validator(mode="after")
    def _keys_are_readable(self) -> Self:
        self.codec_keys()
        self.sealing_keys()
        self.simulated_providers()
        return self

    @model_validator(mode="after")
    def _live_mode_has_real_keys(self) -> Self:
        if self.mode is Mode.LIVE:
            refusals = list(self._reasons_not_to_move_money())
            if refusals:
                raise ValueError("mode is live, but " + "; ".join(refusals))
        return self

    def codec_keys(self) -> tuple[CodecKey, ...]:
        """The keys of the payload codec, the newest first. Raises ValueError for one that cannot be read."""
        return tuple(_read_key(entry, "codec") for entry in _listed(self.temporal_codec_keys))

    def sealing_keys(self) -> tuple[CodecKey, ...]:
        """The master keys, the newest first. Raises ValueError for one that cannot be read."""
        return tuple(_read_key(entry, "master") for entry in _listed(self.master_keys))

    def simulated_providers(self) -> dict[str, str]:
        """Addresses of simulators by the name of the connector whose vendor they play. Raises ValueError."""
        pairs = [each.strip().partition("=") for each in self.provider_addresses.split(",") if each.strip()]
        for name, _, address in pairs:
            if not name or not address.startswith(("http://", "https://")):
                raise ValueError("DULY_PROVIDER_ADDRESSES is `connector=address`, several joined by commas")
        return {name.strip(): address.strip().rstrip("/") for name, _, address in pairs}

    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that verify the sandbox provider's webhooks, the newest first."""
        return tuple(_listed(self.provider_webhook_secrets))

    def trace_headers(self) -> dict[str, str]:
        """How to sign in where traces go."""
        return {
            name.strip(): value.strip() for name, _, value in (each.partition("=") for each in _listed(self.traces_headers))
        }

    def _reasons_not_to_move_money(self) -> list[str]:
        """Each names its rule, so that whoever reads it at three in the morning knows what to set."""
        form_key = self.form_key.get_secret_value()
        reasons = []
        if not self.codec_keys():
            reasons.append("DULY_TEMPORAL_CODEC_KEYS is empty (rule: payloads are encrypted)")
        if any(_is_example(key.key_id) or len(set(key.secret)) < DISTINCT_BYTES_MIN for key in self.codec_keys()):
            reasons.append("DULY_TEMPORAL_CODEC_KEYS holds an example key (rule: keys are our own)")
        if not self.sealing_keys():
            reasons.append("DULY_MASTER_KEYS is empty (rule: keys of payment providers are sealed)")
        if any(_is_example(key.key_id) or len(set(key.secret)) < DISTINCT_BYTES_MIN for key in self.sealing_keys()):
            reasons.append("DULY_MASTER_KEYS holds an example key (rule: keys are our own)")
        if self.provider_addresses:
            reasons.append("DULY_PROVIDER_ADDRESSES is set (rule: real money goes to real providers)")
        if len(form_key) < FORM_KEY_CHARACTERS_MIN:
            reasons.append(f"DULY_FORM_KEY is missing or shorter than {FORM_KEY_CHARACTERS_MIN} characters")
        elif _is_example(form_key):
            reasons.append("DULY_FORM_KEY is an example (rule: keys are our own)")
        if not self.base_url.startswith("https://"):
            reasons.append("DULY_BASE_URL is not https (rule: links open accounts)")
        if self.fault:
            reasons.append("DULY_FAULT is set (rule: crash tests never meet money)")
        return reasons


@lru_cache(maxsize=1)
def current() -> Settings:
    """This process's settings, read once. Raises pydantic.ValidationError, which names each broken rule."""
    return Settings()


def _read_key(entry: str, what: str) -> CodecKey:
    key_id, _, encoded = entry.partition(":")
    try:
        secret = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError(f"{what} key {key_id!r} is not base64") from error
    if not key_id or len(secret) != CODEC_KEY_BYTES:
        raise ValueError(f"{what} key {key_id!r} is {len(secret)} bytes; the rule is `id:base64 of {CODEC_KEY_BYTES} bytes`")
    return CodecKey(key_id, secret)


def _listed(secret: SecretStr) -> list[str]:
    return [part.strip() for part in secret.get_secret_value().split(",") if part.strip()]


def _is_example(text: str) -> bool:
    return EXAMPLE_MARK in text.lower()
