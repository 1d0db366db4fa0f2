"""What the routes of received documents take and answer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field

from navette_report.api.schemas import Answer
from navette_report.domain.fields import Strict
from navette_report.domain.received.model import News, Origin, Received, Standing, Summary
from navette_report.domain.received.reasons import label_of, who_acts

ORIGINS = {Origin.DMP: "DMP", Origin.MSS: "MSSanté", Origin.FILE: "Fichier importé"}
STANDINGS = {
    Standing.TO_FILE: "À classer",
    Standing.FILED: "Classé",
    Standing.FORMER: "Remplacé par une version plus récente",
    Standing.ANNULLED: "Supprimé par son auteur",
    Standing.SET_ASIDE: "Mis de côté",
}
NEWS = {
    News.NEWER: "Une version plus récente existe.",
    News.DELETED: "Son auteur a supprimé ce document.",
}
HIDDEN = {
    "hidden_from_patient": "Son auteur ne le montre pas au patient : ne pas le lui remettre sans l’avoir joint.",
    "hidden_from_representatives": "Son auteur ne le montre pas aux représentants légaux du patient.",
}
ALREADY_HERE = "Ce document est déjà classé : voici l’exemplaire conservé ici."
Base64 = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/=\s]*$")]
PatientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]


class Order(StrEnum):
    """How a list is sorted (CDA/INT.04)."""

    TYPE = "type"
    """By typeCode, then newest first."""
    DATE = "date"
    """Newest first."""


HiddenFrom = Literal["hidden_from_patient", "hidden_from_representatives"]


class Brought(Strict):
    """`POST /received-documents`. `stylesheet`: the one that came with the document."""

    site_id: Annotated[str, Field(min_length=1, max_length=128)]
    origin: Origin = Origin.FILE
    patient_id: PatientId | None = None
    cda: Annotated[Base64, Field(min_length=1)]
    stylesheet: Base64 = ""
    hidden_from: Annotated[tuple[HiddenFrom, ...], Field(max_length=2)] = ()


class Told(Strict):
    """`POST /received-documents/news`: what the source says of a document it gave."""

    site_id: Annotated[str, Field(min_length=1, max_length=128)]
    unique_id: Annotated[str, Field(min_length=1, max_length=256)]
    news: News


class TellingAnswer(Answer):
    """Whether anything of that id is here."""

    known: bool


class Filing(Strict):
    """`POST /received-documents/{id}/file`."""

    patient_id: PatientId


class NewsDecision(Strict):
    """`POST /received-documents/{id}/news`: take note, or keep the document as it was."""

    accept: bool


class DecisionAnswer(Answer):
    """What a person decided."""

    what: str
    by: str
    at: datetime


class ReceivedAnswer(Answer):
    """One document, without its content."""

    document_id: str
    site_id: str
    origin: Origin
    origin_label: str
    unique_id: str
    set_id: str
    version_number: int | None
    replaces: list[str]
    type_code: str
    type_label: str
    title: str
    author: str
    organisation: str
    authored_at: datetime
    received_at: datetime
    level: str
    size: int
    styled: bool
    hidden_from: list[str]
    patient_id: str | None
    standing: Standing
    standing_label: str
    reason: str | None
    reason_label: str
    who_must_act: str
    news: News | None
    news_label: str
    newer_id: str | None
    decisions: list[DecisionAnswer]
    already_here: str = ""
    """A sentence when the document was here before it was brought (CDA/DD.04)."""

    @classmethod
    def of(cls, document: Received, summary: Summary, *, known: bool = False) -> Self:
        """The answer for a document."""
        same = ("document_id", "site_id", "origin", "unique_id", "set_id", "version_number", "type_code")
        more = ("authored_at", "received_at", "level", "size", "styled", "patient_id", "standing", "reason", "news")
        values = {name: getattr(document, name) for name in (*same, *more, "newer_id")}
        return cls(
            **values,
            origin_label=ORIGINS[document.origin],
            replaces=list(document.replaces),
            hidden_from=list(document.hidden_from),
            type_label=summary.type_label,
            title=summary.title,
            author=summary.author,
            organisation=summary.organisation,
            standing_label=STANDINGS[document.standing],
            reason_label=label_of(document.reason),
            who_must_act=who_acts(document.reason).value,
            news_label="" if document.news is None else NEWS[document.news],
            decisions=[DecisionAnswer(what=one.what, by=one.by, at=one.at) for one in document.decisions],
            already_here=ALREADY_HERE if known and document.standing is Standing.FILED else "",
        )


class ReceivedList(Answer):
    """Documents, sorted as asked. `complete`: whether there are no more."""

    documents: list[ReceivedAnswer]
    complete: bool = True
    next: str | None = None
    """Link to the next part, relative to the address that was asked, where the list has parts; null at its end."""
