"""Take a withdrawn report back from the platforms that have it, or may have it (RIS.DMP.02, DB/RIS.10)."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from navette_chassis import UnitOfWork
from navette_documents.hl7v2 import control_id

from navette_report.adapters.pfi_messages import PlatformMessage, PlatformMessages
from navette_report.domain.pfi.distribution import Platform
from navette_report.domain.pfi.letter import Action
from navette_report.domain.pfi.succession import HELD, MessageState, ends
from navette_report.domain.report import Report
from navette_report.use_cases.send_to_platforms import Outputs, schedule_message


async def withdraw_from_platforms(uow: UnitOfWork, outputs: Outputs, report: Report, version: int) -> None:
    """Cancel what waits, and schedule the deletions behind whatever is still on its way: per platform one for the
    last document of each chain.

    Whether there is anything to delete, and of which document, is decided when the deletion is sent.
    """
    sent = sorted(await PlatformMessages(uow).of(report.report_id), key=lambda one: one.platform)
    for name, group in groupby(sent, key=lambda one: one.platform):
        messages, platform = list(group), outputs.distribution.platform(name)
        held = [one for one in messages if one.action is not Action.DELETE and one.state in HELD]
        if platform is None or not held:
            continue
        for one in held:
            await uow.cancel(platform.channel, one.number, "withdrawn")
        for last in ends(held):
            await schedule_message(uow, platform, _deletion(uow, platform, last, version))


def _deletion(uow: UnitOfWork, platform: Platform, last: PlatformMessage, version: int) -> PlatformMessage:
    """The order to delete; the letter is that of the last version until it is sent."""
    return replace(
        last,
        number=control_id(platform.name, last.report_id, "withdrawal", str(version), last.unique_id),
        version=version,
        action=Action.DELETE,
        state=MessageState.SCHEDULED,
        scheduled_at=uow.now,
        remark=None,
        text=None,
        refused=None,
    )
