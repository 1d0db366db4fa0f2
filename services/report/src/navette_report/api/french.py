"""Words a user reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, tzinfo

from navette_contracts.events import RecipientRole, WhoMustAct

from navette_report.api import french_platforms
from navette_report.domain.acts import Offer
from navette_report.domain.journey import Channel, JourneyLine, LineKind, LineState
from navette_report.domain.lifecycle import Act, State

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
    State.PROVISIONAL: "Provisoire, non validé",
    State.SIGNED: "Validé, composition en cours",
    State.WAITING: "Validé, en attente de l’identité",
    State.HELD: "Validé, document retenu",
    State.COMPOSED: "Validé",
    State.REPLACED: "Remplacé",
    State.WITHDRAWN: "Retiré",
}

OFFERS: Mapping[Offer, str] = {
    Offer.EDIT: "Modifier le brouillon",
    Offer.CHOOSE: "Préparer l’annonce et la visibilité",
    Offer.PROPOSE: "Demander l’accord de confrères",
    Offer.AGREE: "Donner son accord",
    Offer.SIGN: "Valider",
    Offer.ABANDON: "Abandonner la nouvelle version",
    Offer.ANNOUNCE: "Enregistrer l’annonce au patient",
    Offer.REPLACE: "Remplacer par une nouvelle version",
    Offer.WITHDRAW: "Retirer le compte rendu",
    Offer.RECOMPOSE: "Composer à nouveau le document retenu",
}
"""None hides what was visible: the DMP does not take it back (spec/dsr.md §4 C2)."""

WORKLISTS: Mapping[str, str] = {
    "waiting-ins": "En attente de l’INS",
    "to-announce": "À annoncer",
    "provisional": "Non validés",
    "held": "Retenus",
    "failed": "En échec",
}

WHO: Mapping[WhoMustAct, str] = {
    WhoMustAct.NOBODY: "",
    WhoMustAct.SECRETARY: "Secrétariat",
    WhoMustAct.RADIOLOGIST: "Radiologue",
    WhoMustAct.ADMINISTRATOR: "Administrateur",
    WhoMustAct.OPERATOR: "Exploitation",
    WhoMustAct.OTHER: "À déterminer",
}

WHO_BY_NAME: Mapping[str, str] = {one.value: label for one, label in WHO.items()}

REASONS: Mapping[str, str] = {
    "document_in_preparation": "Document en cours de composition",
    "document_held": "Document retenu par les contrôles avant envoi",
    "identity_unknown": "Identité du patient pas encore reçue",
    "identity_merged": "Dossier du patient fusionné : compte rendu à reprendre",
    "identity_of_another_entity": "Patient d’un établissement qui ne partage pas ses identités avec ce site",
    "ins_not_qualified": "Identité non qualifiée : l’INS ne peut pas être utilisée",
    "announcement_needed": "Annonce au patient à faire avant l’envoi",
    "superseded": "Remplacé par une nouvelle version avant l’envoi",
    "withdrawn": "Compte rendu retiré avant l’envoi",
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
    "superseded": "Remplacé par une nouvelle version avant l’envoi",
    "withdrawn": "Compte rendu retiré avant l’envoi",
    "replaced-document-gone": "La version à remplacer n’est plus dans le DMP",
    "replaced-document-absent": "La version à remplacer n’est pas dans le DMP : le document est refait sans la citer",
    "ins-not-qualified": "Identité non qualifiée : l’INS ne peut pas être utilisée",
    "refused:secret_connection:off": "La connexion secrète n’est pas activée pour les dépôts dans le DMP",
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
    "secret_connection_visible_to_representatives": (
        "Sous connexion secrète, le DMP n’accepte qu’un document masqué aux représentants légaux : cochez les deux."
    ),
    "secret_connection_of_an_adult": "La connexion secrète ne concerne que les patients mineurs.",
    "draft_written_here": "Ce brouillon a été repris ici : un message reçu ne le remplace plus.",
    "agreement_of_a_co_reader_missing": "Un confrère dont l’accord est demandé ne l’a pas encore donné.",
    "co_reader_missing": "Indiquez au moins un confrère qui doit donner son accord.",
    "proposed_by_another": (
        "La relecture a été demandée par un autre radiologue : lui seul change les confrères dont l’accord est "
        "attendu. Sinon, reprenez explicitement la demande à votre nom ; les accords déjà donnés sont alors annulés."
    ),
    "not_a_co_reader": "Votre accord n’est pas demandé pour ce compte rendu.",
    "not_validated_yet": "Ce compte rendu n’est pas encore validé : modifiez le brouillon.",
    "not_built_on_the_last_version": (
        "Une version plus récente existe : la nouvelle version doit partir de la dernière version validée."
    ),
    "replacement_already_being_written": "Une nouvelle version est déjà en cours d’écriture.",
    "no_replacement_being_written": "Aucune nouvelle version n’est en cours d’écriture.",
    "changed_since_it_was_shown": (
        "Le compte rendu a changé depuis qu’il a été affiché : relisez-le, puis recommencez."
    ),
    "no_document_is_held": "Aucun document de ce compte rendu n’est retenu.",
    "nothing_to_announce": "Ce compte rendu n’est pas à annoncer au patient.",
    "already_announced": "L’annonce au patient est déjà enregistrée.",
    "former_version_in_dmp": (
        "La version précédente est dans le DMP : sa correction doit y aller aussi. Pour l’en ôter, retirez le "
        "compte rendu."
    ),
    "former_version_seen_by_professionals": (
        "Des professionnels ont reçu la version précédente : sa correction ne peut pas leur être masquée. "
        "Remplacez sans masquer, ou retirez le compte rendu."
    ),
    "former_version_seen_by_patient": (
        "La version précédente était visible par le patient : ce qui a été visible ne peut plus être masqué. "
        "Remplacez sans masquer, ou retirez le compte rendu."
    ),
    "former_version_sent_to_patient": (
        "Le patient a reçu la version précédente par messagerie : il doit recevoir sa correction."
    ),
    "received_as_preliminary": (
        "Ce compte rendu a été reçu comme provisoire : attendez sa version définitive, ou reprenez son texte ici."
    ),
    "received_then_cancelled": (
        "L’émetteur a annulé ce compte rendu : il ne peut être signé que si son texte est repris ici."
    ),
    "findings_missing": "Le compte rendu n’a pas de résultats.",
    "conclusion_missing": "Le compte rendu n’a pas de conclusion.",
    "dose_missing": (
        "Un acte irradiant n’indique pas sa dose : complétez-la, ou indiquez qu’elle n’est pas disponible."
    ),
    "rpps_missing_from_sign_on": "La session ne porte pas de numéro RPPS : reconnectez-vous avec Pro Santé Connect.",
    "name_missing_from_sign_on": "La session ne porte pas de nom : reconnectez-vous avec Pro Santé Connect.",
}
_ENDED = {
    State.REPLACED: "Cette version a été remplacée : l’acte n’est plus possible.",
    State.WITHDRAWN: "Ce compte rendu a été retiré : l’acte n’est plus possible.",
}
_BEING_MADE = "Le document de ce compte rendu est en cours de composition : recommencez dans un instant."
ALREADY_SIGNED = "Ce compte rendu n’est plus un brouillon : il est déjà validé."


def rule(code: str) -> str:
    """Sentence of a broken rule."""
    if code in RULES:
        return RULES[code]
    if code == f"{Act.REPLACE}_not_allowed_when_{State.SIGNED}":
        return _BEING_MADE
    if code == f"{Act.AGREE}_not_allowed_when_{State.DRAFT}":
        return RULES["not_a_co_reader"]
    return next((text for state, text in _ENDED.items() if code.endswith(f"_when_{state}")), ALREADY_SIGNED)


def reason(line: JourneyLine) -> str:
    """Why a line stands where it does, empty when there is nothing to explain."""
    code = line.shown.reason
    if code is None:
        return ""
    known = REASONS.get(code) or french_platforms.reason(code)
    if known is not None:
        return known
    answer = ANSWERS.get(code.removeprefix("smtp-"))
    return f"{answer} ({code})" if answer else f"Réponse du destinataire : {code}"


def recipient(line: JourneyLine) -> str:
    """Who a line is for."""
    if line.channel is Channel.PLATFORM:
        return line.label or "Plateforme"
    if line.channel is Channel.DMP:
        return "Dossier médical partagé"
    if line.role is RecipientRole.PATIENT:
        return "Patient"
    return line.label or "Correspondant"


def about(line: JourneyLine) -> str:
    """What the recipient is told beyond the report itself; empty for the report."""
    if line.kind is LineKind.REPORT:
        return ""
    if line.channel is Channel.PLATFORM:
        return french_platforms.role(line)
    if line.kind is LineKind.RELEASE:
        return "Visibilité après annonce"
    return "Suppression" if line.channel is Channel.DMP else "Avis de retrait"


def role(line: JourneyLine) -> str:
    """In what capacity, and how, a recipient receives."""
    if line.channel is Channel.PLATFORM:
        return french_platforms.role(line)
    carried = french_platforms.carried(line)
    if line.channel is Channel.DMP:
        return " · ".join(filter(None, (about(line) or "Mon espace santé", carried)))
    words = {RecipientRole.REQUESTER: "Demandeur", RecipientRole.COPY: "Copie"}
    return " · ".join(filter(None, (words.get(line.role), about(line), "MSSanté", carried)))


_DMP_DONE = {LineKind.REPORT: "Déposé", LineKind.RELEASE: "Visible par le patient", LineKind.WITHDRAWAL: "Supprimé"}


def line_state(line: JourneyLine) -> str:
    """State of a line; the DMP keeps documents rather than receives mail."""
    if line.shown.state is LineState.DELIVERED and line.channel is Channel.DMP:
        return _DMP_DONE[line.kind]
    if line.kind is LineKind.WITHDRAWAL and line.shown.state is LineState.SCHEDULED:
        return "Retrait en cours"
    if line.channel is Channel.PLATFORM:
        return french_platforms.step(line.shown.state) or LINE_STATES[line.shown.state]
    return LINE_STATES[line.shown.state]


def step(line: JourneyLine, state: LineState) -> str:
    """Name of a step of a line."""
    if line.channel is Channel.PLATFORM:
        return french_platforms.step(state) or LINE_STATES[state]
    return _DMP_DONE[line.kind] if line.channel is Channel.DMP and state is LineState.DELIVERED else LINE_STATES[state]


def moment(value: datetime | None, zone: tzinfo) -> str:
    """ "20/11/2026 14:32", empty for None."""
    return "" if value is None else value.astimezone(zone).strftime("%d/%m/%Y %H:%M")


def day(value: str) -> str:
    """ "YYYY-MM-DD" as "JJ/MM/AAAA"."""
    return "/".join(reversed(value.split("-")))
