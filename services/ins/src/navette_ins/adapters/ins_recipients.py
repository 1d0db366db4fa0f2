"""Which connected systems were sent the INS of a person, so that they can be told when it goes (RIS.INS.51)."""

from __future__ import annotations

from collections.abc import Callable

from navette_chassis import UnitOfWork
from navette_chassis.unit_of_work import Document
from navette_contracts.sealed import Keyring, Sealed
from pymongo.asynchronous.database import AsyncDatabase

from navette_ins.domain.facts import FormerIns

RECIPIENTS = "ins_recipients"


class InsRecipients:
    """The list inside one unit of work. A system counts from the moment the message is scheduled: it may leave."""

    def __init__(self, uow: UnitOfWork, keyring: Callable[[], Keyring]) -> None:
        self._rows = uow.collection(RECIPIENTS)
        self._keyring = keyring
        self._now = uow.now

    async def held(self, patient_id: str, destination: str) -> FormerIns | None:
        """The INS a system was sent and not yet told to erase."""
        row = await self._rows.find_one({"_id": _id(patient_id, destination)})
        if row is None or row["withdrawal_scheduled_at"] is not None:
            return None
        sealed: Sealed[FormerIns] = Sealed(row["sealed_ins"])
        return sealed.open(self._keyring(), FormerIns)

    async def given(self, patient_id: str, destination: str, ins: FormerIns) -> None:
        """A message with this INS is on its way."""
        row = {
            "_id": _id(patient_id, destination),
            "patient_id": patient_id,
            "destination": destination,
            "sealed_ins": Sealed.seal(ins, self._keyring()).token,
            "scheduled_at": self._now,
            "delivered_at": None,
            "withdrawal_scheduled_at": None,
            "withdrawal_delivered_at": None,
        }
        await self._rows.replace_one({"_id": row["_id"]}, row, upsert=True)

    async def withdrawn(self, patient_id: str, destination: str) -> None:
        """A message that takes the INS back is on its way."""
        update = {"$set": {"withdrawal_scheduled_at": self._now}}
        await self._rows.update_one({"_id": _id(patient_id, destination)}, update)

    async def arrived(self, patient_id: str, destination: str, *, withdrawal: bool) -> None:
        """The system acknowledged."""
        field = "withdrawal_delivered_at" if withdrawal else "delivered_at"
        await self._rows.update_one({"_id": _id(patient_id, destination)}, {"$set": {field: self._now}})


async def recipients_of(database: AsyncDatabase[Document], patient_id: str) -> list[Document]:
    """Who was sent the INS of a person, without the INS."""
    hidden = {"_id": False, "patient_id": False, "sealed_ins": False}
    return await database[RECIPIENTS].find({"patient_id": patient_id}, hidden).sort("destination", 1).to_list()


def _id(patient_id: str, destination: str) -> str:
    return f"{patient_id}/{destination}"
