"""Words a user reads."""

from __future__ import annotations

from collections.abc import Mapping

from navette_chassis.problem import FieldProblem, ProblemError

from navette_ins.domain.cautions import Caution
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
    "old_app_reading": "l’Appli carte Vitale a été lue il y a plus de 20 minutes : la relire",
    "reader_unknown": "lecture de l’Appli carte Vitale non signée par un lecteur connu",
    "app_reading": "lecture de l’Appli carte Vitale incomplète ou illisible",
    "old_reading": "la carte a été lue il y a plus de 20 minutes : la relire",
    "future_reading": "l’heure de lecture de la carte est dans le futur : vérifier l’horloge du poste",
    "card_assertion": "assertion de la carte Vitale illisible",
    "card_assertion_missing": "l’assertion construite par le lecteur à partir de la carte est nécessaire",
    "unknown_attribute": "attribut inconnu",
    "required": "obligatoire",
    "complete": "cette date est complète : la saisir comme date de naissance",
    "must_be_said": "à cocher : la date de naissance a été complétée",
    "completion": "ne suit pas la règle : 01 pour le jour ou le mois inconnu, 31/12 si les deux le sont",
    "expired": "le document n’était plus valide",
    "unknown_site": "site inconnu",
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
    "reading_used": "Cette lecture de l’Appli carte Vitale a déjà servi : la refaire.",
    "already_recovered": "L’INS de cette personne est déjà récupérée.",
    "search_under_way": "Une recherche est déjà en cours pour cette personne.",
    "not_found_today": "INSi n’a trouvé personne avec ces traits depuis 24 heures : corriger d’abord un trait.",
    "calls_exhausted": "INSi a déjà été appelé six fois pour cette venue : vérifier les traits d’après le document.",
    "professional_required": "Cet appel à INSi se fait au nom d’un professionnel connecté par Pro Santé Connect.",
    "not_qualified": "L’identité n’est pas qualifiée : elle n’a pas de datamatrix INS.",
    "merged": "Ce dossier a été fusionné avec un autre : travailler sur le dossier conservé.",
    "nothing_changes": "Aucun trait ne change.",
    "not_checked": "Aucun contrôle d’identité n’est enregistré.",
    "not_recovered": "Ce dossier ne porte pas d’INS.",
    "no_proof": "Aucun document à haut niveau de confiance n’a été présenté : l’enregistrer d’abord.",
    "downgrade_to_confirm": "Ce changement abaisse le statut de l’identité et peut retirer son INS, ici et dans les "
    "systèmes connectés : le confirmer pour l’enregistrer.",
    "same_record": "C’est le même dossier.",
    "fictive_not_merged": "Une identité fictive ne se fusionne pas.",
    "two_different_ins": "INSi connaît deux personnes différentes : ces dossiers ne peuvent pas être fusionnés.",
    "not_merged": "Ces dossiers ne sont pas, ou plus, fusionnés.",
    "no_such_merge": "Cette fusion n’existe pas.",
    "ins_held_elsewhere": "L’INS à rendre est désormais portée par un autre dossier : traiter d’abord ce doublon.",
    "case_closed": "Ce cas n’attend plus cette décision.",
    "venue_of_another": "Cette venue est celle d’un autre patient.",
    "differences_to_confirm": "Un trait décisif ou le matricule diffère : confirmer chaque différence après "
    "comparaison des deux valeurs.",
    "no_ins": "L’identité ne porte pas d’INS : il n’y a rien à vérifier.",
    "verification_under_way": "Une vérification est déjà en cours pour cette personne.",
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


CAUTIONS: Mapping[Caution, str] = {
    Caution.UNKNOWN_COG: "Lieu de naissance absent de la liste des communes et pays : code ancien, ou à vérifier.",
    Caution.PLACE_UNKNOWN: "Lieu de naissance inconnu (99999) : à compléter d’après un document.",
    Caution.DATE_COMPLETED: "Date de naissance complétée : ni INS récupérée, ni identité qualifiée possible.",
    Caution.SEX_UNDETERMINED: "Sexe indéterminé : l’INS ne peut pas être recherchée.",
    Caution.NEWBORN: "Nouveau-né : INSi ne le connaît qu’après son immatriculation, quelques semaines après la "
    "naissance. Rien à corriger : relancer la recherche à une prochaine venue.",
    Caution.USED_NAME_AS_BIRTH_NAME: "Le nom de naissance est peut-être le nom utilisé (nom d’époux ou d’épouse) : "
    "le vérifier sur le document.",
    Caution.KEY_INVALID: "La clé du matricule reçu est fausse : à signaler à la cellule d’identitovigilance.",
    Caution.SEX_DIFFERS_FROM_NUMBER: "Le sexe diffère de celui du matricule (possible après un changement de sexe).",
    Caution.DATE_DIFFERS_FROM_NUMBER: "La date de naissance diffère de celle du matricule.",
    Caution.PLACE_DIFFERS_FROM_NUMBER: "Le lieu de naissance diffère de celui du matricule (possible : commune "
    "renumérotée, naissance à l’étranger).",
    Caution.PROOF_OF_LOW_TRUST: "Le document présenté n’est pas à haut niveau de confiance : il ne valide pas "
    "l’identité.",
    Caution.POSSIBLE_DUPLICATE: "Un autre dossier est peut-être celui de la même personne : comparer avant de "
    "poursuivre.",
    Caution.POSSIBLE_COLLISION: "Ce dossier contient peut-être deux personnes : un cas est ouvert.",
    Caution.POSSIBLE_HOMONYM: "Une autre personne porte un nom proche et la même date de naissance : vérifier que "
    "c’est le bon dossier.",
    Caution.NOT_CONFIRMED_BY_INSI: "INSi ne confirme pas cette INS : la cellule d’identitovigilance doit décider.",
    Caution.RECEIVED_INS_NOT_CONFIRMED: "Un autre établissement a envoyé pour cette personne une INS qu’INSi ne "
    "confirme pas : elle n’a pas été reprise.",
    Caution.TO_VALIDATE: "Document à haut niveau de confiance présenté : une personne habilitée doit valider "
    "l’identité.",
}


def invalid(broken: list[RuleBroken]) -> ProblemError:
    """422 naming each field and its rule."""
    return ProblemError.invalid(*(FieldProblem(one.field, RULES.get(one.rule, one.rule)) for one in broken))


def forbidden(error: Forbidden) -> ProblemError:
    """409 saying what the state of the identity does not allow."""
    return ProblemError.conflict(error.rule.replace("_", "-"), FORBIDDEN.get(error.rule, "Opération impossible."))
