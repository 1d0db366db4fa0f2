"""What the INSi double refuses, and how it says so (spec/ins.md §2.7).

Codes seen in public exchanges keep their real value. The teleservice has more `insi_nn` codes whose numbers are
not public: those the double needs carry numbers of its own, listed in `OWN_CODES`, so that nobody mistakes them
for the real ones.
"""

from __future__ import annotations

from dataclasses import dataclass

_UNAVAILABLE = (
    "Le service est temporairement inaccessible. Veuillez renouveler votre demande ultérieurement. "
    "Si le problème persiste, contactez l'éditeur du progiciel ou votre responsable informatique."
)
_NOT_ALLOWED = (
    "L'accès par ce progiciel au service n'est pas autorisé. Contactez l'éditeur du progiciel ou votre "
    "responsable informatique."
)
_BAD_DATA = "Les traits d'identité transmis ne respectent pas le format attendu. Corrigez la saisie."
_BAD_REQUEST = "La demande transmise par le progiciel est incorrecte. Contactez l'éditeur du progiciel."


@dataclass(frozen=True)
class FaultShape:
    """One row of the fault table: role, subcode, severity, sentence for the user, sentence for the support."""

    role: str
    subcode: str
    severity: str
    reason: str
    detail: str


FAULTS: dict[str, FaultShape] = {
    "desir_550": FaultShape(
        "Sender", "siram_100", "erreur", _NOT_ALLOWED, "Numéro d'autorisation du logiciel inconnu."
    ),
    "desir_560": FaultShape("Sender", "siram_100", "erreur", _NOT_ALLOWED, "Droits insuffisants."),
    "desir_1020": FaultShape(
        "Sender", "siram_40", "fatale", _UNAVAILABLE, "Le service appelé est temporairement indisponible"
    ),
    "insi_101": FaultShape(
        "Receiver",
        "siram_40",
        "fatal",
        _UNAVAILABLE,
        "L'appel au service de recherche avec la carte Vitale renvoie une erreur technique.",
    ),
    "insi_102": FaultShape(
        "Receiver",
        "siram_40",
        "fatal",
        _UNAVAILABLE,
        "L'appel au service de recherche avec les traits d'identité renvoie une erreur technique.",
    ),
    "insi_24": FaultShape("Sender", "siram_30", "erreur", _BAD_DATA, "Format du sexe incorrect."),
    # From here on the numbers are the double's own.
    "insi_9001": FaultShape("Sender", "siram_30", "erreur", _BAD_DATA, "Format du nom de naissance incorrect."),
    "insi_9002": FaultShape("Sender", "siram_30", "erreur", _BAD_DATA, "Format du prénom incorrect."),
    "insi_9003": FaultShape("Sender", "siram_30", "erreur", _BAD_DATA, "Format de la date de naissance incorrect."),
    "insi_9004": FaultShape("Sender", "siram_30", "erreur", _BAD_DATA, "Format du lieu de naissance incorrect."),
    "insi_9005": FaultShape("Sender", "siram_30", "erreur", _BAD_DATA, "Format du matricule incorrect."),
    "desir_9001": FaultShape("Sender", "siram_20", "erreur", _BAD_REQUEST, "Enveloppe SOAP incorrecte."),
    "desir_9002": FaultShape("Sender", "siram_20", "erreur", _BAD_REQUEST, "En-tête d'adressage incorrect."),
    "desir_9003": FaultShape("Sender", "siram_20", "erreur", _BAD_REQUEST, "ContexteBAM incorrect."),
    "desir_9004": FaultShape("Sender", "siram_20", "erreur", _BAD_REQUEST, "ContexteLPS incorrect."),
    "desir_9005": FaultShape("Sender", "siram_20", "erreur", _BAD_REQUEST, "Corps de la demande incorrect."),
    "desir_9007": FaultShape("Sender", "siram_20", "erreur", _BAD_REQUEST, "Assertion incorrecte ou expirée."),
    "desir_9008": FaultShape("Sender", "siram_40", "erreur", _UNAVAILABLE, "Quota d'appels dépassé."),
    "desir_9006": FaultShape("Sender", "siram_20", "erreur", _BAD_REQUEST, "Message déjà reçu."),
}

OWN_CODES = frozenset(code for code in FAULTS if "_900" in code)


class Refusal(Exception):  # noqa: N818 - it is the teleservice's answer, not an error of the double
    """The request breaks `rule`; the answer is the fault `code`."""

    def __init__(self, code: str, rule: str) -> None:
        super().__init__(f"{code}: {rule}")
        self.code = code
        self.rule = rule
