"""Identities in MongoDB: the whole identity sealed, and beside it what queries need (no trait, no matricule)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Any

from navette_chassis import UnitOfWork, uuid7
from navette_contracts.events import Ins, PatientIdentified
from navette_contracts.events import Traits as SharedTraits
from navette_contracts.sealed import Keyring, Sealed
from pydantic import BaseModel, ConfigDict

from navette_ins.domain.identity import Identity
from navette_ins.domain.traits import Traits

IDENTITIES = "identities"
HISTORY = "history"


class Change(BaseModel):
    """One line of the history of an identity, without values."""

    model_config = ConfigDict(frozen=True)

    revision: int
    action: str
    by: str
    at: str
    status_before: str | None
    status_after: str
    changed_fields: tuple[str, ...] = ()


class BlindIndex:
    """Finds a matricule without storing it in clear: HMAC-SHA-256 under a key of its own (spec/ins.md §11)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, matricule: str, oid: str) -> str:
        """The value to store and to look for."""
        return hmac.new(self._key, f"{oid}|{matricule}".encode(), hashlib.sha256).hexdigest()


class IdentityRepository:
    """Identities inside one unit of work; every change writes its history and promises `patient.identified`."""

    def __init__(self, uow: UnitOfWork, keyring: Callable[[], Keyring], index: BlindIndex) -> None:
        self._uow = uow
        self._keyring = keyring()
        self._index = index

    async def get(self, patient_id: str) -> Identity | None:
        """The present revision of a record."""
        row = await self._uow.collection(IDENTITIES).find_one({"_id": patient_id})
        return None if row is None else identity_of(row, self._keyring)

    async def add(self, identity: Identity, *, by: str) -> None:
        """Store a new record."""
        await self._uow.collection(IDENTITIES).insert_one(self._row(identity))
        await self._tell(None, identity, action="created", by=by)

    async def save(self, before: Identity, after: Identity, *, action: str, by: str) -> None:
        """Store the next revision of a record."""
        await self._uow.collection(IDENTITIES).replace_one(
            {"_id": after.patient_id, "revision": before.revision}, self._row(after)
        )
        await self._tell(before, after, action=action, by=by)

    async def other_with(self, matricule: str, oid: str, *, than: str) -> str | None:
        """Id of another record that carries this matricule now, if any."""
        query = {"ins_index": self._index.of(matricule, oid)}
        holders = [str(row["_id"]) async for row in self._uow.collection(IDENTITIES).find(query, {"_id": 1}).limit(2)]
        return next((holder for holder in holders if holder != than), None)

    async def _tell(self, before: Identity | None, after: Identity, *, action: str, by: str) -> None:
        line = Change(
            revision=after.revision,
            action=action,
            by=by,
            at=after.updated_at.isoformat(),
            status_before=None if before is None else before.status.value,
            status_after=after.status.value,
            changed_fields=() if before is None else _changed(before.traits, after.traits),
        )
        kept = None if before is None else _seal(before, self._keyring)
        await self._uow.collection(HISTORY).insert_one(
            {"_id": uuid7(), "patient_id": after.patient_id, "change": line.model_dump(), "sealed_before": kept}
        )
        await self._uow.emit(self._event(after), subject=after.patient_id, sequence=after.revision)

    def _event(self, identity: Identity) -> PatientIdentified:
        traits = SharedTraits.model_validate(identity.traits.model_dump(exclude={"birth_date_completed"}))
        recovery = identity.recovery if identity.status == "qualifiee" else None
        return PatientIdentified(
            patient_id=identity.patient_id,
            revision=identity.revision,
            status=identity.status,
            attributes=tuple(sorted(identity.attributes)),
            site_id=identity.site_id,
            traits=Sealed.seal(traits, self._keyring),
            ins=None
            if recovery is None
            else Sealed.seal(Ins(matricule=recovery.matricule, oid=recovery.oid), self._keyring),
        )

    def _row(self, identity: Identity) -> dict[str, Any]:
        recovery = identity.recovery
        row = {
            "_id": identity.patient_id,
            "site_id": identity.site_id,
            "revision": identity.revision,
            "status": identity.status.value,
            "updated_at": identity.updated_at,
            "sealed": _seal(identity, self._keyring),
        }
        return row if recovery is None else row | {"ins_index": self._index.of(recovery.matricule, recovery.oid)}


def identity_of(row: Mapping[str, Any], keyring: Keyring) -> Identity:
    """The identity of a row. Raises SealError when the keyring cannot open it."""
    sealed: Sealed[Identity] = Sealed(row["sealed"])
    return sealed.open(keyring, Identity)


def _seal(identity: Identity, keyring: Keyring) -> str:
    return Sealed.seal(identity, keyring).token


def _changed(before: Traits, after: Traits) -> tuple[str, ...]:
    return tuple(name for name in Traits.model_fields if getattr(before, name) != getattr(after, name))
