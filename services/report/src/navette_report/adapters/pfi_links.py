"""The links to platforms, from the settings: one channel per platform, one listener for their receipts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from navette_chassis import Service
from navette_chassis.mllp import (
    LISTENING_MODES,
    Destination,
    DurableIntake,
    Listener,
    MllpServer,
    message_channel,
    mllp_client,
    mllp_listener,
)
from navette_chassis.service import Resource
from navette_chassis.tls import TlsFiles

from navette_report.adapters.pfi_messages import MESSAGES, stranded
from navette_report.adapters.pfi_receipts import RECEIPTS
from navette_report.api.platforms import platform_routes
from navette_report.domain.pfi.distribution import Platform
from navette_report.pfi_settings import PfiSettings
from navette_report.use_cases.deliver_to_platform import Counter, send_message, settle_message
from navette_report.use_cases.receive_receipt import ReceiptDesk
from navette_report.use_cases.refuse_platform_replay import refuse_platform_replay
from navette_report.use_cases.send_to_platforms import Outputs
from navette_report.use_cases.tell_removed_platform import tell_stranded
from navette_report.use_cases.wait_for_platform import WAITING_ROOM, hand_over_when_back, look_for_platform

_LARGEST_RECEIPT = 256 * 1024


def declare_platforms(service: Service, settings: PfiSettings, outputs: Outputs) -> Resource[MllpServer | None]:
    """Declare channels, routes, indexes and the listener; the listener, open while the service runs."""
    for platform in outputs.distribution.platforms:
        _declare_channel(service, settings, platform)
    service.deliver(
        WAITING_ROOM,
        attempt=look_for_platform(outputs.distribution),
        settle=hand_over_when_back(outputs.distribution),
    )
    service.resource(lambda: _told_of_removed(service, outputs))
    service.router(platform_routes(service, kept_for=timedelta(days=settings.pfi_keep_days)))
    service.index(MESSAGES, [("report_id", 1), ("platform", 1)])
    service.index(MESSAGES, "rewritten_as")
    service.index(MESSAGES, [("state", 1), ("platform", 1)])
    service.index(RECEIPTS, [("key", 1), ("digest", 1)], unique=True)
    service.index(RECEIPTS, [("state", 1), ("received_at", -1)])
    service.index(RECEIPTS, "expires_at", ttl=timedelta(0))
    desk = ReceiptDesk(
        outputs.distribution,
        lambda: service.keyring,
        production=settings.environment == "production",
        kept_for=timedelta(days=settings.pfi_keep_days),
    )
    listener = Listener(
        "pfi-receipts",
        host=settings.pfi_host,
        port=settings.pfi_port or 0,
        max_message_bytes=_LARGEST_RECEIPT,
        max_unframed_bytes=4 * _LARGEST_RECEIPT,
    )
    return service.resource(
        lambda: mllp_listener(
            service,
            listener,
            DurableIntake(service, desk),
            tls=_tls(settings),
            modes=LISTENING_MODES if settings.pfi_port is not None else (),
        )
    )


def _declare_channel(service: Service, settings: PfiSettings, platform: Platform) -> None:
    client = service.resource(lambda: mllp_client(_destination(platform)))
    counter = Counter(
        platform,
        database=lambda: service.database,
        keyring=lambda: service.keyring,
        client=client,
        production=settings.environment == "production",
    )
    channel = message_channel(
        platform.channel,
        answer_seconds=platform.answer_seconds,
        retry_first_seconds=settings.pfi_retry_first_seconds,
        probe_seconds=settings.pfi_probe_seconds,
    )
    service.deliver(
        channel, attempt=send_message(counter), settle=settle_message(counter), obsolete=refuse_platform_replay
    )


@asynccontextmanager
async def _told_of_removed(service: Service, outputs: Outputs) -> AsyncIterator[None]:
    """At start, which is when the file is read: what waits for a platform that it does not name any more."""
    for number in await stranded(service.database, {one.name for one in outputs.distribution.platforms}):
        await service.transact(tell_stranded, number)
    yield


def _destination(platform: Platform) -> Destination:
    tls = None if platform.ca is None else TlsFiles(platform.channel, platform.ca, platform.cert, platform.key)
    return Destination(platform.channel, platform.host, platform.port, tls, answer_seconds=platform.answer_seconds)


def _tls(settings: PfiSettings) -> TlsFiles | None:
    if settings.pfi_cert is None:
        return None
    return TlsFiles("pfi-receipts", settings.pfi_ca, settings.pfi_cert, settings.pfi_key)
