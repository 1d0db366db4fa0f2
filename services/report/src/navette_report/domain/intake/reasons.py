"""Why a received report waits, and who must act: what secretaries and operators read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final

from navette_contracts.events import WhoMustAct

_S, _R, _A, _O = WhoMustAct.SECRETARY, WhoMustAct.RADIOLOGIST, WhoMustAct.ADMINISTRATOR, WhoMustAct.OPERATOR

REASONS: Final[Mapping[str, tuple[WhoMustAct, str]]] = MappingProxyType(
    {
        # The patient
        "no_usable_identifier": (
            _S,
            "Le message ne porte ni IPP de l’établissement ni INS validée : rapprochement impossible.",
        ),
        "patient_unknown": (
            _S,
            "Aucun patient connu ne porte cet identifiant : enregistrer le patient, le message repartira seul.",
        ),
        "patient_ambiguous": (_S, "Plusieurs dossiers portent cet identifiant : résoudre le doublon, puis rejouer."),
        "identifiers_disagree": (_S, "L’IPP et l’INS du message désignent deux personnes différentes."),
        "local_id_differs": (_S, "La personne de cette INS a ici un autre IPP : vérifier l’identité."),
        "ins_differs": (_S, "L’INS du message n’est pas celle du dossier : vérifier l’identité."),
        "traits_missing": (_S, "Nom de naissance, prénom ou date de naissance absents du message."),
        "traits_differ": (
            _S,
            "Les traits du message et du dossier diffèrent : corriger celui qui est faux, puis rejouer.",
        ),
        "cda_patient_differs": (_S, "Le document CDA contenu n’est pas celui du patient du message."),
        "original_of_another_patient": (_S, "Le compte rendu d’origine est celui d’un autre patient."),
        # The examination
        "accession_missing": (
            _S,
            "Numéro d’examen absent du message : rejouer en désignant le brouillon de l’examen.",
        ),
        "exam_date_missing": (
            _S,
            "Date d’examen absente ou impossible : créer le brouillon de l’examen, puis rejouer.",
        ),
        "study_uid_missing": (
            _S,
            "Identifiant d’étude (Study Instance UID) absent : créer le brouillon de l’examen, puis rejouer.",
        ),
        "exam_not_mapped": (
            _A,
            "Code d’examen inconnu : l’ajouter à la table de l’émetteur, ou créer le brouillon, puis rejouer.",
        ),
        "order_of_another_patient": (_S, "Ce numéro d’examen est celui d’un autre patient."),
        "order_disagrees": (_S, "Les numéros d’examen et de demande ne désignent pas le même examen."),
        "exam_ambiguous": (_S, "Plusieurs comptes rendus portent ce numéro : rejouer en désignant le bon."),
        "exam_already_reported": (_R, "Un compte rendu est déjà écrit pour cet examen : choisir, puis classer."),
        "not_this_draft": (_S, "Le brouillon désigné n’est pas vide, ou n’est plus un brouillon."),
        # The author, the content
        "author_missing": (_A, "Le message ne nomme pas le radiologue auteur."),
        "author_unknown": (
            _A,
            "Le radiologue auteur n’a pas de RPPS valide dans le message : l’ajouter à la table de l’émetteur.",
        ),
        "document_id_missing": (_O, "Le message ne porte pas d’identifiant de document (OBR-3 ou TXA-12)."),
        "body_missing": (_O, "Le message ne contient ni texte ni document."),
        "several_exams": (
            _S,
            "Le message porte les résultats de plusieurs examens : demander à l’émetteur un message par examen.",
        ),
        "text_too_long": (_O, "Le texte est trop long pour un compte rendu : l’émetteur doit le vérifier."),
        "body_by_reference": (
            _S,
            "Le compte rendu n’est donné que par une adresse, qui n’est jamais ouverte : le demander à l’émetteur.",
        ),
        "document_unreadable": (_O, "Le document contenu n’est pas lisible : l’émetteur doit le renvoyer."),
        "document_too_complex": (
            _O,
            "Le document contenu (CDA ou RTF) a trop d’éléments ou de niveaux : l’émetteur doit le vérifier.",
        ),
        "content_not_acceptable": (_S, "Un champ ne peut pas être repris tel quel : voir les champs nommés."),
        "masked_from_professionals": (
            _S,
            "Document d’un correspondant masqué aux professionnels : le signaler à l’émetteur, puis mettre de côté.",
        ),
        # The life of the report
        "changed_without_correction": (
            _R,
            "Un autre contenu arrive sous un identifiant déjà reçu, sans se dire correction : comparer, puis classer.",
        ),
        "original_unknown": (_R, "La correction ou l’annulation vise un document jamais reçu."),
        "not_the_last_version": (_R, "La correction ne vise pas la dernière version reçue."),
        "earlier_waiting": (_S, "Un message antérieur sur le même compte rendu attend : le traiter d’abord."),
        "draft_written_here": (_R, "Le brouillon a été repris ici : comparer les deux textes, puis classer."),
        "withdrawal_asked": (
            _R,
            "L’émetteur annule un compte rendu signé ici : le retirer s’il y a lieu, puis rejouer ou classer.",
        ),
        "sent_again_after_cancelling": (
            _R,
            "Ce compte rendu, annulé par l’émetteur, arrive de nouveau : reprendre le brouillon, ou classer.",
        ),
        "mask_after_signature": (
            _R,
            "L’émetteur demande de masquer ou de retenir un compte rendu signé sans cela : le retirer, ou classer.",
        ),
        "report_withdrawn": (_R, "Le compte rendu visé a été retiré."),
        # The machine
        "unexpected": (_O, "Le traitement a échoué : rejouer, ou prévenir le support."),
        # Refused at once: the sender must act
        "unknown_sender": (_O, "L’émetteur (MSH-3, MSH-4) n’est pas configuré : l’ajouter au fichier des émetteurs."),
        "wrong_certificate": (_O, "Le certificat présenté n’est pas celui de l’émetteur annoncé."),
        "control_id": (_O, "Le numéro du message (MSH-10) est absent."),
        "control_id_reused": (_O, "Un autre message porte déjà ce numéro (MSH-10) : l’émetteur doit en changer."),
        "message_type": (_O, "Seuls les messages ORU et MDM sont pris en charge."),
        "event": (_O, "Cet évènement n’est pas pris en charge (R01, T02, T04, T10)."),
        "not_production": (_O, "Un message de test (MSH-11) est refusé en production."),
        "segment_missing": (_O, "Un segment obligatoire manque."),
        "several_messages": (_O, "Plusieurs messages sont collés en un seul : l’émetteur doit les séparer."),
        "several_patients": (_O, "Le message concerne plusieurs patients (PID) : l’émetteur doit les séparer."),
        "several_documents": (_O, "Le message décrit plusieurs documents (TXA) : l’émetteur doit les séparer."),
        "no_msh": (_O, "Le message ne commence pas par un en-tête (MSH)."),
        "delimiters": (_O, "Les séparateurs du message (MSH-1, MSH-2) sont absents, répétés ou inutilisables."),
        "null_byte": (_O, "Le message contient des octets nuls."),
        "too_many_segments": (_O, "Le message a trop de segments."),
        "too_many_fields": (_O, "Un segment du message a trop de champs."),
        "too_many_parts": (_O, "Un champ du message a trop de répétitions ou de composants."),
        "framing_outside_frame": (_O, "Octets reçus en dehors de tout message : l’émetteur ne parle pas MLLP."),
        "framing_restarted": (_O, "Un message a commencé avant la fin du précédent, qui est incomplet."),
        "framing_end_without_cr": (_O, "La fin du message MLLP est incomplète (FS sans CR)."),
        "framing_empty": (_O, "Le message MLLP est vide."),
        "framing_truncated": (_O, "La connexion a été coupée au milieu du message."),
        "message_too_large": (_O, "Le message est trop volumineux."),
    }
)

REMARKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "requester_without_rpps": "Le demandeur n’a pas de RPPS valide : compléter les destinataires avant de signer.",
        "copy_without_rpps": "Un destinataire en copie n’a pas de RPPS valide : compléter avant de signer.",
        "requester_name_refused": "Nom du demandeur trop long ou non imprimable : compléter avant de signer.",
        "copy_name_refused": "Nom d’un destinataire en copie trop long ou non imprimable : compléter avant de signer.",
        "text_to_write": "Le document reçu est joint : résultats et conclusion restent à écrire.",
        "converted_from_rtf": "Texte converti du RTF : relire la mise en forme.",
        "original_unknown": "Se dit correction d’un document jamais reçu : c’est une première version ici.",
        "charset_mismatch": "Le jeu de caractères annoncé (MSH-18) n’est pas celui du message.",
        "preliminary": "Compte rendu provisoire de l’émetteur : ne peut être signé avant sa version définitive.",
        "cancelled_by_sender": "L’émetteur a annulé ce compte rendu : ne peut être signé en l’état.",
        "partly_taken": "Le texte ne reprend pas tout le message (valeur, code, commentaire, lien) : vérifier.",
        "mask_too_late": "À masquer ou retenir selon l’émetteur, mais déjà montré : retirer, ou lever ce choix.",
        "professionals_not_wanted": "L’émetteur ne veut pas d’envoi aux professionnels : vérifier les destinataires.",
        "second_document_ignored": "Le message contient plusieurs documents : seul le premier est repris.",
    }
)
NOTES: Final = frozenset({"charset_mismatch"})
"""Remarks that ask nothing of anybody."""
_COMPLETES: Final[Mapping[str, WhoMustAct]] = MappingProxyType(
    {
        "requester_without_rpps": _S,
        "copy_without_rpps": _S,
        "requester_name_refused": _S,
        "copy_name_refused": _S,
        "text_to_write": _R,
        "converted_from_rtf": _R,
        "original_unknown": _R,
        "cancelled_by_sender": _R,
        "partly_taken": _R,
        "mask_too_late": _R,
        "professionals_not_wanted": _S,
        "second_document_ignored": _R,
    }
)
"""Who completes a draft; one that is only preliminary waits for its sender."""
_TRAITS = {
    "birth_name": "Nom de naissance différent",
    "given_name": "Prénom différent",
    "birth_date": "Date de naissance différente",
    "sex": "Sexe différent",
    "birth_place_code": "Lieu de naissance différent",
}


def reason_label(code: str | None) -> str:
    """The sentence of a reason, empty for none."""
    if code is None:
        return ""
    return REASONS[code][1] if code in REASONS else "Contenu non conforme : l’émetteur doit le corriger."


def who_must_act(code: str | None) -> WhoMustAct:
    """Who can remove a reason."""
    if code is None:
        return WhoMustAct.NOBODY
    return REASONS[code][0] if code in REASONS else WhoMustAct.OPERATOR


def who_completes(remarks: Collection[str]) -> WhoMustAct:
    """Who must complete the draft a message became, before it is signed: first the secretary, then the radiologist."""
    asked = {_COMPLETES[one] for one in remarks if one in _COMPLETES}
    return next((one for one in (_S, _R) if one in asked), WhoMustAct.NOBODY)


def remark_label(code: str) -> str:
    """The sentence of a remark; a field that could not be taken over is named."""
    return REMARKS.get(code) or _TRAITS.get(code) or f"Champ à corriger : {code}"
