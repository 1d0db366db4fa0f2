"""Words of the pages of received reports."""

from __future__ import annotations

from collections.abc import Mapping

from navette_report.adapters.intake_messages import MessageState

FILTERS: Mapping[MessageState, str] = {
    MessageState.WAITING: "En attente",
    MessageState.REFUSED: "Refusés",
    MessageState.TO_REVIEW: "À compléter",
    MessageState.RECEIVED: "Pas encore traités",
    MessageState.INTEGRATED: "Intégrés",
    MessageState.FILED: "Remis aux documents reçus",
    MessageState.DUPLICATE: "Déjà reçus",
    MessageState.SET_ASIDE: "Classés",
}
SHORT: Mapping[str, str] = {
    MessageState.WAITING.value: "En attente",
    MessageState.REFUSED.value: "Refusé",
    MessageState.TO_REVIEW.value: "À compléter",
    MessageState.RECEIVED.value: "Pas encore traité",
    MessageState.INTEGRATED.value: "Intégré",
    MessageState.DUPLICATE.value: "Déjà reçu",
    MessageState.SET_ASIDE.value: "Classé",
}
"""A state in a list."""
TONES: Mapping[str, str] = {
    MessageState.WAITING.value: "waiting",
    MessageState.REFUSED.value: "held",
    MessageState.TO_REVIEW.value: "provisional",
    MessageState.RECEIVED.value: "signed",
    MessageState.INTEGRATED.value: "composed",
    MessageState.FILED.value: "composed",
    MessageState.DUPLICATE.value: "draft",
    MessageState.SET_ASIDE.value: "draft",
}
"""Colour of a state: the one of a report that is as far."""
DOING: Mapping[str, str] = {
    "file": "Compte rendu",
    "correct": "Correction d’un compte rendu",
    "cancel": "Annulation d’un compte rendu",
}
BODIES: Mapping[str, str] = {
    "text": "Texte",
    "pdf": "Document PDF",
    "cda": "Document CDA",
    "rtf": "Document RTF",
    "reference": "Adresse seulement, jamais ouverte",
    "none": "Aucun",
}
SECTIONS: Mapping[str, str] = {
    "indication": "Indication",
    "medical_history": "Antécédents",
    "technique": "Technique",
    "comparison": "Comparaison",
    "findings": "Résultats",
    "conclusion": "Conclusion",
}
SEX: Mapping[str, str] = {"M": "Masculin", "F": "Féminin"}
FIELDS: Mapping[str, str] = {"confirmed": "Confirmation", "report_id": "Brouillon", "act": "Acte"}
LONGEST = 60_000
"""Characters of one section that a page shows: as many as a report may hold."""
_EVENTS = {"R01": "HL7 ORU^R01", "T02": "HL7 MDM^T02", "T04": "HL7 MDM^T04", "T10": "HL7 MDM^T10", "REST": "REST"}


def kind(event: str) -> str:
    """How a message came, by its event."""
    return _EVENTS.get(event) or f"HL7 {event}".strip()
