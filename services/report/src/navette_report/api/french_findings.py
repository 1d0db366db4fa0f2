"""Why a document is held, in words that say what is wrong and whose it is to correct."""

from __future__ import annotations

from collections.abc import Mapping

from navette_report.domain.report import Finding

_SENTENCES: Mapping[str, str] = {
    "matricule_of_unqualified_identity": (
        "Un matricule INS figure dans le compte rendu d’un patient dont l’identité n’est pas qualifiée : qualifiez "
        "l’identité, ou remplacez le compte rendu par un texte qui ne le cite pas."
    ),
    "ins_missing_or_invalid": "La clé du matricule INS de ce patient n’est pas la bonne : vérifiez son identité.",
    "test-oid-in-production": "Ce patient porte une INS de test, qui ne sort pas d’un système en production.",
    "six_traits_with_an_ins": "Il manque un trait d’identité à ce patient qualifié : complétez son identité.",
    "unprintable_character": (
        "Un nom, une adresse ou un réglage du site contient un caractère que le document ne peut pas imprimer."
    ),
    "site_not_configured": "Le site de ce compte rendu n’est plus configuré : prévenez l’administrateur.",
}
"""By rule: what a person can correct."""
_IDENTITY = (
    "Un trait de l’identité ne peut pas être écrit dans le code Datamatrix INS : vérifiez l’identité du patient."
)
_DEFECT = (
    "Le document composé n’est pas conforme, par un défaut du logiciel ou de son réglage : prévenez l’exploitation."
)


def finding(one: Finding) -> str:
    """A sentence in French. Those of the rules of the ANS are their own words."""
    if " " in one.rule:
        return one.rule
    if one.path.startswith("datamatrix"):
        return _IDENTITY
    return _SENTENCES.get(one.rule, _DEFECT)
