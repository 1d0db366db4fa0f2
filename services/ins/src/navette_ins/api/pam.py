"""Messages of connected systems: what was refused or waits for a person, and replaying it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from navette_chassis import Service
from navette_chassis.auth import Principal, require
from navette_chassis.http import ApiModel
from navette_chassis.problem import ProblemError
from navette_chassis.unit_of_work import Document

from navette_ins.adapters.ins_recipients import recipients_of
from navette_ins.adapters.pam_messages import MessageState, list_messages
from navette_ins.domain.errors import Forbidden
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.receive_pam_message import Intake
from navette_ins.use_cases.replay_pam_message import replay_pam_message

KEEPERS = ("operator", "administrator")
"""Those who look after the links; they see no identity here."""
Keepers = Annotated[Principal, require(*KEEPERS)]

STATES = {
    MessageState.INTEGRATED: "Intégré",
    MessageState.TO_REVIEW: "Intégré en partie : une personne doit décider",
    MessageState.WAITING: "Gardé : INSi vérifie l’INS reçue",
    MessageState.IGNORED: "Sans effet sur les identités",
    MessageState.REFUSED: "Refusé : à corriger puis à rejouer",
    MessageState.REPLAYED: "Intégré après correction",
}

REASONS = {
    "unknown_sender": "L’émetteur (MSH-3, MSH-4) n’est pas configuré : l’ajouter au fichier des émetteurs.",
    "event_excluded_in_france": "L’évènement A08 est exclu en France : l’émetteur doit envoyer un A31.",
    "event": "Cet évènement n’est pas pris en charge.",
    "message_type": "Seuls les messages ADT sont pris en charge.",
    "control_id": "Le numéro du message (MSH-10) est absent.",
    "control_id_reused": "Un autre message porte déjà ce numéro (MSH-10).",
    "not_production": "Un message de test ou de démonstration (MSH-11) est refusé en production.",
    "local_identifier": "L’identifiant local (type PI, autorité de l’émetteur) est absent.",
    "segment_missing": "Un segment obligatoire manque.",
    "message_too_large": "Le message est trop volumineux.",
}
REMARKS = {
    "ins_doubtful_or_fictive": "INS non reprise : le message dit l’identité douteuse ou fictive.",
    "ins_key": "INS non reprise : la clé du matricule est fausse.",
    "ins_oid": "INS non reprise : autorité d’affectation inconnue, ou de test en production.",
    "ins_traits_missing": "INS non reprise : un trait strict manque dans le message.",
    "ins_birth_date_completed": "INS non reprise : la date de naissance a été complétée.",
    "ins_held_by_another": "INS non reprise : un autre dossier la porte, un doublon est ouvert.",
    "ins_not_confirmed": "INS non reprise : INSi ne la confirme pas, un cas est ouvert.",
    "ins_not_verified": "INS non reprise : INSi n’a pas pu la vérifier ; rejouer le message.",
    "ins_differs_here": "Le dossier porte déjà une INS ou des traits différents : une personne doit comparer.",
    "ins_withdrawn_by_third_party": "Un tiers retire une INS établie ici : une personne doit décider.",
    "strict_traits_differ": "Un tiers donne d’autres traits stricts que ceux établis ici : une personne doit comparer.",
    "doubtful_here": "L’identité est douteuse ou fictive ici : rien n’est repris avant la levée.",
    "merge_to_decide": "Fusion demandée : un cas est ouvert, la cellule d’identitovigilance décide.",
    "unknown_sender": "L’émetteur n’est plus configuré.",
    "venue_of_another": "Ce numéro de venue est celui d’un autre patient.",
    "merged": "Le dossier a été fusionné avec un autre.",
}
"""What was not taken of a message that was; a word of INSi's rules begins with `insi_`."""
_REMARK_OF_INSI = "INSi n’a pas pu être appelé avec ces traits : les vérifier d’après un document."
REFUSALS = {
    "nothing_to_replay": "Ce message n’a pas besoin d’être rejoué.",
    "not_whole": "Ce message est arrivé incomplet : l’émetteur doit le renvoyer.",
    "newer_message": "Un message plus récent sur la même personne est déjà intégré.",
    "unknown_sender": "L’émetteur n’est toujours pas configuré.",
}


class MessageAnswer(ApiModel):
    """A received message without its content."""

    id: str
    sender: str | None
    application: str
    facility: str
    control_id: str
    event: str
    received_at: datetime
    size: int
    state: str
    state_label: str
    ack_code: str
    condition: str | None
    location: str | None
    reason: str | None
    reason_label: str | None
    remarks: list[str]
    remark_labels: list[str]
    """The same in French."""
    patient_id: str | None
    replayed_by: str | None

    @classmethod
    def of(cls, row: Document) -> Self:
        """The answer for a row."""
        state, reason = MessageState(row["state"]), row["reason"]
        same = ("sender", "application", "facility", "control_id", "event", "received_at", "size", "ack_code")
        more = ("condition", "location", "reason", "remarks", "patient_id")
        values: dict[str, Any] = {name: row[name] for name in (*same, *more)}
        return cls(
            id=row["_id"],
            state=state.value,
            state_label=STATES[state],
            reason_label=None if reason is None else REASONS.get(reason, "Contenu non conforme."),
            remark_labels=[REMARKS.get(one, _REMARK_OF_INSI) for one in row["remarks"]],
            replayed_by=row.get("replayed_by"),
            **values,
        )


class MessagesAnswer(ApiModel):
    """Messages, newest first."""

    messages: list[MessageAnswer]


class InsRecipient(ApiModel):
    """A system that was sent the INS of a person, and whether it was told to erase it."""

    destination: str
    scheduled_at: datetime
    delivered_at: datetime | None
    withdrawal_scheduled_at: datetime | None
    withdrawal_delivered_at: datetime | None


class InsRecipientsAnswer(ApiModel):
    """Every connected system that was sent the INS of this person."""

    recipients: list[InsRecipient]


def pam_routes(service: Service, desk: Desk, intake: Intake) -> APIRouter:
    """List messages, replay one."""
    router = APIRouter(prefix="/pam", tags=["pam"])

    @router.get("/messages", dependencies=[require(*KEEPERS)])
    async def list_pam_messages(
        state: Annotated[list[MessageState] | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> MessagesAnswer:
        """By default those that ask something of somebody."""
        states = [one.value for one in state or (MessageState.REFUSED, MessageState.TO_REVIEW)]
        rows = await list_messages(service.database, states=states, limit=limit)
        return MessagesAnswer(messages=[MessageAnswer.of(row) for row in rows])

    @router.post("/messages/{message_id}/replay")
    async def replay_pam(caller: Keepers, message_id: str) -> MessageAnswer:
        try:
            row = await service.transact(replay_pam_message, desk, intake, message_id=message_id, by=caller.subject)
        except Forbidden as refused:
            raise ProblemError.conflict(
                refused.rule.replace("_", "-"), REFUSALS.get(refused.rule, "Opération impossible.")
            ) from None
        if row is None:
            raise ProblemError.not_found()
        return MessageAnswer.of(row)

    @router.get("/ins-recipients/{patient_id}", dependencies=[require(*KEEPERS, "identity-supervisor")])
    async def list_ins_recipients(patient_id: str) -> InsRecipientsAnswer:
        """Who received the INS of a person (RIS.INS.51)."""
        rows = await recipients_of(service.database, patient_id)
        return InsRecipientsAnswer(recipients=[InsRecipient.model_validate(row) for row in rows])

    return router
