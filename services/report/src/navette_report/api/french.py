"""Words a user reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo

from navette_contracts.events import RecipientRole, WhoMustAct

from navette_report.domain.journey import Channel, JourneyLine, LineState
from navette_report.domain.report import State

LINE_STATES: Mapping[LineState, str] = {
    LineState.WAITING: "En attente",
    LineState.SCHEDULED: "Programmé",
    LineState.SENT: "Envoyé",
    LineState.DELIVERED: "Remis",
    LineState.READ: "Lu",
    LineState.REFUSED: "Refusé",
    LineState.FAILED: "En échec",
    LineState.CANCELLED: "Non envoyé",
}

REPORT_STATES: Mapping[State, str] = {
    State.DRAFT: "Brouillon",
    State.SIGNED: "Validé, composition en cours",
    State.WAITING: "Validé, en attente de l’identité",
    State.HELD: "Validé, document retenu",
    State.COMPOSED: "Validé",
}

WHO: Mapping[WhoMustAct, str] = {
    WhoMustAct.NOBODY: "",
    WhoMustAct.SECRETARY: "Secrétariat",
    WhoMustAct.RADIOLOGIST: "Radiologue",
    WhoMustAct.ADMINISTRATOR: "Administrateur",
    WhoMustAct.OPERATOR: "Exploitation",
    WhoMustAct.OTHER: "À déterminer",
}

REASONS: Mapping[str, str] = {
    "document_in_preparation": "Document en cours de composition",
    "document_held": "Document retenu par les contrôles avant envoi",
    "identity_unknown": "Identité du patient pas encore reçue",
    "identity_merged": "Dossier du patient fusionné : compte rendu à reprendre",
    "ins_not_qualified": "Identité non qualifiée : l’INS ne peut pas être utilisée",
    "announcement_needed": "Annonce au patient à faire avant l’envoi",
    "withheld_from_dmp": "Non déposé, sur décision du radiologue",
    "withheld_from_patient": "Non envoyé au patient, sur décision du radiologue",
    "hidden_from_professionals": "Masqué aux professionnels, sur décision du radiologue",
    "hidden_from_patient": "Non visible par le patient, sur décision du radiologue",
    "hidden_from_representatives": "Non visible par les représentants légaux, sur décision du radiologue",
}

ANSWERS: Mapping[str, str] = {
    "DMPClosed": "Le DMP du patient est fermé",
    "XDSUnknownPatientId": "Le DMP ne connaît pas ce patient",
    "XDSPatientIdDoesNotMatch": "Le DMP ne reconnaît pas l’identité du patient",
    "LocalPolicyRestrictionError": "Le DMP refuse le dépôt pour ce site",
    "DMPAccessDeniedByRightsService": "Le DMP refuse l’accès à ce site",
    "DMPInvalidCertificate": "Le DMP refuse le certificat du site",
    "ins-not-qualified": "Identité non qualifiée : l’INS ne peut pas être utilisée",
    "unknown-site": "Site non configuré",
    **dict.fromkeys(("510", "512", "513", "550", "551", "553"), "L’adresse n’existe pas ou refuse les messages"),
    **dict.fromkeys(("523", "552"), "La boîte du destinataire est pleine ou refuse la taille du message"),
    **dict.fromkeys(("541", "554"), "Le message est refusé : prévoir un autre moyen"),
}
"""Answers of the DMP and of mail operators (spec/dmp.md §10, spec/dsr.md §5), by code."""

RULES: Mapping[str, str] = {
    "hidden_from_professionals_and_patient": (
        "Un document ne peut pas être à la fois masqué aux professionnels et invisible pour le patient."
    ),
    "hidden_from_professionals_until_announced": (
        "Un compte rendu à annoncer est d’abord invisible pour le patient : il ne peut pas être aussi masqué "
        "aux professionnels."
    ),
    "findings_missing": "Le compte rendu n’a pas de résultats.",
    "conclusion_missing": "Le compte rendu n’a pas de conclusion.",
    "rpps_missing_from_sign_on": "La session ne porte pas de numéro RPPS : reconnectez-vous avec Pro Santé Connect.",
    "name_missing_from_sign_on": "La session ne porte pas de nom : reconnectez-vous avec Pro Santé Connect.",
}
ALREADY_SIGNED = "Ce compte rendu n’est plus un brouillon : il est déjà validé."


def rule(code: str) -> str:
    """Sentence of a broken rule."""
    return RULES.get(code, ALREADY_SIGNED)


def reason(line: JourneyLine) -> str:
    """Why a line stands where it does, empty when there is nothing to explain."""
    code = line.shown.reason
    if code is None:
        return ""
    known = REASONS.get(code)
    if known is not None:
        return known
    answer = ANSWERS.get(code.removeprefix("smtp-"))
    return f"{answer} ({code})" if answer else f"Réponse du destinataire : {code}"


def recipient(line: JourneyLine) -> str:
    """Who a line is for."""
    if line.channel is Channel.DMP:
        return "Dossier médical partagé"
    if line.role is RecipientRole.PATIENT:
        return "Patient"
    return line.label or "Correspondant"


def role(line: JourneyLine) -> str:
    """In what capacity, and how, a recipient receives."""
    if line.channel is Channel.DMP:
        return "Mon espace santé"
    words = {RecipientRole.REQUESTER: "Demandeur", RecipientRole.COPY: "Copie"}
    return " · ".join(filter(None, (words.get(line.role), "MSSanté")))


def line_state(line: JourneyLine) -> str:
    """State of a line; the DMP keeps documents rather than receives mail."""
    if line.channel is Channel.DMP and line.shown.state is LineState.DELIVERED:
        return "Déposé"
    return LINE_STATES[line.shown.state]


def moment(value: datetime | None, zone: tzinfo) -> str:
    """ "20/11/2026 14:32", empty for None."""
    return "" if value is None else value.astimezone(zone).strftime("%d/%m/%Y %H:%M")


def day(value: str) -> str:
    """ "YYYY-MM-DD" as "JJ/MM/AAAA"."""
    return "/".join(reversed(value.split("-")))
