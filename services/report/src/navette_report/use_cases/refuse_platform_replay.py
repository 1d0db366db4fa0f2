"""Which ended messages to platforms must never go again, however an operator asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from navette_chassis import UnitOfWork

from navette_report.adapters.pfi_messages import PlatformMessages
from navette_report.adapters.reports import ReportRepository
from navette_report.domain.lifecycle import State
from navette_report.domain.pfi.letter import Action
from navette_report.domain.pfi.succession import MessageState, overtaken

REPORT_WITHDRAWN = "Ce compte rendu a été retiré : il ne doit plus être envoyé."
REPLACED_SINCE = (
    "Une version plus récente de ce compte rendu existe : c’est elle qu’il faut rejouer, si elle n’est pas arrivée."
)
TAKEN_OVER = (
    "Un document plus récent de ce compte rendu sert aussi ces destinataires : c’est lui qu’il faut rejouer, "
    "s’il n’est pas arrivé."
)


async def refuse_platform_replay(payload: Mapping[str, Any], uow: UnitOfWork) -> str | None:
    """Why a message must not be replayed: its report was withdrawn, corrected, or left again. A deletion may always be.

    One that may go counts as on its way from now on: what is composed meanwhile replaces it.
    """
    messages = PlatformMessages(uow)
    message = await messages.get(payload["number"])
    if message is None:
        return None
    report = await ReportRepository(uow).get(message.report_id)
    version = None if report is None else report.validated
    if message.action is not Action.DELETE and version is not None:
        if version.state is State.WITHDRAWN:
            return REPORT_WITHDRAWN
        if message.state is MessageState.TAKEN_OVER:
            return TAKEN_OVER
        sent = await messages.of(message.report_id, message.platform)
        if overtaken(message, sent, in_force=version.number):
            return REPLACED_SINCE
    await messages.replayed(message.number)
    return None
