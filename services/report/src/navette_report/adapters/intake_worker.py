"""Integrates what was made durable, in the order of arrival, one process at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from navette_chassis import Service, UnitOfWork
from navette_chassis.telemetry import redact
from pymongo.errors import PyMongoError

from navette_report.adapters.intake_messages import MESSAGES, MessageState, Settled
from navette_report.adapters.patients import PATIENTS
from navette_report.use_cases.integrate_report_message import IntakeDesk, Postponed, integrate_report_message

log = structlog.get_logger("navette.intake")

_WINDOW = 200


class IntakeWorker:
    """One round: everything that is due."""

    def __init__(self, service: Service, desk: IntakeDesk) -> None:
        self._service = service
        self._desk = desk

    async def round(self) -> None:
        """Index patients known from before, then integrate until nothing is due that can be."""
        await self._index_patients()
        postponed: set[str] = set()
        while due := [one for one in await self._due() if one not in postponed]:
            for message_id in due:
                if not await self._integrate(message_id):
                    postponed.add(message_id)

    async def _due(self) -> list[str]:
        found = self._service.database[MESSAGES].find({"state": MessageState.RECEIVED.value}, {"_id": 1})
        return [row["_id"] for row in await found.sort("_id", 1).limit(_WINDOW).to_list()]

    async def _integrate(self, message_id: str) -> bool:
        """Whether it was settled. A report that is just being composed lets its corrections wait for the next round,
        in their order.
        """
        try:
            await self._service.transact(integrate_report_message, self._desk, message_id)
        except Postponed as later:
            await self._service.transact(self._refer, message_id, later.refers)
            return False
        except PyMongoError:
            raise
        except Exception as error:  # noqa: BLE001 - one message must not stop those behind it
            log.error("intake.failed", message_id=message_id, **redact.describe(error))  # noqa: TRY400 - redacted
            await self._service.transact(self._fail, message_id)
        return True

    async def _fail(self, uow: UnitOfWork, message_id: str) -> None:
        await self._desk.rules.store(uow).settle(message_id, Settled(MessageState.WAITING, "unexpected"))

    async def _refer(self, uow: UnitOfWork, message_id: str, refers: Sequence[str]) -> None:
        await self._desk.rules.store(uow).refer(message_id, refers)

    async def _index_patients(self) -> None:
        """Identities projected before there was an intake have no tokens yet."""
        query: dict[str, Any] = {"revision": {"$exists": True}, "keys": {"$exists": False}}
        while rows := await self._service.database[PATIENTS].find(query, {"_id": 1}).limit(_WINDOW).to_list():
            for row in rows:
                await self._service.transact(self._follow, row["_id"])

    async def _follow(self, uow: UnitOfWork, patient_id: str) -> None:
        await self._desk.keys(uow).follow(patient_id)
