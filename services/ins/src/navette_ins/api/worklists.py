"""Worklists of a site: every item says what to do next."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from fastapi import APIRouter
from navette_chassis import Service, UnitOfWork
from navette_chassis.http import ApiModel

from navette_ins.api.acts import transact
from navette_ins.api.rights import Reader
from navette_ins.domain.worklists import NextStep, Worklist
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.list_work import Item, list_work

STEPS: Final = {
    NextStep.HOLD_DOCUMENT_THEN_SEARCH: "Contrôler une pièce d’identité à haut niveau de confiance, puis rechercher "
    "l’INS dans INSi.",
    NextStep.HOLD_DOCUMENT: "Contrôler une pièce d’identité à haut niveau de confiance.",
    NextStep.VALIDATE: "Pièce d’identité présentée : faire valider l’identité par une personne habilitée.",
    NextStep.SEARCH_INS: "Rechercher l’INS dans INSi, par carte Vitale ou par traits.",
    NextStep.WAIT_FOR_INSI: "Recherche en cours : attendre la réponse d’INSi.",
    NextStep.LIFT_DOUBT: "Vérifier l’identité avec la personne et la cellule d’identitovigilance, puis lever "
    "l’attribut.",
    NextStep.NO_INS_POSSIBLE: "Identité validée : aucune INS n’est possible avec ces traits (date complétée ou sexe "
    "indéterminé). Rien à faire.",
    NextStep.ADD_GIVEN_NAMES_OR_PLACE: "Plusieurs personnes possibles : compléter les prénoms ou le lieu de naissance "
    "d’après le document, puis relancer la recherche.",
    NextStep.COMPARE_AND_DECIDE: "Comparer la réponse d’INSi avec le dossier et le document, puis accepter ou refuser.",
    NextStep.CHECK_BIRTH_NAME: "INSi ne trouve personne : vérifier sur le document le nom de naissance (avant "
    "mariage), les prénoms, la date et le sexe.",
    NextStep.SEARCH_LATER: "Nouveau-né pas encore immatriculé : rien à corriger, relancer la recherche à une prochaine "
    "venue.",
    NextStep.LOOK_AND_DECIDE: "Comparer les deux dossiers : même personne (confirmer, puis fusionner) ou non "
    "(écarter).",
    NextStep.MERGE: "Doublon confirmé : fusionner les deux dossiers en gardant l’IPP du dossier conservé.",
    NextStep.LOOK_AT_COLLISION: "Un dossier contient peut-être deux personnes : relire ses venues et ses documents, "
    "puis confirmer ou écarter.",
    NextStep.LOOK_AT_HOMONYM: "Deux personnes se ressemblent : confirmer l’homonymie pour alerter l’accueil, ou "
    "écarter.",
    NextStep.CONFIRM_KO: "INSi ne confirme plus cette INS : confirmer pour la retirer, ou écarter si la cause est "
    "connue.",
    NextStep.ASK_THE_SENDER: "Un autre établissement a envoyé une INS qu’INSi ne confirme pas ; elle n’a pas été "
    "reprise. Contrôler l’identité d’après un document, prévenir l’émetteur, puis clore le cas.",
}


class WorkItem(ApiModel):
    """One thing to do, about one record of the site."""

    patient_id: str
    status: str
    birth_name: str
    first_birth_given_name: str
    birth_date: str
    sex: str
    since: datetime
    next_step: str
    """What to do now, in French."""
    step: str
    """The same as a word for programs."""
    venue_id: str | None
    call_id: str | None
    case_id: str | None
    case_code: str | None
    """Code of the case in PAM France (DPOT, DOUA, COLP, HOMD)."""
    other_patient_ids: list[str]


class WorklistAnswer(ApiModel):
    """One list of one site."""

    worklist: Worklist
    site_id: str
    items: list[WorkItem]


def worklist_routes(service: Service, desk: Desk) -> APIRouter:
    """The lists."""
    router = APIRouter(prefix="/sites", tags=["worklists"])

    @router.get("/{site_id}/worklists/{worklist}")
    async def read_worklist(caller: Reader, site_id: str, worklist: Worklist) -> WorklistAnswer:
        """The items of a list, oldest first."""
        caller.require_site(site_id)
        items = await list_work(service, desk, worklist, site_id)

        async def trace(uow: UnitOfWork) -> None:
            for one in items:
                await uow.record_access(
                    caller.subject, "identity.listed", "patient", one.identity.patient_id, site_id, "granted"
                )

        await transact(service, trace)
        return WorklistAnswer(worklist=worklist, site_id=site_id, items=[_item(one) for one in items])

    return router


def _item(item: Item) -> WorkItem:
    traits = item.identity.traits
    return WorkItem(
        patient_id=item.identity.patient_id,
        status=item.identity.status.value,
        birth_name=traits.birth_name,
        first_birth_given_name=traits.first_birth_given_name,
        birth_date=traits.birth_date,
        sex=traits.sex,
        since=item.since,
        next_step=STEPS[item.step],
        step=item.step.value,
        venue_id=item.venue_id,
        call_id=item.call_id,
        case_id=None if item.case is None else item.case.case_id,
        case_code=None if item.case is None else item.case.pam_code,
        other_patient_ids=list(item.others),
    )
