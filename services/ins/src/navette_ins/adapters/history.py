"""The history of identities: one line per change, its values sealed before and after (RIS.INS.17, RIS.INS.26)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from navette_chassis import uuid7
from navette_chassis.unit_of_work import BoundCollection, Document
from navette_contracts.sealed import Keyring, Sealed
from pydantic import BaseModel, ConfigDict
from pymongo.asynchronous.database import AsyncDatabase

from navette_ins.domain.identity import Identity
from navette_ins.domain.traits import Traits
from navette_ins.domain.transitions import Act, Told

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
    attributes: tuple[str, ...] = ()
    """Attributes after the change."""
    told: str = Told.A31.value
    """The message that connected systems were due."""


@dataclass(frozen=True, slots=True, repr=False)
class Changed:
    """One change as the rest of the service hears of it, inside the transaction that stores it."""

    act: Act
    told: Told
    before: Identity | None
    after: Identity
    by: str
    other: Identity | None = None
    """The second record of a merge, as it was before."""


@dataclass(frozen=True, slots=True, repr=False)
class Values:
    """What one change replaced and what it wrote."""

    change: Change
    before: Identity | None
    after: Identity
    reason: str | None


async def write_lines(
    collection: BoundCollection, changes: Sequence[tuple[Changed, str]], keyring: Keyring, *, reason: str | None
) -> None:
    """Write the line of each change, given with the identity as sealed. `reason`, typed by a person, is sealed too."""
    rows = [_line(changed, keyring, sealed_after=sealed, reason=reason) for changed, sealed in changes]
    await collection.insert_many(rows)


def _line(changed: Changed, keyring: Keyring, *, sealed_after: str, reason: str | None) -> Document:
    before, after = changed.before, changed.after
    line = Change(
        revision=after.revision,
        action=changed.act.value,
        by=changed.by,
        at=after.updated_at.isoformat(),
        status_before=None if before is None else before.status.value,
        status_after=after.status.value,
        changed_fields=() if before is None else _changed(before, after),
        attributes=tuple(sorted(after.attributes)),
        told=changed.told.value,
    )
    return {
        "_id": uuid7(),
        "patient_id": after.patient_id,
        "revision": after.revision,
        "change": line.model_dump(),
        "sealed_before": None if before is None else Sealed.seal(before, keyring).token,
        "sealed_after": sealed_after,
        "sealed_reason": None if reason is None else Sealed.seal(reason, keyring).token,
    }


async def lines_of(database: AsyncDatabase[Document], patient_id: str) -> list[Change]:
    """Every change of a record, oldest first."""
    rows = await database[HISTORY].find({"patient_id": patient_id}).to_list()
    changes = [Change.model_validate(row["change"]) for row in rows]
    return sorted(changes, key=lambda one: one.revision)


async def values_at(collection: BoundCollection, patient_id: str, revision: int, keyring: Keyring) -> Values | None:
    """What the change to that revision replaced and wrote; None when there is no such line."""
    row = await collection.find_one({"patient_id": patient_id, "change.revision": revision})
    return None if row is None else _values_of(row, keyring)


def _values_of(row: Mapping[str, Any], keyring: Keyring) -> Values | None:
    if row.get("sealed_after") is None:
        return None
    before, reason = row["sealed_before"], row.get("sealed_reason")
    return Values(
        change=Change.model_validate(row["change"]),
        before=None if before is None else _open(before, keyring, Identity),
        after=_open(row["sealed_after"], keyring, Identity),
        reason=None if reason is None else _open(reason, keyring, str),
    )


def _open(token: str, keyring: Keyring, kind: type[Any]) -> Any:
    sealed: Sealed[Any] = Sealed(token)
    return sealed.open(keyring, kind)


_FACTS = ("attributes", "recovery", "check", "proof", "former_ins", "merged_into", "site_id")


def _changed(before: Identity, after: Identity) -> tuple[str, ...]:
    traits = tuple(name for name in Traits.model_fields if getattr(before.traits, name) != getattr(after.traits, name))
    return traits + tuple(name for name in _FACTS if getattr(before, name) != getattr(after, name))
