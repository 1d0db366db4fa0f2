"""Identities in MongoDB: the whole identity sealed, and beside it what queries need (no trait, no matricule)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from navette_chassis import UnitOfWork, blind_index
from navette_contracts.events import Ins, PatientIdentified
from navette_contracts.events import Traits as SharedTraits
from navette_contracts.sealed import Keyring, Sealed

from navette_ins.adapters.history import HISTORY, Changed, write_lines
from navette_ins.adapters.search_tokens import SEARCH, SEARCH_VERSION, VERSION, SearchTokens
from navette_ins.domain.errors import Forbidden
from navette_ins.domain.homonyms import blocking_dates
from navette_ins.domain.identity import Identity
from navette_ins.domain.traits import Traits
from navette_ins.domain.transitions import Act, transition_of

IDENTITIES = "identities"
COMPARED = 200
"""Records of one birth date that are all compared (0.1 ms each): of five million people some 150 share a date."""
_SAME_NUMBER = 100
"""Records read that carry a matricule or once did."""
CROWD = 1_000
"""Records compared of a birth date that more than COMPARED share: those with a name that begins alike."""
_DAYS = 10
"""Birth dates in one `$in`: the embedded database compares each row it reads with each of them."""


class BlindIndex(blind_index.BlindIndex):
    """Finds a matricule (under the OID that gave it) without storing it in clear."""

    @property
    def tokens(self) -> SearchTokens:
        """The tokens by which identities are searched."""
        return SearchTokens(self.subkey("search"))


Watcher = Callable[[UnitOfWork, Sequence[Changed]], Awaitable[None]]
"""Hears of changes inside their transaction: what it schedules or writes is kept with them, or not at all. One at a
time, except for an import, which stores many."""


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

    async def add(self, *identities: Identity, by: str, act: Act = Act.CREATED) -> None:
        """Store new records, however many in the same few round trips."""
        if not identities:
            return
        rows = [self._row(one) for one in identities]
        await self._uow.collection(IDENTITIES).insert_many(rows)
        changes = [self._change(act, None, one, by=by) for one in identities]
        await self._tell([(change, row["sealed"]) for change, row in zip(changes, rows, strict=True)])

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
        changed = self._change(act, before, after, by=by, other=other)
        await self._tell([(changed, row["sealed"])], reason=reason)

    async def other_with(self, matricule: str, oid: str, *, than: str) -> str | None:
        """Id of another record that carries this matricule now, if any."""
        # By its search token, which former numbers share: not every engine uses a partial index for a read.
        query = {SEARCH: self._index.tokens.matricule(matricule)}
        rows = await self._uow.collection(IDENTITIES).find(query, {"ins_index": 1}).limit(_SAME_NUMBER).to_list()
        wanted = self._index.of(matricule, oid)
        holders = [str(row["_id"]) for row in rows if row.get("ins_index") == wanted]
        return next((holder for holder in holders if holder != than), None)

    async def with_local_id(self, site_id: str, local_id: str) -> Identity | None:
        """The record of a site with that IPP; of several the one that is not merged into another."""
        query = {SEARCH: self._index.tokens.local_id(local_id), "site_id": site_id}
        rows = await self._uow.collection(IDENTITIES).find(query).limit(20).to_list()
        rows.sort(key=lambda row: (row["merged_into"] is not None, row["_id"]))
        return identity_of(rows[0], self._keyring) if rows else None

    async def born_about(self, everyone: Sequence[Traits]) -> list[list[Identity]]:
        """For each of these, the records born that day, the day with its month swapped, or that day a year beside.

        Of a day that very many share (1 January of some years), only those with a name that begins alike.
        """
        tokens = self._index.tokens
        wanted = [{day: tokens.born(day) for day in blocking_dates(one.birth_date)} for one in everyone]
        born = await self._born(sorted({token for days in wanted for token in days.values()}))
        opened: dict[str, Identity] = {}
        found = []
        for traits, days in zip(everyone, wanted, strict=True):
            rows: dict[str, Mapping[str, Any]] = {}
            for day, token in days.items():
                known = born[token]
                near = known if known is not None else await self._with_any(tokens.alike(day, traits), CROWD)
                rows |= {str(row["_id"]): row for row in near}
            for patient_id, row in rows.items():
                if patient_id not in opened:
                    opened[patient_id] = identity_of(row, self._keyring)
            found.append([opened[patient_id] for patient_id in rows])
        return found

    async def _born(self, tokens: Sequence[str]) -> dict[str, list[Mapping[str, Any]] | None]:
        """The records of each of these days, in as few queries as their number allows; None for a crowded day."""
        known: dict[str, list[Mapping[str, Any]] | None] = {}
        waiting = [tokens[start : start + _DAYS] for start in range(0, len(tokens), _DAYS)]
        while waiting:
            days = waiting.pop()
            bound = COMPARED * len(days)
            rows = await self._with_any(days, bound + 1)
            if len(rows) <= bound:
                sharing = {day: [row for row in rows if day in row[SEARCH]] for day in days}
                known |= {day: sharing[day] if len(sharing[day]) <= COMPARED else None for day in days}
            elif len(days) == 1:
                known[days[0]] = None
            else:
                waiting += [days[: len(days) // 2], days[len(days) // 2 :]]
        return known

    async def _with_any(self, tokens: Sequence[str], limit: int) -> list[Mapping[str, Any]]:
        query = {SEARCH: {"$in": list(tokens)}}
        rows = self._uow.collection(IDENTITIES).find(query, {"sealed": 1, SEARCH: 1}).limit(limit)
        return [row async for row in rows]

    @staticmethod
    def _change(
        act: Act, before: Identity | None, after: Identity, *, by: str, other: Identity | None = None
    ) -> Changed:
        line = transition_of(act, before, after)
        return Changed(act=act, told=line.told, before=before, after=after, by=by, other=other)

    async def _tell(self, changes: Sequence[tuple[Changed, str]], *, reason: str | None = None) -> None:
        """Changes, each with the identity as sealed: their history, their events, and who else hears of them."""
        history = self._uow.collection(HISTORY)
        await write_lines(history, changes, self._keyring, reason=reason)
        for changed, _ in changes:
            after = changed.after
            await self._uow.emit(self._event(after), subject=after.patient_id, sequence=after.revision)
        for watcher in self._watchers:
            await watcher(self._uow, [changed for changed, _ in changes])

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
        return row if recovery is None else row | {"ins_index": self._index.of(recovery.matricule, recovery.oid)}


def identity_of(row: Mapping[str, Any], keyring: Keyring) -> Identity:
    """The identity of a row. Raises SealError when the keyring cannot open it."""
    sealed: Sealed[Identity] = Sealed(row["sealed"])
    return sealed.open(keyring, Identity)


def _seal(identity: Identity, keyring: Keyring) -> str:
    return Sealed.seal(identity, keyring).token
