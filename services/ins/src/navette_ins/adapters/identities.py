"""Identities in MongoDB: the whole identity sealed, and beside it what queries need (no trait, no matricule)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from navette_chassis import UnitOfWork, blind_index
from navette_contracts.events import Ins, PatientIdentified
from navette_contracts.events import Traits as SharedTraits
from navette_contracts.sealed import Keyring, Sealed

from navette_ins.adapters.history import HISTORY, Changed, write_line
from navette_ins.adapters.search_tokens import SEARCH, SEARCH_VERSION, VERSION, SearchTokens
from navette_ins.domain.errors import Forbidden
from navette_ins.domain.homonyms import blocking_dates
from navette_ins.domain.identity import Identity
from navette_ins.domain.traits import Traits
from navette_ins.domain.transitions import Act, transition_of

IDENTITIES = "identities"
COMPARED = 200
"""Records of one birth date that are all compared (0.3 ms each): of five million people some 150 share a date."""


class BlindIndex(blind_index.BlindIndex):
    """Finds a matricule (under the OID that gave it) without storing it in clear."""

    @property
    def tokens(self) -> SearchTokens:
        """The tokens by which identities are searched."""
        return SearchTokens(self.subkey("search"))


Watcher = Callable[[UnitOfWork, Changed], Awaitable[None]]
"""Hears of every change inside its transaction: what it schedules or writes is kept with the change, or not at all."""


class IdentityRepository:
    """Identities inside one unit of work; every change writes its history and promises `patient.identified`."""

    def __init__(
        self, uow: UnitOfWork, keyring: Callable[[], Keyring], index: BlindIndex, watchers: Sequence[Watcher] = ()
    ) -> None:
        self._uow = uow
        self._keyring = keyring()
        self._index = index
        self._watchers = tuple(watchers)

    async def get(self, patient_id: str) -> Identity | None:
        """The present revision of a record."""
        row = await self._uow.collection(IDENTITIES).find_one({"_id": patient_id})
        return None if row is None else identity_of(row, self._keyring)

    async def add(self, identity: Identity, *, by: str, act: Act = Act.CREATED) -> None:
        """Store a new record."""
        row = self._row(identity)
        await self._uow.collection(IDENTITIES).insert_one(row)
        await self._tell(None, identity, row, act=act, by=by)

    async def save(
        self,
        before: Identity,
        after: Identity,
        *,
        act: Act,
        by: str,
        reason: str | None = None,
        other: Identity | None = None,
    ) -> None:
        """Store the next revision of a record.

        Raises Forbidden when somebody else changed it meanwhile, ImpossibleTransition when no line of the table of
        transitions leads there.
        """
        row = self._row(after)
        known = {"_id": after.patient_id, "revision": before.revision}
        done = await self._uow.collection(IDENTITIES).replace_one(known, row)
        if done.matched_count != 1:
            raise Forbidden("identity_changed")
        await self._tell(before, after, row, act=act, by=by, reason=reason, other=other)

    async def other_with(self, matricule: str, oid: str, *, than: str) -> str | None:
        """Id of another record that carries this matricule now, if any."""
        query = {"ins_index": self._index.of(matricule, oid)}
        holders = [str(row["_id"]) async for row in self._uow.collection(IDENTITIES).find(query, {"_id": 1}).limit(2)]
        return next((holder for holder in holders if holder != than), None)

    async def with_local_id(self, site_id: str, local_id: str) -> Identity | None:
        """The record of a site with that IPP; of several the one that is not merged into another."""
        query = {"local_index": self._index.of(local_id, f"ipp|{site_id}")}
        rows = await self._uow.collection(IDENTITIES).find(query).limit(20).to_list()
        rows.sort(key=lambda row: (row["merged_into"] is not None, row["_id"]))
        return identity_of(rows[0], self._keyring) if rows else None

    async def born_about(self, traits: Traits) -> list[Identity]:
        """Records born that day, the day with its month swapped, or the same day of a year beside.

        Of a day that very many share (1 January of some years), only those with a name that begins alike.
        """
        tokens = self._index.tokens
        found: dict[str, Mapping[str, Any]] = {}
        for day in blocking_dates(traits.birth_date):
            rows = await self._with_token(tokens.born(day))
            if len(rows) > COMPARED:
                rows = [row for token in tokens.alike(day, traits) for row in await self._with_token(token)]
            found |= {str(row["_id"]): row for row in rows}
        return [identity_of(row, self._keyring) for row in found.values()]

    async def _with_token(self, token: str) -> list[Mapping[str, Any]]:
        rows = self._uow.collection(IDENTITIES).find({SEARCH: token}, {"sealed": 1}).limit(COMPARED + 1)
        return [row async for row in rows]

    async def _tell(
        self,
        before: Identity | None,
        after: Identity,
        row: Mapping[str, Any],
        *,
        act: Act,
        by: str,
        reason: str | None = None,
        other: Identity | None = None,
    ) -> None:
        line = transition_of(act, before, after)
        changed = Changed(act=act, told=line.told, before=before, after=after, by=by, other=other)
        history = self._uow.collection(HISTORY)
        await write_line(history, changed, self._keyring, sealed_after=row["sealed"], reason=reason)
        await self._uow.emit(self._event(after), subject=after.patient_id, sequence=after.revision)
        for watcher in self._watchers:
            await watcher(self._uow, changed)

    def _event(self, identity: Identity) -> PatientIdentified:
        traits = SharedTraits.model_validate(identity.traits.model_dump(include=set(SharedTraits.model_fields)))
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
            "attributes": sorted(identity.attributes),
            "merged_into": identity.merged_into,
            "updated_at": identity.updated_at,
            "sealed": _seal(identity, self._keyring),
            SEARCH: self._index.tokens.of(identity),
            SEARCH_VERSION: VERSION,
        }
        if identity.traits.local_id is not None:
            row["local_index"] = self._index.of(identity.traits.local_id, f"ipp|{identity.site_id}")
        return row if recovery is None else row | {"ins_index": self._index.of(recovery.matricule, recovery.oid)}


def identity_of(row: Mapping[str, Any], keyring: Keyring) -> Identity:
    """The identity of a row. Raises SealError when the keyring cannot open it."""
    sealed: Sealed[Identity] = Sealed(row["sealed"])
    return sealed.open(keyring, Identity)


def _seal(identity: Identity, keyring: Keyring) -> str:
    return Sealed.seal(identity, keyring).token
