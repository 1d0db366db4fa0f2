"""The local projection of identities. Traits and INS are stored sealed, as they came."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from navette_chassis import UnitOfWork
from navette_contracts.events import IdentityAttribute, IdentityStatus, Ins, PatientIdentified, Traits
from navette_contracts.sealed import Keyring, Sealed
from pymongo import ReturnDocument

from navette_report.domain.identity import IdentityGap, PatientIdentity, is_newer

PATIENTS = "patients"

KeyringSource = Callable[[], Keyring]
"""Gives the keyring as it is now; keys are added to it by rotation."""


@dataclass(frozen=True, slots=True)
class KnownPatient:
    """What is known of a patient: an identity, or the reason why there is none to work with."""

    identity: PatientIdentity | None
    gap: IdentityGap | None


class PatientRepository:
    """Identities inside one unit of work."""

    def __init__(self, uow: UnitOfWork, keyring: KeyringSource) -> None:
        self._collection = uow.collection(PATIENTS)
        self._keyring = keyring

    async def find(self, patient_id: str) -> KnownPatient:
        """The patient as known now."""
        return known_patient(await self._collection.find_one({"_id": patient_id}), self._keyring())

    async def join(self, patient_id: str) -> KnownPatient:
        """The patient as known now, in a way that conflicts with any concurrent change of the identity.

        Writing to the row makes the two transactions meet: a report cannot go waiting for an identity at the
        very moment it arrives, each without seeing the other.
        """
        row = await self._collection.find_one_and_update(
            {"_id": patient_id}, {"$inc": {"joined": 1}}, upsert=True, return_document=ReturnDocument.AFTER
        )
        return known_patient(row, self._keyring())

    async def project(self, event: PatientIdentified) -> bool:
        """Take over a revision; False when it is not newer than what is known."""
        row = await self._collection.find_one({"_id": event.patient_id})
        if not is_newer(row.get("revision") if row else None, event.revision):
            return False
        fields = {
            "revision": event.revision,
            "status": event.status.value,
            "attributes": [attribute.value for attribute in event.attributes],
            "site_id": event.site_id,
            "traits": event.traits.token,
            "ins": None if event.ins is None else event.ins.token,
        }
        update: dict[str, Any] = {"$set": fields}
        if row is not None and event.revision > (row.get("closed_by_revision") or event.revision):
            update["$unset"] = {"merged_into": "", "closed_by_revision": ""}
        await self._collection.update_one({"_id": event.patient_id}, update, upsert=True)
        return True

    async def mark_merged(self, absorbed_id: str, surviving_id: str, closed_by: int | None) -> None:
        """Remember that a record was absorbed: nothing more is composed under its name until it comes back.

        `closed_by` is the revision that closed it; when a later one is known already, the merge was undone meanwhile.
        """
        row = await self._collection.find_one({"_id": absorbed_id})
        if closed_by is not None and row is not None and row.get("revision", 0) > closed_by:
            return
        fields = {"merged_into": surviving_id, "closed_by_revision": closed_by}
        await self._collection.update_one({"_id": absorbed_id}, {"$set": fields}, upsert=True)


def known_patient(row: Mapping[str, Any] | None, keyring: Keyring) -> KnownPatient:
    """The patient of a row. Raises SealError when the keyring cannot open it."""
    if row is not None and row.get("merged_into"):
        return KnownPatient(None, IdentityGap.MERGED)
    if row is None or "revision" not in row:
        return KnownPatient(None, IdentityGap.UNKNOWN)
    sealed_ins = row.get("ins")
    identity = PatientIdentity(
        patient_id=row["_id"],
        site_id=row["site_id"],
        revision=row["revision"],
        status=IdentityStatus(row["status"]),
        attributes=tuple(IdentityAttribute(value) for value in row["attributes"]),
        traits=Sealed[Traits](row["traits"]).open(keyring, Traits),
        ins=None if sealed_ins is None else Sealed[Ins](sealed_ins).open(keyring, Ins),
    )
    return KnownPatient(identity, None)
