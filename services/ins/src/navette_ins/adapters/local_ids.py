"""Which record the identifiers of connected systems stand for, found through a blind index."""

from __future__ import annotations

from navette_chassis import UnitOfWork

from navette_ins.adapters.identities import BlindIndex, IdentityRepository
from navette_ins.domain.identity import Identity
from navette_ins.domain.pam.senders import Sender, Trust

LOCAL_IDS = "local_ids"

#: Merges of merges that are followed; a longer chain is an error of data.
_LONGEST_CHAIN = 20


class LocalIds:
    """Identifiers of senders inside one unit of work."""

    def __init__(self, uow: UnitOfWork, identities: IdentityRepository, index: BlindIndex) -> None:
        self._ids = uow.collection(LOCAL_IDS)
        self._identities = identities
        self._index = index
        self._now = uow.now
        self._known: dict[str, str | None] = {}
        """What this unit of work has read."""

    def subject(self, sender: Sender, value: str) -> str:
        """Under which an identifier is remembered."""
        return self._index.of(value, f"local-id|{sender.domain}")

    async def resolve(self, sender: Sender, value: str) -> Identity | None:
        """The record an identifier stands for now: the survivor, if its record was merged."""
        patient_id = await self._bound(self.subject(sender, value))
        if patient_id is not None:
            found = await self._identities.get(patient_id)
        elif sender.trust is Trust.OWN_DOMAIN:
            found = await self._identities.with_local_id(sender.site_id, value)
        else:
            found = None
        for _ in range(_LONGEST_CHAIN):
            if found is None or found.merged_into is None:
                break
            found = await self._identities.get(found.merged_into)
        return found

    async def bind(self, sender: Sender, value: str, patient_id: str) -> None:
        """Remember what an identifier stands for."""
        subject = self.subject(sender, value)
        bound = await self._bound(subject)
        values = {"patient_id": patient_id, "domain": sender.domain, "bound_at": self._now}
        if bound is None:
            await self._ids.insert_one({"_id": subject, **values})
        elif bound != patient_id:
            await self._ids.update_one({"_id": subject}, {"$set": values})
        self._known[subject] = patient_id

    async def _bound(self, subject: str) -> str | None:
        if subject not in self._known:
            row = await self._ids.find_one({"_id": subject})
            self._known[subject] = None if row is None else row["patient_id"]
        return self._known[subject]
