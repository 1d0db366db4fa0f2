"""Keep the order to delete for a platform that is not in the file any more, until it is there again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from navette_chassis import UnitOfWork
from navette_chassis.deliveries import Channel, Delivery, Outcome, OutcomeKind
from navette_contracts.events import WhoMustAct

from navette_report.adapters.pfi_messages import PlatformMessage, PlatformMessages
from navette_report.domain.pfi.distribution import Distribution
from navette_report.use_cases.fold_platform_facts import REMOVED
from navette_report.use_cases.send_to_platforms import promise_message

WAITING_ROOM = Channel("removed-platforms", endpoint="removed-platforms")
"""Every order ends here as rejected, where operators find it; replayed once the platform is back, it leaves."""


async def wait_for_platform(uow: UnitOfWork, message: PlatformMessage) -> None:
    """Store an order for a platform that the file does not name."""
    await PlatformMessages(uow).add(message)
    payload = {"number": message.number, "platform": message.platform}
    await uow.schedule(
        WAITING_ROOM.name, key=message.number, group=f"{WAITING_ROOM.name}/{message.report_id}", payload=payload
    )


def look_for_platform(distribution: Distribution) -> Callable[[Delivery], Awaitable[Outcome]]:
    """The attempt: whether the platform is in the file."""

    async def attempt(delivery: Delivery) -> Outcome:
        if distribution.platform(delivery.payload["platform"]) is None:
            return Outcome.permanent(REMOVED, WhoMustAct.ADMINISTRATOR)
        return Outcome.delivered("platform_back")

    return attempt


def hand_over_when_back(distribution: Distribution) -> Callable[[Delivery, Outcome, UnitOfWork], Awaitable[None]]:
    """The settlement: the order goes on by the platform's own channel."""

    async def settle(delivery: Delivery, outcome: Outcome, uow: UnitOfWork) -> None:
        platform = distribution.platform(delivery.payload["platform"])
        message = await PlatformMessages(uow).get(delivery.payload["number"])
        if outcome.kind is OutcomeKind.DELIVERED and platform is not None and message is not None:
            await promise_message(uow, platform, message)

    return settle
