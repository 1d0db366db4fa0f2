"""One claimed delivery from attempt to conclusion, under a lease that is renewed while it lasts."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import structlog
from navette_contracts.events import WhoMustAct
from opentelemetry.trace import SpanKind
from pymongo.errors import ConnectionFailure, ExecutionTimeout, PyMongoError, WaitQueueTimeoutError

from navette_chassis.backoff import Backoff
from navette_chassis.deliveries.endpoints import Endpoints, announce, note
from navette_chassis.deliveries.model import Delivery, DeliveryState, Outcome, OutcomeKind
from navette_chassis.deliveries.rows import END_STATES, Claim, attempt_entry
from navette_chassis.deliveries.store import DeliveryStore, Host, LeaseLostError
from navette_chassis.origin import originating_from
from navette_chassis.steps import Step, reached
from navette_chassis.telemetry import redact
from navette_chassis.telemetry.metrics import metrics
from navette_chassis.telemetry.tracing import span
from navette_chassis.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from navette_chassis.service import DeliveryHandler

log = structlog.get_logger("navette.deliveries")

#: How long an attempt that was cut may take to unwind, seconds.
UNWIND_SECONDS = 5.0
#: How long a release at stop may take, seconds.
RELEASE_SECONDS = 3.0

_DATABASE = Backoff(first=0.1, cap=2.0)


@dataclass(frozen=True, slots=True)
class Workbench:
    """What every work item of one channel shares."""

    host: Host
    store: DeliveryStore
    endpoints: Endpoints
    handler: DeliveryHandler
    lease_seconds: float


class Work:
    """Attempts one claim and writes what came of it; whatever happens, only under its lease token."""

    def __init__(self, bench: Workbench, claim: Claim) -> None:
        self._bench = bench
        self._claim = claim
        self._channel = bench.handler.channel
        self._started_at = bench.host.clock.now()

    async def run(self) -> None:
        """Do it. Cancelled, it cuts the attempt and gives the row back as uncertain."""
        claim, channel = self._claim, self._channel
        attributes: dict[str, str | int | bool] = {
            "navette.channel": channel.name,
            "navette.endpoint": channel.endpoint,
            "navette.delivery_id": claim.id,
            "navette.attempt": claim.attempt,
            "navette.must_query": claim.must_query,
        }
        with (
            originating_from(claim.origin),
            span(
                f"deliver {channel.name}",
                SpanKind.CONSUMER,
                traceparent=claim.row["traceparent"] or "",
                attributes=attributes,
            ) as current,
        ):
            try:
                outcome = await self._run()
                current.set_attribute("navette.outcome", outcome.kind.value)
                current.set_attribute("navette.code", outcome.code)
            except LeaseLostError:
                log.warning("delivery.lease_lost", channel=channel.name, delivery_id=claim.id)
                metrics().count("navette_delivery_leases_lost", channel=channel.name)
            except PyMongoError as error:
                # The lease runs out and the row is taken over with must_query: nothing is lost.
                log.warning("delivery.left_to_lease", delivery_id=claim.id, **redact.describe(error))
            except asyncio.CancelledError:
                await asyncio.shield(asyncio.ensure_future(self._release()))
                raise

    async def _run(self) -> Outcome:
        cancelled: str | None = self._claim.row["cancel_code"]
        if cancelled is not None:
            outcome = Outcome.cancelled(cancelled)
            await self._end(DeliveryState.CANCELLED, outcome, entry=None)
            return outcome
        renewal = asyncio.create_task(self._keep_lease())
        try:
            outcome = await self._attempt(renewal)
            reached(Step.AFTER_ATTEMPT)
            await self._conclude(outcome)
        finally:
            renewal.cancel()
        return outcome

    # The attempt

    async def _attempt(self, renewal: asyncio.Task[None]) -> Outcome:
        """The outcome of the handler; raises ``LeaseLostError`` when the lease goes first."""
        delivery = self._claim.delivery
        started = time.perf_counter()
        attempt = asyncio.create_task(self._outcome_of(delivery))
        try:
            await asyncio.wait(
                {attempt, renewal},
                timeout=self._channel.attempt_timeout_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            if not attempt.done():
                attempt.cancel()
                await asyncio.wait({attempt}, timeout=UNWIND_SECONDS)
        if attempt.done() and not attempt.cancelled():
            outcome = attempt.result()
        elif renewal.done():
            raise LeaseLostError
        else:
            outcome = Outcome.ambiguous("attempt_timeout")
        metrics().record(
            "navette_endpoint_seconds",
            time.perf_counter() - started,
            endpoint=self._channel.endpoint,
            outcome=outcome.kind.value,
        )
        metrics().count("navette_delivery_attempts", channel=self._channel.name, outcome=outcome.kind.value)
        return outcome

    async def _outcome_of(self, delivery: Delivery) -> Outcome:
        try:
            return await self._bench.handler.attempt(delivery)
        except Exception as error:  # noqa: BLE001 - whatever broke, the other side may have accepted
            facts = redact.describe(error)
            log.error(  # noqa: TRY400 - the redacted facts are the record; a traceback quotes values
                "delivery.attempt_raised", channel=self._channel.name, delivery_id=delivery.id, **facts
            )
            return Outcome.ambiguous(f"unexpected:{type(error).__name__}"[:128])

    async def _keep_lease(self) -> None:
        """Renew until the lease is lost, or may have been: then return."""
        seconds = self._bench.lease_seconds
        holds_until = time.monotonic() + seconds
        while time.monotonic() < holds_until:
            await asyncio.sleep(seconds / 3)
            asked_at = time.monotonic()
            with suppress(PyMongoError):
                if not await self._bench.store.renew(self._claim, self._bench.host.clock.now(), seconds):
                    return
                holds_until = asked_at + seconds

    # The conclusion

    async def _conclude(self, outcome: Outcome) -> None:
        await self._tell_endpoint(outcome)
        log.info(
            "delivery.attempted",
            channel=self._channel.name,
            delivery_id=self._claim.id,
            attempt=self._claim.attempt,
            outcome=outcome.kind.value,
            code=outcome.code,
        )
        if outcome.kind is OutcomeKind.AMBIGUOUS:
            self._claim = replace(self._claim, must_query=True)
        if outcome.kind not in END_STATES:
            cancelled = await self._patiently_cancel_code()
            if cancelled is not None:
                await self._end(DeliveryState.CANCELLED, Outcome.cancelled(cancelled), self._entry(outcome))
            elif self._exhausted():
                await self._end(DeliveryState.FAILED, _given_up(outcome), self._entry(outcome))
            else:
                await self._again(outcome)
        else:
            await self._end(END_STATES[outcome.kind], outcome, self._entry(outcome))

    async def _tell_endpoint(self, outcome: Outcome) -> None:
        endpoint = self._channel.endpoint
        try:
            if outcome.endpoint_down:
                now = self._bench.host.clock.now()
                await self._bench.endpoints.nobody_answered(endpoint, self._channel.breaker, now)
            elif outcome.kind in {OutcomeKind.DELIVERED, OutcomeKind.PERMANENT, OutcomeKind.TRANSIENT}:
                await self._bench.endpoints.answered(endpoint, self._started_at)
        except PyMongoError as error:
            # What the delivery came to matters more; the breaker learns from the next attempt.
            log.warning("delivery.breaker_not_noted", endpoint=endpoint, **redact.describe(error))

    def _exhausted(self) -> bool:
        return self._bench.host.clock.now() - self._claim.first_attempt_at >= self._channel.retry.give_up

    def _entry(self, outcome: Outcome) -> dict[str, Any]:
        return attempt_entry(self._claim.attempt, outcome, self._started_at, self._bench.host.clock.now())

    async def _again(self, outcome: Outcome) -> None:
        ambiguous = outcome.kind is OutcomeKind.AMBIGUOUS
        policy = self._channel.retry
        delay = policy.delay(self._claim.row["retries"] + 1, random.random, query=ambiguous)
        if outcome.endpoint_down:
            # The breaker decides when the endpoint is called again; the row only has to be there by then.
            delay = min(delay, timedelta(seconds=self._channel.breaker.probe_after_seconds))
        must_query = self._claim.must_query or ambiguous
        state = DeliveryState.UNKNOWN if must_query else DeliveryState.RETRY_SCHEDULED
        entry, due = self._entry(outcome), self._bench.host.clock.now() + delay
        attempt = 0
        while True:
            attempt += 1
            try:
                await self._bench.store.later(
                    self._claim, state, due, entry=entry, must_query=must_query, counts=not outcome.endpoint_down
                )
            except PyMongoError:
                await asyncio.sleep(_DATABASE.delay(attempt))
            else:
                return

    async def _patiently_cancel_code(self) -> str | None:
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._bench.store.cancel_code(self._claim)
            except PyMongoError:
                await asyncio.sleep(_DATABASE.delay(attempt))

    async def _end(self, state: DeliveryState, outcome: Outcome, entry: dict[str, Any] | None) -> None:
        """Final state and the service's ``settle`` in one transaction, as often as the database needs."""

        async def settle(uow: UnitOfWork) -> None:
            await self._bench.store.end(uow, self._claim, state, outcome, entry)
            if state is DeliveryState.FAILED:
                notice = f"delivery:{self._claim.id}:{self._claim.attempt}"
                more = {"delivery_id": self._claim.id, "channel": self._channel.name}
                await note(uow, self._channel.endpoint, "delivery_failed", notice, **more)
            await self._bench.handler.settle(self._claim.delivery, outcome, uow)

        attempt = 0
        while True:
            attempt += 1
            try:
                await self._bench.host.transactions.run(settle, self._claim.origin)
            except LeaseLostError:
                raise
            except Exception as error:  # noqa: BLE001 - a bug in settle must not lose what was delivered
                if not _database_away(error):
                    await self._settle_raised(error)
                    return
                log.warning("delivery.settle_waits_for_database", delivery_id=self._claim.id, **redact.describe(error))
                await asyncio.sleep(_DATABASE.delay(attempt))
            else:
                break
        if state is DeliveryState.FAILED:
            announce(self._channel.endpoint, "delivery_failed")
        metrics().count("navette_deliveries_ended", channel=self._channel.name, state=state.value)

    async def _settle_raised(self, error: Exception) -> None:
        log.error(
            "delivery.settle_raised", channel=self._channel.name, delivery_id=self._claim.id, **redact.describe(error)
        )
        await self._again(Outcome.ambiguous(f"settle:{type(error).__name__}"[:128]))

    async def _release(self) -> None:
        """Give the row back when the process stops in the middle: whether it was accepted is not known."""
        now: datetime = self._bench.host.clock.now()
        entry = self._entry(Outcome.ambiguous("stopped"))
        with suppress(PyMongoError, LeaseLostError, TimeoutError):
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._bench.store.later(
                    self._claim, DeliveryState.UNKNOWN, now, entry=entry, must_query=True, counts=False
                )


def _database_away(error: Exception) -> bool:
    """Whether trying the same transaction again later can help."""
    if isinstance(error, ConnectionFailure | ExecutionTimeout | WaitQueueTimeoutError):
        return True
    return isinstance(error, PyMongoError) and error.has_error_label("TransientTransactionError")


def _given_up(outcome: Outcome) -> Outcome:
    who = outcome.who_must_act
    return Outcome(
        outcome.kind,
        outcome.code,
        who_must_act=WhoMustAct.OPERATOR if who is WhoMustAct.NOBODY else who,
        remote_ids=outcome.remote_ids,
    )
