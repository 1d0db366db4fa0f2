"""Routes of the two facts: documents held, validation, withdrawal, INS removed, INSi's answer beside the record."""

from __future__ import annotations

from fastapi import APIRouter
from navette_chassis import Service, UnitOfWork
from navette_chassis.problem import ProblemError

from navette_ins.adapters.searches import find_search
from navette_ins.api.act_schemas import Because, ComparedTrait, ComparisonAnswer, ProofAnswer, ProofsAnswer
from navette_ins.api.acts import change, transact, visible
from navette_ins.api.patients import answer
from navette_ins.api.rights import InsiCaller, Qualifier, Reader, Supervisor
from navette_ins.api.schemas import NewCheck, PatientAnswer, nature_of
from navette_ins.domain.comparison import DECISIVE, compare
from navette_ins.domain.insi.reply import Individual
from navette_ins.domain.matricule_display import masked
from navette_ins.domain.search import Search
from navette_ins.domain.traits import Traits
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.record_identity_check import record_identity_check, validate_identity, withdraw_check
from navette_ins.use_cases.remove_ins import remove_ins
from navette_ins.use_cases.settle_insi_search import individual_in

LABELS = {
    "birth_name": "Nom de naissance",
    "first_birth_given_name": "Premier prénom de naissance",
    "birth_given_names": "Prénoms de naissance",
    "birth_date": "Date de naissance",
    "sex": "Sexe",
    "birth_place_code": "Lieu de naissance (COG)",
}


def fact_routes(service: Service, desk: Desk) -> APIRouter:
    """Documents held, validation, withdrawal, removal of an INS."""
    router = APIRouter(prefix="/patients", tags=["facts"])

    @router.post("/{patient_id}/identity-checks")
    async def record_check(caller: Qualifier, patient_id: str, body: NewCheck) -> PatientAnswer:
        """A document was held. One of high trust validates by itself, unless the site validates in a second act."""
        changed = await change(
            service,
            desk,
            caller,
            patient_id,
            record_identity_check,
            document_kind=body.document_kind,
            expires_on=body.document_expires_on,
        )
        return answer(caller, changed)

    @router.post("/{patient_id}/validation")
    async def validate_by_hand(caller: Qualifier, patient_id: str) -> PatientAnswer:
        """Validate on the high-trust document last shown."""
        return answer(caller, await change(service, desk, caller, patient_id, validate_identity))

    @router.post("/{patient_id}/check-withdrawal")
    async def withdraw_identity_check(caller: Qualifier, patient_id: str, body: Because) -> PatientAnswer:
        """The check was of a wrong document: the fact is gone."""
        changed = await change(service, desk, caller, patient_id, withdraw_check, reason=body.reason)
        return answer(caller, changed)

    @router.post("/{patient_id}/ins-removal")
    async def remove_wrong_ins(caller: Supervisor, patient_id: str, body: Because) -> PatientAnswer:
        """The INS is another person's: it goes, its history with it, and every system that got it is told."""
        return answer(caller, await change(service, desk, caller, patient_id, remove_ins, reason=body.reason))

    return router


def proof_routes(desk: Desk) -> APIRouter:
    """Documents as a site takes them."""
    router = APIRouter(prefix="/sites", tags=["facts"])

    @router.get("/{site_id}/proofs")
    async def list_proofs(caller: Reader, site_id: str) -> ProofsAnswer:
        """Kinds of document and their confidence."""
        caller.require_site(site_id)
        proofs = [
            ProofAnswer(code=one.code, label=one.label, confidence="high" if one.high_trust else "low")
            for one in desk.policy.proofs(site_id).values()
        ]
        return ProofsAnswer(proofs=proofs, automatic_validation=desk.policy.automatic_validation(site_id))

    return router


def comparison_routes(service: Service, desk: Desk) -> APIRouter:
    """INSi's answer beside the record."""
    router = APIRouter(prefix="/patients", tags=["insi"])

    @router.get("/{patient_id}/insi-calls/{call_id}/comparison")
    async def compare_insi_answer(caller: InsiCaller, patient_id: str, call_id: str) -> ComparisonAnswer:
        """Each trait on both sides, what differs, and who decided."""
        search = await find_search(service.database, call_id)
        if search is None or search.patient_id != patient_id:
            raise ProblemError.not_found()

        async def work(uow: UnitOfWork) -> tuple[Traits, Individual] | None:
            identity = visible(await desk.identities(uow).get(patient_id), caller)
            await uow.record_access(caller.subject, "insi.compare", "patient", patient_id, identity.site_id, "granted")
            exchange = await desk.exchanges.last(uow, call_id)
            found = None if exchange is None else individual_in(exchange.reply, by_app=search.by_app)
            return None if exchange is None or found is None else (exchange.traits, found)

        sides = await transact(service, work)
        if sides is None:
            raise ProblemError.not_found("INSi n’a trouvé personne : il n’y a rien à comparer.")
        return _side_by_side(search, *sides)

    return router


def _side_by_side(search: Search, local: Traits, found: Individual) -> ComparisonAnswer:
    said = compare(local, found)
    first = found.given_names.split(" ")[0]
    theirs = {
        "birth_name": found.birth_name,
        "first_birth_given_name": first,
        "birth_given_names": found.given_names,
        "birth_date": found.birth_date,
        "sex": found.sex,
        "birth_place_code": found.birth_place_code,
    }
    return ComparisonAnswer(
        call_id=search.search_id,
        state=search.state.value,
        traits=[
            ComparedTrait(
                field=field,
                label=label,
                local=getattr(local, field),
                insi=theirs[field] or None,
                differs=field in said.differences,
                decisive=field in DECISIVE,
            )
            for field, label in LABELS.items()
        ],
        masked_matricule=masked(found.matricule),
        nature=nature_of(found.oid),
        former_numbers=len(found.history),
        matricule_suspect=said.matricule_suspect,
        unusable=said.unusable,
        decided_by=search.decided_by,
        decided_at=search.decided_at,
    )
