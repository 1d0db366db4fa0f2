"""What the routes of verification answer: no trait, no matricule in full."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Self

from navette_chassis.http import ApiModel

from navette_ins.domain.verification import Batch, BatchState, Check, CheckState

_CHECKS: Mapping[CheckState, str] = {
    CheckState.REQUESTED: "Vérification en cours",
    CheckState.OK: "INS vérifiée",
    CheckState.KO: "INS non confirmée par INSi : la cellule d’identitovigilance doit se prononcer",
    CheckState.OUTDATED: "L’identité a changé pendant la vérification : la relancer",
    CheckState.FAILED: "INSi n’a pas pu répondre",
}
_BATCHES: Mapping[BatchState, str] = {
    BatchState.PREPARED: "Lot préparé, dépôt en attente",
    BatchState.DEPOSITED: "Lot déposé",
    BatchState.PENDING: "Lot en cours de traitement par INSi",
    BatchState.READY: "Résultat prêt à être retiré",
    BatchState.WITHDRAWN: "Résultat retiré, en cours d’application",
    BatchState.APPLIED: "Résultat appliqué",
    BatchState.REJECTED: "Lot refusé : les identités seront représentées",
    BatchState.EXPIRED: "Résultat perdu ou trop tardif : les identités seront représentées",
}


class CheckAnswer(ApiModel):
    """A verification and what to do next."""

    check_id: str
    patient_id: str
    state: str
    state_label: str
    code: str | None
    who_must_act: str
    requested_at: datetime

    @classmethod
    def of(cls, check: Check) -> Self:
        """The answer for a check."""
        return cls(
            check_id=check.check_id,
            patient_id=check.patient_id,
            state=check.state.value,
            state_label=_CHECKS[check.state],
            code=check.code,
            who_must_act=check.who_must_act,
            requested_at=check.requested_at,
        )


class DueItem(ApiModel):
    """An identity whose INS has not been confirmed for longer than the period."""

    patient_id: str
    site_id: str
    last_positive_at: datetime
    masked_matricule: str


class DueAnswer(ApiModel):
    """The worklist of what is due."""

    items: list[DueItem]
    what_to_do: str

    @classmethod
    def of(cls, items: list[DueItem], *, unit: bool, batches: bool) -> Self:
        """The worklist, with what this installation can do about it."""
        if batches:
            what = "Rien : ces identités partent dans le prochain lot de vérification."
        elif unit:
            what = "Vérifier chaque identité : aucun certificat INSI-AUTO n’est installé pour la vérification par lot."
        else:
            what = "Vérification non configurée : prévenir l’administrateur."
        return cls(items=items, what_to_do=what)


class BatchAnswer(ApiModel):
    """The report of a batch for the cellule d'identitovigilance."""

    batch_id: str
    state: str
    state_label: str
    code: str | None
    sent: int
    counts: dict[str, int]
    """Lines by what they came to: ok, ko, technical, stale."""
    prepared_at: datetime
    deposited_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None
    ko_patient_ids: list[str]
    """Of the sites of the caller."""

    @classmethod
    def of(cls, batch: Batch, ko_lines: Iterable[Mapping[str, Any]], sites: frozenset[str]) -> Self:
        """The answer for a batch."""
        known = batch.model_dump(include={"batch_id", "code", "sent", "counts", "prepared_at", "deposited_at"})
        return cls(
            **known,
            state=batch.state.value,
            state_label=_BATCHES[batch.state],
            expires_at=batch.expires_at,
            ended_at=batch.ended_at,
            ko_patient_ids=[line["patient_id"] for line in ko_lines if line["site_id"] in sites],
        )


class BatchList(ApiModel):
    """The last batches, newest first."""

    batches: list[BatchAnswer]
