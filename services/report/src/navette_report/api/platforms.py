"""What platforms sent back, for those who look after the links: receipts that were refused or wait for a person."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from navette_chassis import Service
from navette_chassis.auth import require
from navette_chassis.http import ApiModel
from navette_chassis.unit_of_work import Document

from navette_report.adapters.pfi_receipts import ReceiptState, list_receipts

STATES = {
    ReceiptState.FOLDED: "Pris en compte dans le parcours",
    ReceiptState.TO_REVIEW: "Reçu, mais sans ligne correspondante : à vérifier",
    ReceiptState.REFUSED: "Refusé",
}
REASONS = {
    "unknown_sender": "L’émetteur (MSH-3, MSH-4) n’est pas une plateforme du fichier de diffusion.",
    "message_unknown": "L’accusé cite un message que Navette n’a pas envoyé à cette plateforme.",
    "recipient_not_asked": "L’accusé parle d’un destinataire que ce message ne demandait pas de servir.",
    "mailbox_not_ours": "L’accusé cite une boîte à laquelle ce message n’était pas destiné.",
    "control_id": "Le numéro du message (MSH-10) est absent.",
    "control_id_reused": "Un autre message porte déjà ce numéro (MSH-10).",
    "not_production": "Un message de test (MSH-11) est refusé en production.",
    "message_type": "Seuls les accusés métier ZAM sont attendus ici.",
    "event": "Seuls les évènements Z01, Z02 et Z03 sont pris en charge.",
    "receipt_code": "Le code de l’accusé (OBX-3) ne correspond pas à l’évènement.",
    "receipt_status": "L’accusé ne dit ni Y ni N (OBX-5).",
    "message_referred_to": "L’accusé ne cite aucun message (OBX-4).",
    "mailbox": "L’accusé ne dit pas de quelle boîte il s’agit.",
    "segment_missing": "Un segment obligatoire manque.",
}


class ReceiptAnswer(ApiModel):
    """A receipt without its content."""

    id: str
    platform: str | None
    event: str
    received_at: datetime
    repeats: int
    state: str
    state_label: str
    ack_code: str
    reason: str | None
    reason_label: str | None
    number: str | None
    report_id: str | None

    @classmethod
    def of(cls, row: Document) -> Self:
        """The answer for a row."""
        reason = row["reason"]
        same = ("platform", "event", "received_at", "repeats", "ack_code", "number", "report_id")
        return cls(
            id=row["_id"],
            state=row["state"],
            state_label=STATES[ReceiptState(row["state"])],
            reason=reason,
            reason_label=None if reason is None else REASONS.get(reason, "Message illisible ou incomplet."),
            **{name: row[name] for name in same},
        )


class ReceiptsAnswer(ApiModel):
    """Receipts, newest first."""

    receipts: list[ReceiptAnswer]


def platform_routes(service: Service) -> APIRouter:
    """List receipts."""
    router = APIRouter(prefix="/platforms", tags=["platforms"])

    @router.get("/receipts", dependencies=[require("operator", "administrator")])
    async def list_platform_receipts(
        state: Annotated[list[ReceiptState] | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> ReceiptsAnswer:
        """By default those that ask something of somebody."""
        states = [one.value for one in state or (ReceiptState.REFUSED, ReceiptState.TO_REVIEW)]
        rows = await list_receipts(service.database, states=states, limit=limit)
        return ReceiptsAnswer(receipts=[ReceiptAnswer.of(row) for row in rows])

    return router
