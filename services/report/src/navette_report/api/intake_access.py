"""Who may see and decide about received messages: the care team of their site, and those who look after the links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from navette_chassis import Service
from navette_chassis.auth import Principal, require
from navette_chassis.problem import ProblemError
from navette_chassis.unit_of_work import Document

from navette_report.adapters.intake_messages import HEADER_ONLY, MESSAGES, OPEN, MessageState
from navette_report.api.access import record

KEEPERS = frozenset({"operator", "administrator"})
"""Those who look after the links: they see every message and no content."""
CARE = frozenset({"secretary", "radiologist", "technologist"})
Handler = Annotated[Principal, require(*sorted(CARE), *sorted(KEEPERS))]


async def listed_messages(
    service: Service, caller: Principal, states: Sequence[MessageState] | None, *, after: str | None, limit: int
) -> tuple[list[Document], str | None]:
    """A part of the list, newest first, and after which id the next one begins, None at the end.

    By default of those that ask something of somebody; of the caller's sites, or of all for keepers.
    """
    query = _query(caller, states or OPEN)
    if after is not None:
        query["_id"] = {"$lt": after}
    rows = await service.database[MESSAGES].find(query, HEADER_ONLY).sort("_id", -1).limit(limit + 1).to_list()
    return rows[:limit], rows[limit - 1]["_id"] if len(rows) > limit else None


async def count_open_messages(service: Service, caller: Principal, *, limit: int) -> int:
    """How many ask something of somebody; counted no further than `limit`."""
    return await service.database[MESSAGES].count_documents(_query(caller, OPEN), limit=limit)


def may_read_content(caller: Principal, site_id: str | None) -> bool:
    """Whether what a message says is this person's to see: of the care team, at its site."""
    return bool(CARE & caller.roles) and site_id is not None and caller.may_act_for(site_id)


async def visible_message(
    service: Service, caller: Principal, message_id: str, action: str, *, content: bool = False
) -> Document:
    """The message, if the caller may handle it: of one of their sites, or any for those who keep the links."""
    row = await service.database[MESSAGES].find_one({"_id": message_id}, HEADER_ONLY)
    if row is None:
        raise ProblemError.not_found()
    site_id = row["site_id"]
    keeps = bool(KEEPERS & caller.roles) and not content
    allowed = keeps or (site_id is not None and caller.may_act_for(site_id))
    if content or not allowed:
        await record(service, caller, action, "message", message_id, site_id, granted=allowed)
    if not allowed:
        raise ProblemError.not_found()
    return row


def _query(caller: Principal, states: Sequence[MessageState]) -> Document:
    query: Document = {"state": {"$in": [one.value for one in states]}}
    if not KEEPERS & caller.roles:
        query["site_id"] = {"$in": sorted(caller.sites)}
    return query
