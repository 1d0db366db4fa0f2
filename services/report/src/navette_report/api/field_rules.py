"""French sentences of the rules that fields break, and the problems made of them."""

from __future__ import annotations

from collections.abc import Mapping

from navette_chassis.problem import FieldProblem, ProblemError

from navette_report.domain.identity import IdentityGap

FIELD_RULES: Mapping[str, str] = {
    "empty": "ne peut pas être vide",
    "unprintable_character": "contient un caractère que les documents ne peuvent pas imprimer",
    "unknown_specialty": "spécialité inconnue",
    "unknown_contraindication": "contre-indication inconnue",
    "key_or_format": "clé ou format de l’INS incorrect",
    "unknown_authority": "autorité d’affectation inconnue",
    "local_id_or_ins_required": "identifiant local ou INS attendu",
    "either_text_or_pdf": "un texte ou un PDF, pas les deux ni aucun",
    "unknown_modality": "modalité inconnue",
    "unknown_region": "région anatomique inconnue",
    "unknown_body_site": "localisation anatomique inconnue",
    "unknown_dose_quantity": "grandeur dosimétrique inconnue",
    "date_out_of_range": "une date entre 1900 et 2199 est attendue",
    "ended_before_it_started": "la fin de l’examen précède son début",
    "role_of_a_professional": "un correspondant est le demandeur ou reçoit une copie",
    "rpps_or_finess_required": "un correspondant est désigné par son RPPS ou son FINESS",
    "recipient_ids_must_differ_and_not_be_reserved": (
        "les identifiants des correspondants doivent être différents, et ni « patient » ni « dmp »"
    ),
    "study_of_no_act": "l’étude de l’examen est celle d’un de ses actes au moins",
    "request_named_twice": "la même demande est indiquée deux fois",
    "one_requester_at_most": "un seul demandeur au plus",
    "atc_code_and_label_go_together": "le code ATC et son libellé vont ensemble",
    "ccam_code_and_label_go_together": "le code CCAM et son libellé vont ensemble",
    "measure_or_radiopharmaceutical_required": "indiquez une mesure de dose ou un radiopharmaceutique",
    "exposure_of_a_modality_without_radiation": "cette modalité n’irradie pas : aucune dose n’est attendue",
    "dose_given_or_not_expected": "la dose est indiquée, ou n’est pas attendue pour cette modalité",
    "rpps: format": "numéro RPPS de 11 chiffres attendu",
    "rpps: key": "la clé du numéro RPPS ne correspond pas : le relire",
    "loinc: format": "code LOINC attendu, de la forme 36813-4",
    "loinc: key": "la clé du code LOINC (dernier chiffre) ne correspond pas : le relire",
    "finess: format": "numéro FINESS de 9 caractères attendu",
    "study_instance_uid: oid": "identifiant d’étude (OID) non conforme",
    "unknown_page": "suite de liste inconnue : reprendre au début",
    "unknown_site": "ce site n’est pas configuré",
    "unknown_model": "ce modèle de compte rendu n’existe pas sur ce site",
    "required": "à indiquer",
    "not_base64": "contenu en base64 attendu",
    "file_when_brought_by_a_person": "une personne apporte un fichier (file) : dmp et mss sont des services",
    "before_since": "le dernier jour précède le premier",
}
"""By code, as the models raise it."""

_PATIENT = {
    IdentityGap.UNKNOWN: (
        "Ce patient n’est pas connu ici. S’il vient d’être enregistré, recommencez dans un instant.",
        "patient inconnu",
    ),
    IdentityGap.MERGED: (
        "Ce dossier a été fusionné avec un autre : rédigez le compte rendu sur le dossier conservé.",
        "dossier fusionné",
    ),
    IdentityGap.ELSEWHERE: (
        "Ce patient est identifié par un établissement qui ne partage pas ses identités avec ce site : "
        "enregistrez-le d’abord sur ce site.",
        "identité d’un autre établissement",
    ),
}


def invalid(field: str, code: str) -> ProblemError:
    """422 about one field."""
    return ProblemError.invalid(FieldProblem(field, FIELD_RULES[code]))


def patient_refused(gap: IdentityGap) -> ProblemError:
    """Why no report is written about that patient here: 403 for one of another group, 422 otherwise.

    Who does not work for that group is told UNKNOWN: nobody learns here whom others know.
    """
    detail, rule = _PATIENT[gap]
    status = 403 if gap is IdentityGap.ELSEWHERE else 422
    return ProblemError(status, gap.value.replace("_", "-"), detail, errors=(FieldProblem("patient_id", rule),))
