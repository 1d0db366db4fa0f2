"""What platforms sent back, for those who look after the links: receipts that were refused or wait for a person."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Self

from fastapi import APIRouter, Query
from navette_chassis import Service
from navette_chassis.auth import Principal, require
from navette_chassis.http import ApiModel
from navette_chassis.problem import ProblemError
from navette_chassis.unit_of_work import Document
from navette_contracts.sealed import Keyring, Sealed, SealError
from pydantic import StringConstraints

from navette_report.adapters.pfi_receipts import OPEN, ReceiptState, list_receipts
from navette_report.domain.lifecycle import Forbidden
from navette_report.use_cases.close_receipt import close_receipt

Keeper = Annotated[Principal, require("operator", "administrator")]
"""Who looks after the links."""

STATES = {
    ReceiptState.FOLDED: "Pris en compte dans le parcours",
    ReceiptState.TO_REVIEW: "Reçu, mais sans ligne correspondante : à vérifier",
    ReceiptState.REFUSED: "Refusé",
    ReceiptState.CLOSED: "Clos",
}
REASONS = {
    "unknown_sender": "L’émetteur (MSH-3, MSH-4) n’est pas une plateforme du fichier de diffusion.",
    "wrong_certificate": "Le certificat présenté n’est pas l’un de ceux de la plateforme annoncée (MSH-3, MSH-4).",
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


class Closing(ApiModel):
    """Why nothing more comes of a receipt."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=500)]


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
    closed_at: datetime | None
    closed_by: str | None
    closed_because: str | None
    """What the person wrote who closed it; None when the keyring does not open it."""

    @classmethod
    def of(cls, row: Document, keyring: Keyring) -> Self:
        """The answer for a row."""
        reason = row["reason"]
        same = ("platform", "event", "received_at", "repeats", "ack_code", "number", "report_id")
        return cls(
            id=row["_id"],
            state=row["state"],
            state_label=STATES[ReceiptState(row["state"])],
            reason=reason,
            reason_label=None if reason is None else REASONS.get(reason, "Message illisible ou incomplet."),
            closed_at=row.get("closed_at"),
            closed_by=row.get("closed_by"),
            closed_because=_opened(row.get("closed_because"), keyring),
            **{name: row[name] for name in same},
        )


def _opened(token: str | None, keyring: Keyring) -> str | None:
    try:
        return None if token is None else Sealed[str](token).open(keyring, str)
    except SealError:
        return None


class ReceiptsAnswer(ApiModel):
    """Receipts, newest first."""

    receipts: list[ReceiptAnswer]


def platform_routes(service: Service, *, kept_for: timedelta) -> APIRouter:
    """List receipts, and close those that wait for a person; a closed one is forgotten after `kept_for`."""
    router = APIRouter(prefix="/platforms", tags=["platforms"])

    @router.get("/receipts", dependencies=[require("operator", "administrator")])
    async def list_platform_receipts(
        state: Annotated[list[ReceiptState] | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> ReceiptsAnswer:
        """By default those that ask something of somebody."""
        states = [one.value for one in state or OPEN]
        rows = await list_receipts(service.database, states=states, limit=limit)
        return ReceiptsAnswer(receipts=[ReceiptAnswer.of(row, service.keyring) for row in rows])

    @router.post("/receipts/{receipt_id}/close")
    async def close(caller: Keeper, receipt_id: str, body: Closing) -> ReceiptAnswer:
        """Nothing more comes of it: it leaves the list, with who decided so and why."""
        return ReceiptAnswer.of(await closed(service, caller, receipt_id, body, kept_for), service.keyring)

    return router


async def closed(service: Service, caller: Principal, receipt_id: str, body: Closing, kept_for: timedelta) -> Document:
    """The receipt, closed. Raises ProblemError: it is not there, or waits for nobody."""
    decision = {"receipt_id": receipt_id, "by": caller.subject, "why": body.reason}
    try:
        return await service.transact(close_receipt, **decision, keyring=lambda: service.keyring, kept_for=kept_for)
    except LookupError:
        raise ProblemError.not_found("Cet accusé n’existe pas, ou plus.") from None
    except Forbidden:
        raise ProblemError.conflict(
            "receipt-not-open", "Cet accusé est déjà clos, ou pris en compte : il n’attend personne."
        ) from None
