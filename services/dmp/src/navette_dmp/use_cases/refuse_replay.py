"""Which ended publications must never go again, however an operator asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from navette_chassis import UnitOfWork

from navette_dmp.domain.publication import Publication
from navette_dmp.use_cases.schedule_publication import PUBLICATIONS
from navette_dmp.use_cases.schedule_withdrawal import WITHDRAWN

REPORT_WITHDRAWN = "Ce compte rendu a été retiré : il ne doit plus être déposé dans le DMP."
REPLACED_SINCE = (
    "Un document plus récent du même compte rendu existe : c’est lui qu’il faut rejouer, s’il n’est pas arrivé."
)


async def refuse_replay(payload: Mapping[str, Any], uow: UnitOfWork) -> str | None:
    """Why this publication must not be replayed: its report was withdrawn, or has a later document."""
    publication = Publication.from_payload(payload)
    if await uow.collection(WITHDRAWN).find_one({"_id": publication.report_id}) is not None:
        return REPORT_WITHDRAWN
    rows = await uow.collection(PUBLICATIONS).find({"report_id": publication.report_id}).to_list()
    others = [Publication.from_payload(row["publication"]) for row in rows]
    if any((one.version, one.edition) > (publication.version, publication.edition) for one in others):
        return REPLACED_SINCE
    return None
