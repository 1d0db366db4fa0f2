"""Which ended mails must never go again, however an operator asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from navette_chassis import UnitOfWork

from navette_mss.domain.order import MailOrder
from navette_mss.use_cases.schedule_mails import EDITIONS
from navette_mss.use_cases.tell_withdrawal import WITHDRAWALS

REPORT_WITHDRAWN = "Ce compte rendu a été retiré : il ne doit plus être envoyé."
REPLACED_SINCE = (
    "Une version plus récente de ce compte rendu existe : c’est elle qu’il faut rejouer, si elle n’est pas arrivée."
)


async def refuse_replay(payload: Mapping[str, Any], uow: UnitOfWork) -> str | None:
    """Why this mail must not be replayed: its report was withdrawn, or replaced. A notice of withdrawal may be."""
    order = MailOrder.from_payload(payload)
    if order.is_notice:
        return None
    if await uow.collection(WITHDRAWALS).find_one({"_id": order.report_id}) is not None:
        return REPORT_WITHDRAWN
    last = await uow.collection(EDITIONS).find_one({"_id": order.report_id})
    return REPLACED_SINCE if last is not None and last["version"] > order.version else None
