"""Why a received document is not filed, and who must act: what secretaries read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from navette_contracts.events import WhoMustAct

_S, _O = WhoMustAct.SECRETARY, WhoMustAct.OPERATOR

REASONS: Final[Mapping[str, tuple[WhoMustAct, str]]] = MappingProxyType(
    {
        "patient_unknown": (
            _S,
            "Aucun patient connu ne correspond : l’enregistrer ; un document qui porte son INS se classera alors seul.",
        ),
        "patient_ambiguous": (_S, "Plusieurs dossiers portent cette INS : résoudre d’abord le doublon."),
        "identity_not_qualified": (
            _S,
            "L’identité du patient n’est pas qualifiée : la qualifier, le document se classera seul.",
        ),
        "identity_merged": (_S, "Ce dossier patient a été fusionné avec un autre : classer dans l’autre."),
        "ins_missing": (_S, "Le document ne porte pas d’INS : une personne doit le rapprocher d’un patient."),
        "ins_differs": (_S, "L’INS du document n’est pas celle du patient : il n’est pas classé dans ce dossier."),
        "traits_missing": (_S, "Le document ne porte pas tous les traits d’identité : une personne doit vérifier."),
        "traits_differ": (_S, "Les traits d’identité du document et du patient diffèrent : vérifier l’identité."),
        "other_content": (_S, "Un document de même identifiant et d’un autre contenu est déjà là : comparer les deux."),
        "replaces_another_patient": (_S, "Il remplace un document classé chez un autre patient : vérifier les deux."),
        "deleted_at_source": (_S, "Son auteur l’a supprimé avant qu’il soit classé : le mettre de côté."),
        "document_unreadable": (_O, "Le document n’est pas un CDA lisible : l’émetteur doit le renvoyer."),
        "not_to_file": (_S, "Ce document n’attend pas de classement."),
        "no_news": (_S, "Rien n’est à décider pour ce document."),
        "filed_elsewhere": (_S, "Ce document est classé dans le dossier d’un autre patient : vérifier les deux."),
    }
)


def label_of(reason: str | None) -> str:
    """The sentence a user reads."""
    return "" if reason is None else REASONS[reason][1]


def who_acts(reason: str | None) -> WhoMustAct:
    """Who must act."""
    return WhoMustAct.NOBODY if reason is None else REASONS[reason][0]
