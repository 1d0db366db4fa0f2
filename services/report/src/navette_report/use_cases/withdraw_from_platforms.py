"""Take a withdrawn report back from the platforms that have it, or may have it (RIS.DMP.02, DB/RIS.10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from navette_chassis import UnitOfWork
from navette_documents.hl7v2 import control_id

from navette_report.adapters.pfi_messages import PlatformMessage, PlatformMessages
from navette_report.domain.journey import LineKind
from navette_report.domain.pfi.letter import Action
from navette_report.domain.pfi.succession import HELD, MessageState, ends
from navette_report.domain.report import Report
from navette_report.use_cases.fold_platform_facts import message_place
from navette_report.use_cases.send_to_platforms import Outputs, schedule_message
from navette_report.use_cases.tell_removed_platform import label_of_removed, tell_removed_platform
from navette_report.use_cases.wait_for_platform import wait_for_platform


async def withdraw_from_platforms(uow: UnitOfWork, outputs: Outputs, report: Report, version: int) -> None:
    """Cancel what waits, and schedule the deletions behind whatever is still on its way: per platform one for the
    last document of each chain.

    Whether there is anything to delete, and of which document, is decided when the deletion is sent.
    """
    sent = sorted(await PlatformMessages(uow).of(report.report_id), key=lambda one: one.platform)
    for name, group in groupby(sent, key=lambda one: one.platform):
        messages, platform = list(group), outputs.distribution.platform(name)
        held = [one for one in messages if one.action is not Action.DELETE and one.state in HELD]
        if platform is None:
            await _keep_orders(uow, name, held, version)
            continue
        for one in held:
            await uow.cancel(platform.channel, one.number, "withdrawn")
        for last in ends(held):
            await schedule_message(uow, platform, _deletion(uow, last, version))


async def _keep_orders(uow: UnitOfWork, name: str, held: Sequence[PlatformMessage], version: int) -> None:
    """The platform is not in the file any more, and has the report."""
    for last in ends(held):
        await wait_for_platform(uow, _deletion(uow, last, version))
        label = await label_of_removed(uow, last.report_id, name, last.edition)
        place = message_place(last.report_id, version, name, last.edition, label, LineKind.WITHDRAWAL)
        await tell_removed_platform(uow, name, place)


def _deletion(uow: UnitOfWork, last: PlatformMessage, version: int) -> PlatformMessage:
    """The order to delete; the letter is that of the last version until it is sent."""
    return replace(
        last,
        number=control_id(last.platform, last.report_id, "withdrawal", str(version), last.unique_id),
        version=version,
        action=Action.DELETE,
        state=MessageState.SCHEDULED,
        scheduled_at=uow.now,
        remark=None,
        text=None,
        refused=None,
    )
