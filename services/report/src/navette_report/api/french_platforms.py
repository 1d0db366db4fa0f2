"""Words a user reads about platforms: a hospital's PFI, a DRIMbox."""

from __future__ import annotations

from collections.abc import Mapping

from navette_report.domain.journey import JourneyLine, LineKind, LineState

REASONS: Mapping[str, str] = {
    "mss_address_missing": "Adresse MSSanté du correspondant non renseignée : la plateforme ne peut pas lui écrire",
    "former_version_elsewhere": "La version à remplacer n’est pas sur cette plateforme",
    "platform_removed": "La plateforme qui porte ce compte rendu n’est plus configurée",
    "nothing_to_delete": "La plateforme n’a jamais reçu ce compte rendu",
    "taken_over": "Remplacé par un document plus récent, remis aux mêmes destinataires",
    "outside_matrix": "Combinaison de destinataires hors de la matrice MSSanté publiée",
    "matrix_hidden_from_the_reader": "Un document invisible pour le patient ne peut pas lui être envoyé",
    "matrix_masked_professional": "Un document masqué aux professionnels ne peut pas leur être envoyé",
    "matrix_hidden_from_representatives": (
        "Cette plateforme n’envoie pas aux professionnels un document masqué aux représentants légaux"
    ),
    "matrix_patient_left_out": (
        "Cette plateforme n’envoie au professionnel seul qu’un document invisible pour le patient"
    ),
    "matrix_patient_with_dmp": "Cette plateforme n’envoie pas au patient seul un document déposé aussi dans le DMP",
}
"""Why a message to a platform is not sent, or stands out (spec/hl7v2.md §5.6)."""

_ANSWERS: Mapping[str, str] = {
    "AE.207.900": "La plateforme n’a pas la version à remplacer ou à supprimer",
    "AE.207.901": "La plateforme refuse ce demandeur pour ce document",
    "AE.207.902": "La plateforme ne connaît pas ce patient",
    "AE.207.903": "L’INS manque dans le document",
    "AE.207.904": "L’INS diffère de celle que connaît la plateforme",
    "AE.207.905": "L’identité est incomplète pour la plateforme",
    "AE.200": "La plateforme n’accepte pas ce type de message : voir le fichier de diffusion",
    "AE.201": "La plateforme n’accepte pas cet évènement : voir le fichier de diffusion",
    "AE.202": "La plateforme n’attend pas un message de cet environnement (MSH-11)",
    "AE.203": "La plateforme n’accepte pas cette version : voir le fichier de diffusion",
}

_STATES = {LineState.SENT: "Accepté", LineState.DELIVERED: "Intégré"}


def reason(code: str) -> str | None:
    """Sentence of a reason or of a refusal of a platform; None for a code that is of another kind."""
    if code in REASONS:
        return REASONS[code]
    if code.startswith("mdn-"):
        return f"Le destinataire a refusé le document ({code.removeprefix('mdn-')})"
    if code != "AE" and not code.startswith("AE."):
        return None
    known = _ANSWERS.get(code) or _ANSWERS.get(".".join(code.split(".")[:2])) or "La plateforme refuse ce message"
    return f"{known} ({code})"


def role(line: JourneyLine) -> str:
    """What a message to a platform asks for."""
    return "Ordre de suppression" if line.kind is LineKind.WITHDRAWAL else "Compte rendu remis par HL7"


def step(state: LineState) -> str | None:
    """Name of a state of a message to a platform, where the usual word does not fit."""
    return _STATES.get(state)


def carried(line: JourneyLine) -> str:
    """By whom a recipient is served, empty when Navette does it itself."""
    return "" if line.carrier is None else f"par {line.carrier}"
