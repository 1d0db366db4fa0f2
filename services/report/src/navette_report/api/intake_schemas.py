"""What the routes of the intake answer. Lists hold no health data; the detail of one message does, on record."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self

from navette_chassis.unit_of_work import Document
from navette_contracts.events import WhoMustAct

from navette_report.adapters.intake_messages import MessageState
from navette_report.api.schemas import Answer
from navette_report.domain.fields import Strict
from navette_report.domain.intake.claims import ReceivedReport
from navette_report.domain.intake.reasons import reason_label, remark_label, who_completes, who_must_act
from navette_report.use_cases.read_report_message import OpenedMessage

STATES = {
    MessageState.RECEIVED: "Reçu, pas encore traité",
    MessageState.INTEGRATED: "Intégré au compte rendu",
    MessageState.FILED: "Remis aux documents reçus",
    MessageState.TO_REVIEW: "Intégré : à compléter avant signature",
    MessageState.WAITING: "En attente d’une personne",
    MessageState.REFUSED: "Refusé : l’émetteur doit corriger",
    MessageState.DUPLICATE: "Déjà reçu",
    MessageState.SET_ASIDE: "Classé sans suite",
}
REFUSALS = {
    "nothing_to_replay": "Ce message n’a pas besoin d’être rejoué.",
    "not_whole": "Ce message est arrivé incomplet ou illisible : l’émetteur doit le renvoyer.",
    "nothing_to_set_aside": "Ce message est déjà réglé.",
    "message_changed": "Ce message a changé depuis qu’il a été affiché : relisez-le, puis recommencez.",
    "idempotency_key_reused": "Cette clé (Idempotency-Key) a déjà servi pour un autre contenu.",
}


def refusal_label(rule: str) -> str:
    """Why a decision about a message is refused: by our rules, or for the reason it was refused for before."""
    return REFUSALS.get(rule) or reason_label(rule)


class Remark(Answer):
    """Something a person should know."""

    code: str
    label: str


class MessageAnswer(Answer):
    """A received message without its content."""

    id: str
    sender: str | None
    site_id: str | None
    application: str
    facility: str
    control_id: str
    event: str
    form: str
    received_at: datetime
    size: int
    state: str
    state_label: str
    ack_code: str
    condition: str | None
    location: str | None
    reason: str | None
    reason_label: str
    who_must_act: str
    remarks: list[Remark]
    report_id: str | None
    version: int | None
    decided_by: str | None
    can_replay: bool

    @classmethod
    def of(cls, row: Document) -> Self:
        """The answer for a row."""
        state, reason = MessageState(row["state"]), row["reason"]
        same = ("sender", "site_id", "application", "facility", "control_id", "event", "form", "received_at", "size")
        more = ("ack_code", "condition", "location", "reason", "report_id", "version")
        values: dict[str, Any] = {name: row[name] for name in (*same, *more)}
        return cls(
            id=row["_id"],
            state=state.value,
            state_label=STATES[state],
            reason_label=reason_label(reason),
            who_must_act=_asked(state, row).value,
            remarks=[Remark(code=one, label=remark_label(one)) for one in row["remarks"]],
            decided_by=row.get("decided_by"),
            can_replay=row["whole"] and state in (MessageState.WAITING, MessageState.REFUSED),
            **values,
        )


class MessagesAnswer(Answer):
    """Messages, newest first."""

    messages: list[MessageAnswer]
    next: str | None
    """Link to the next part of the list, relative to the address that was asked; null at its end."""


class ClaimAnswer(Answer):
    """What the message says, for those who must set it right."""

    doing: str
    birth_name: str
    given_name: str
    birth_date: str
    sex: str
    local_id: str
    ins_given: bool
    accession_number: str
    placer_number: str
    exam_codes: list[str]
    exam_label: str
    author: str
    body_form: str
    sections: dict[str, str]

    @classmethod
    def of(cls, report: ReceivedReport) -> Self:
        """The answer for a report that could be read; the matricule itself is never shown."""
        patient, exam = report.patient, report.exam
        return cls(
            doing=report.doing,
            birth_name=patient.birth_name,
            given_name=patient.given_name,
            birth_date=patient.birth_date,
            sex=patient.sex,
            local_id=patient.local_id,
            ins_given=bool(patient.matricule),
            accession_number=exam.accession_number,
            placer_number=exam.placer_number,
            exam_codes=list(exam.codes),
            exam_label=exam.label,
            author=" ".join(filter(None, (report.author.name, report.author.rpps))),
            body_form=report.body.form,
            sections=dict(report.body.sections),
        )


class FullMessageAnswer(MessageAnswer):
    """A message with what it says; `claim` is None when it cannot be read."""

    claim: ClaimAnswer | None = None
    unreadable_because: str = ""

    @classmethod
    def opened(cls, row: Document, found: OpenedMessage) -> Self:
        """The answer for a row whose content was opened."""
        claim = None if found.report is None else ClaimAnswer.of(found.report)
        return cls(**MessageAnswer.of(row).model_dump(), claim=claim, unreadable_because=reason_label(found.unreadable))


class Replay(Strict):
    """`report_id`: the empty draft the message is for, when a person has to say so."""

    report_id: str | None = None


class SubmissionAnswer(Answer):
    """What became of a submitted report."""

    message_id: str
    state: str
    state_label: str
    reason: str | None
    reason_label: str
    who_must_act: str
    remarks: list[Remark]
    report_id: str | None
    version: int | None

    @classmethod
    def of(cls, answer: Document) -> Self:
        """The answer as it was given the first time."""
        reason = answer["reason"]
        return cls(
            message_id=answer["message_id"],
            state=answer["state"],
            state_label=STATES[MessageState(answer["state"])],
            reason=reason,
            reason_label=reason_label(reason),
            who_must_act=_asked(MessageState(answer["state"]), answer).value,
            remarks=[Remark(code=one, label=remark_label(one)) for one in answer["remarks"]],
            report_id=answer["report_id"],
            version=answer["version"],
        )


def _asked(state: MessageState, row: Document) -> WhoMustAct:
    """Who must act; a settled message keeps its reason and asks nothing of anybody any more."""
    if state is MessageState.TO_REVIEW:
        return who_completes(row["remarks"])
    return who_must_act(row["reason"]) if state in (MessageState.WAITING, MessageState.REFUSED) else WhoMustAct.NOBODY
