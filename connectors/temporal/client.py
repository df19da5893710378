"""The client factory: API, workers, Replayer and tests read and write payloads with one converter."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from temporalio.client import Client, Plugin
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.runtime import Runtime

from connectors.temporal import logs
from connectors.temporal.codec import AesGcmCodec


def data_converter(keys: Sequence[tuple[str, bytes]], *, namespace: str) -> DataConverter:
    """Frozen dataclasses as JSON, encrypted, messages and stack traces of failures included."""
    return dataclasses.replace(
        pydantic_data_converter,
        payload_codec=AesGcmCodec(keys, namespace=namespace),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def connect(
    address: str,
    *,
    namespace: str,
    keys: Sequence[tuple[str, bytes]],
    lazy: bool = False,
    runtime: Runtime | None = None,
    plugins: Sequence[Plugin] = (),
) -> Client:
    """A client of a Temporal server, self-hosted or in the cloud; `lazy` opens nothing before its first call.

    `runtime` shows metrics, `plugins` trace (`connectors/telemetry/`); workers of this client have both.
    """
    return await Client.connect(
        address,
        namespace=namespace,
        data_converter=data_converter(keys, namespace=namespace),
        lazy=lazy,
        runtime=runtime if runtime is not None else logs.runtime(),
        plugins=plugins,
    )
