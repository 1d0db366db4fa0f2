"""Find a patient by the numbers of other systems: blind tokens of IPP and INS beside the projection of identities."""

from __future__ import annotations

from collections.abc import Sequence

from navette_chassis import UnitOfWork
from navette_chassis.blind_index import BlindIndex
from navette_chassis.unit_of_work import Document

from navette_report.adapters.patients import PATIENTS, KeyringSource, known_patient
from navette_report.domain.identity import PatientIdentity

KEYS = "patient_keys"
_MERGES = 8
"""How many merges in a row are followed."""


class PatientKeys:
    """Tokens inside one unit of work."""

    def __init__(self, uow: UnitOfWork, keyring: KeyringSource, index: BlindIndex) -> None:
        self._keys = uow.collection(KEYS)
        self._patients = uow.collection(PATIENTS)
        self._keyring = keyring
        self._index = index

    def of_local_id(self, site_id: str, local_id: str) -> str:
        """The token of an IPP at a site."""
        return self._index.of(f"{site_id}|{local_id}", "patient-ipp")

    def of_ins(self, oid: str, matricule: str) -> str:
        """The token of an INS."""
        return self._index.of(f"{oid}|{matricule}", "patient-ins")

    async def follow(self, patient_id: str) -> list[str]:
        """Write the tokens of a patient as the projection knows them now; those that no longer hold are taken back.

        Each token's row is written every time, so that it meets a message that is being set waiting for it.
        """
        row = await self._patients.find_one({"_id": patient_id})
        if row is None:
            return []
        before, tokens = list(row.get("keys") or ()), self._tokens(row)
        for token in set(before) - set(tokens):
            await self._keys.update_one({"_id": token}, {"$pull": {"patients": patient_id}})
        for token in tokens:
            update = {"$addToSet": {"patients": patient_id}, "$inc": {"joined": 1}}
            await self._keys.update_one({"_id": token}, update, upsert=True)
        await self._patients.update_one({"_id": patient_id}, {"$set": {"keys": tokens}})
        return sorted({*before, *tokens})

    async def candidates(self, token: str) -> list[PatientIdentity]:
        """The present records behind a token; a merged one is answered by the one that took it over."""
        row = await self._keys.find_one({"_id": token})
        found: dict[str, PatientIdentity] = {}
        for patient_id in (row or {}).get("patients", ()):
            one = await self._present(patient_id)
            if one is not None:
                found[one.patient_id] = one
        return list(found.values())

    async def surviving(self, patient_id: str) -> str:
        """The record that stands for this one now."""
        for _ in range(_MERGES):
            row = await self._patients.find_one({"_id": patient_id}, {"merged_into": 1})
            if row is None or not row.get("merged_into"):
                break
            patient_id = row["merged_into"]
        return patient_id

    async def wait_for(self, tokens: Sequence[str]) -> None:
        """Meet whoever writes these tokens: one of the two transactions sees the other."""
        for token in tokens:
            await self._keys.update_one({"_id": token}, {"$inc": {"joined": 1}}, upsert=True)

    async def _present(self, patient_id: str) -> PatientIdentity | None:
        row = await self._patients.find_one({"_id": await self.surviving(patient_id)})
        return known_patient(row, self._keyring()).identity

    def _tokens(self, row: Document) -> list[str]:
        # A merged record keeps its numbers: they lead to the one that took it over.
        known = known_patient({name: value for name, value in row.items() if name != "merged_into"}, self._keyring())
        if known.identity is None:
            return []
        identity, tokens = known.identity, []
        if identity.traits.local_id:
            tokens.append(self.of_local_id(row["site_id"], identity.traits.local_id))
        if identity.ins is not None:
            tokens.append(self.of_ins(identity.ins.oid, identity.ins.matricule))
        return tokens
