"""Who may see a received document: those of its identity domain, where patients are shared (ADR 0011)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from navette_chassis import Service
from navette_chassis.auth import Principal, require
from navette_chassis.problem import OutOfSightError, ProblemError

from navette_report.adapters.received_documents import ReceivedReader
from navette_report.api.access import record
from navette_report.api.received_schemas import Order
from navette_report.domain.received.model import Received, Summary
from navette_report.domain.received.reasons import label_of
from navette_report.use_cases.receive_document import ReceptionDesk

Bringer = Annotated[Principal, require("radiologist", "secretary", "technologist", service=True)]
"""A person with a file, or the service that fetched the document."""
SOURCES = frozenset({"dmp", "mss"})
"""Services that bring documents of others."""

Opened = tuple[Received, Summary]


class Cabinet:
    """Received documents as a caller may see them."""

    def __init__(self, service: Service, desk: ReceptionDesk) -> None:
        self._service = service
        self._desk = desk

    @property
    def reader(self) -> ReceivedReader:
        """Contents."""
        return ReceivedReader(self._service.database, self._desk.keyring)

    def domains_of(self, caller: Principal) -> frozenset[str]:
        """The identity domains the caller works in."""
        return frozenset(self._desk.domain_of(site_id) for site_id in self._desk.sites if caller.may_act_for(site_id))

    async def open(self, caller: Principal, document_id: str, action: str) -> Opened:
        """One document, or the same 404 for one of others and one that does not exist. The access is recorded."""
        found = await self.reader.get(document_id)
        if found is None:
            raise ProblemError.not_found()
        allowed = found[0].domain in self.domains_of(caller)
        place = ("received", document_id, found[0].site_id)
        await record(self._service, caller, action, *place, granted=allowed)
        if not allowed:
            raise OutOfSightError
        return found

    async def of_patient(self, caller: Principal, patient_id: str, order: Order) -> list[Opened]:
        """The file of a patient, as far as the caller may see it; the access is recorded."""
        domains = self.domains_of(caller)
        found = [one for one in await self.reader.of_patient(patient_id) if one[0].domain in domains]
        await record(self._service, caller, "received.list", "patient", patient_id, None, granted=True)
        return in_order(found, order)

    async def to_file(self, caller: Principal, *, after: str | None, limit: int) -> tuple[list[Opened], str | None]:
        """A part of what waits to be filed, and after which id the next one begins; the access is recorded."""
        await record(self._service, caller, "received.list", "worklist", "to-file", None, granted=True)
        return await self.reader.to_file(self.domains_of(caller), after=after, limit=limit)


def in_order(found: Iterable[Opened], order: Order) -> list[Opened]:
    """By typeCode and date, or by date alone; newest first."""
    newest = sorted(found, key=lambda one: one[0].authored_at, reverse=True)
    return sorted(newest, key=lambda one: one[0].type_code) if order is Order.TYPE else newest


def conflict(rule: str) -> ProblemError:
    """409 with the reason in French."""
    return ProblemError.conflict(rule.replace("_", "-"), label_of(rule))
