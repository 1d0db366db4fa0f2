"""Verification on one page: its port, channels, scheduler and routes, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from fastapi import APIRouter
from navette_chassis import Service
from navette_chassis.deliveries import BreakerPolicy, Channel, RetryPolicy
from navette_chassis.rounds import Rounds

from navette_ins.adapters.insi_clients import InsiClients
from navette_ins.adapters.verifications import ANSWERS, BATCHES, CHECKS, DUE, LINES
from navette_ins.adapters.verifier import NotConfigured, Verifier
from navette_ins.adapters.verifier_sandbox import SandboxVerifier
from navette_ins.api.verifications import verification_routes
from navette_ins.settings import InsSettings
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.prepare_verification_batch import BATCH_CHANNEL
from navette_ins.use_cases.request_verification import CHECK_CHANNEL
from navette_ins.use_cases.run_verification import run_verification, settle_verification
from navette_ins.use_cases.run_verification_batch import run_verification_batch, settle_verification_batch
from navette_ins.use_cases.verification_desk import VerificationDesk
from navette_ins.use_cases.verification_round import verification_round


def verification_desk(desk: Desk, settings: InsSettings, clients: Callable[[], InsiClients]) -> VerificationDesk:
    """What the use cases of verification work with."""
    return VerificationDesk(
        desk=desk,
        verifier=lambda: _verifier(settings, clients()),
        period=timedelta(days=settings.insi_verification_period_days),
        lot_size=settings.insi_verification_lot_size,
    )


def declare_verification(service: Service, verification: VerificationDesk, settings: InsSettings) -> APIRouter:
    """Declare everything of verification but the routes, which are returned."""
    rounds = Rounds(
        service,
        "verification",
        seconds=settings.insi_verification_round_seconds,
        work=lambda: verification_round(service, verification),
    )
    service.resource(rounds.running)
    service.deliver(
        verification_channel(settings, CHECK_CHANNEL),
        attempt=run_verification(service, verification),
        settle=settle_verification(verification),
    )
    service.deliver(
        verification_channel(settings, BATCH_CHANNEL),
        attempt=run_verification_batch(service, verification),
        settle=settle_verification_batch(verification, on_withdrawn=rounds.soon),
    )
    service.index(DUE, [("batch_id", 1), ("positive_at", 1)])
    service.index(CHECKS, [("patient_id", 1), ("state", 1)])
    service.index(BATCHES, "state")
    service.index(LINES, [("batch_id", 1), ("applied", 1)])
    service.index(ANSWERS, "about")
    return verification_routes(service, verification)


def insi_breaker(settings: InsSettings) -> BreakerPolicy:
    """An endpoint that is down is left in peace, for the same time each time (spec/ins.md §4.4)."""
    return BreakerPolicy(
        failures=settings.insi_breaker_failures,
        probe_after_seconds=settings.insi_breaker_open_seconds,
        probe_cap_seconds=settings.insi_breaker_open_seconds,
    )


def verification_channel(settings: InsSettings, name: str) -> Channel:
    """A channel of the endpoint of verifications: they share its breaker."""
    return Channel(
        name,
        endpoint="insi-verification",
        max_in_flight=2,
        retry=RetryPolicy(first=timedelta(seconds=settings.insi_retry_first_seconds)),
        breaker=insi_breaker(settings),
    )


def _verifier(settings: InsSettings, clients: InsiClients) -> Verifier:
    if settings.insi_verification == "sandbox":
        return SandboxVerifier(settings.insi_verification_url or "", clients.manual_http, clients.unattended_http)
    return NotConfigured()
