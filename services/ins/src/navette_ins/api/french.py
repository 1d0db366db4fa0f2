"""Words a user reads."""

from __future__ import annotations

from collections.abc import Mapping

from navette_chassis.problem import FieldProblem, ProblemError

from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.search import SearchState

RULES: Mapping[str, str] = {
    "empty": "ne peut pas être vide",
    "too_long": "trop long (100 caractères au plus, 300 pour la liste des prénoms)",
    "character": "seuls les lettres, l’espace, le tiret et l’apostrophe sont admis",
    "first_character": "ne peut pas commencer par un espace ou un tiret",
    "last_character": "un prénom ne peut pas finir par un tiret ou une apostrophe",
    "double_hyphen": "le double tiret n’est admis que dans un nom de naissance",
    "doubled": "espace ou apostrophe en double : à corriger d’après le document",
    "not_first_of_list": "doit être le premier de la liste des prénoms de naissance",
    "impossible": "cette date n’existe pas",
    "future": "la date de naissance est dans le futur",
    "too_old": "la date de naissance est antérieure à 1880",
    "cog": "code officiel géographique attendu : 5 caractères, 99 et le code du pays à l’étranger, 99999 si inconnu",
    "format": "format non conforme",
    "unknown_document": "nature de document inconnue",
    "not_high_trust": "ce document n’est pas un dispositif à haut niveau de confiance",
    "card_number": "numéro de 13 caractères attendu, tel que lu sur la carte",
    "one_digit": "un chiffre attendu",
    "choose_beneficiary": "la carte porte plusieurs bénéficiaires : choisir la personne présente",
    "unknown_beneficiary": "ce bénéficiaire n’est pas sur la carte",
    "old_reading": "la carte a été lue il y a plus de 20 minutes : la relire",
    "future_reading": "l’heure de lecture de la carte est dans le futur : vérifier l’horloge du poste",
    "card_assertion": "assertion de la carte Vitale illisible",
    "card_assertion_missing": "l’assertion construite par le lecteur à partir de la carte est nécessaire",
    "unknown_attribute": "attribut inconnu",
    "csv": "ligne illisible : guillemets ou séparateurs",
    "json": "ligne illisible : un objet JSON par ligne est attendu",
    "columns": "le nombre de colonnes n’est pas celui de l’en-tête",
    "unknown_field": "la ligne contient un champ inconnu",
    "missing_column": "obligatoire pour un import",
    "differs_from_record": "le dossier de cet IPP dit autre chose : comparer et corriger à la main",
    "one_criterion": "donner une date de naissance, ou un matricule, ou un IPP",
    "needs_birth_date": "les premières lettres vont avec une date de naissance",
    "length": "15 caractères attendus, clé comprise",
    "key": "la clé ne correspond pas au matricule : le relire",
    "not_ins": "ce code n’est pas un datamatrix INS",
    "version": "version de datamatrix INS inconnue : le code n’est pas lu",
    "unknown_block": "le code contient un élément inconnu : il n’est pas lu",
    "repeated": "cet élément du code est répété",
    "missing": "cet élément manque dans le code",
    "truncated": "cet élément du code est incomplet",
    "unknown": "autorité d’affectation inconnue",
    "test-oid-in-production": "INS de test ou de démonstration : refusée en production",
}

FORBIDDEN: Mapping[str, str] = {
    "doubtful_or_fictive": "L’identité est douteuse ou fictive : ni appel à INSi, ni contrôle, avant la levée.",
    "fictive_stands_alone": "Une identité fictive ne porte aucun autre attribut.",
    "attribute_not_set": "L’identité ne porte pas cet attribut.",
    "birth_date_completed": "La date de naissance a été complétée : aucun matricule INS n’est possible.",
    "sex_undetermined": "INSi n’accepte que le sexe F ou M : l’INS ne peut pas être recherchée.",
    "already_recovered": "L’INS de cette personne est déjà récupérée.",
    "search_under_way": "Une recherche est déjà en cours pour cette personne.",
    "not_found_today": "INSi n’a trouvé personne avec ces traits depuis 24 heures : corriger d’abord un trait.",
    "calls_exhausted": "INSi a déjà été appelé six fois pour cette venue : vérifier les traits d’après le document.",
    "professional_required": "Cet appel à INSi se fait au nom d’un professionnel connecté par Pro Santé Connect.",
    "not_qualified": "L’identité n’est pas qualifiée : elle n’a pas de datamatrix INS.",
    "nothing_to_decide": "Aucun résultat d’INSi n’attend de décision pour cette recherche.",
    "nothing_to_ask": "Les traits ne permettent aucune recherche.",
    "identity_changed": "L’identité a changé depuis la recherche : la relancer.",
}

SEARCH_STATES: Mapping[SearchState, str] = {
    SearchState.REQUESTED: "Recherche en cours",
    SearchState.ACCEPTED: "INS récupérée",
    SearchState.TO_DECIDE: "Une personne trouvée avec des différences : comparer et décider",
    SearchState.REFUSED: "Résultat refusé",
    SearchState.NOT_FOUND: "Aucune identité trouvée : vérifier le nom de naissance et les prénoms d’après le document",
    SearchState.SEVERAL: "Plusieurs identités trouvées : compléter les prénoms ou le lieu de naissance",
    SearchState.DUPLICATE: "Un autre dossier porte déjà cette INS : doublon à traiter",
    SearchState.UNUSABLE: "La réponse d’INSi est incomplète : l’INS ne peut pas être reprise",
    SearchState.OUTDATED: "L’identité a changé pendant la recherche : la relancer",
    SearchState.FAILED: "INSi n’a pas pu répondre",
}


SEARCH_CODES: Mapping[str, str] = {
    "card_reading_too_old": "La carte Vitale a été lue il y a trop longtemps : la relire et relancer la recherche",
}
"""Sentences for codes that say more than the state."""


def invalid(broken: list[RuleBroken]) -> ProblemError:
    """422 naming each field and its rule."""
    return ProblemError.invalid(*(FieldProblem(one.field, RULES.get(one.rule, one.rule)) for one in broken))


def forbidden(error: Forbidden) -> ProblemError:
    """409 saying what the state of the identity does not allow."""
    return ProblemError.conflict(error.rule.replace("_", "-"), FORBIDDEN.get(error.rule, "Opération impossible."))
