"""REST API of identities (through the gateway of psc-auth): record, read, correct, mark, history, venues."""

from __future__ import annotations

from fastapi import APIRouter, Response, status
from navette_chassis import Service, UnitOfWork
from navette_chassis.problem import ProblemError

from navette_ins.adapters.history import HISTORY, Values, lines_of, values_at
from navette_ins.adapters.venues import Venue
from navette_ins.api import french
from navette_ins.api.act_schemas import (
    ChangeValues,
    EditTraits,
    FieldValues,
    NewArrival,
    NewAttribute,
    VenueAnswer,
)
from navette_ins.api.acts import change, transact, visible
from navette_ins.api.rights import Caller, Editor, Reader, Supervisor
from navette_ins.api.schemas import HistoryAnswer, NewPatient, PatientAnswer
from navette_ins.domain.cautions import Caution
from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.identity import UNTRUSTED, Identity
from navette_ins.domain.rights import Right
from navette_ins.use_cases.create_patient import create_patient
from navette_ins.use_cases.describe_identity import describe_identity
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.edit_traits import edit_traits
from navette_ins.use_cases.mark_identity import mark_identity
from navette_ins.use_cases.receive_patient import dismiss_patient, receive_patient


def answer(caller: Caller, identity: Identity, cautions: tuple[Caution, ...] = ()) -> PatientAnswer:
    """An identity as this caller may see it."""
    sees = caller.also(Right.SEE_INS).may_act_for(identity.site_id)
    return PatientAnswer.of(identity, sees_ins=sees, cautions=cautions)


def patient_routes(service: Service, desk: Desk, sites: frozenset[str]) -> APIRouter:
    """Record, read, correct, mark."""
    router = APIRouter(prefix="/patients", tags=["patients"])

    @router.post("", status_code=status.HTTP_201_CREATED)
    async def create_identity(caller: Editor, body: NewPatient, response: Response) -> PatientAnswer:
        """Record a person as the document says; the status is provisoire."""
        caller.require_site(body.site_id)
        if sites and body.site_id not in sites:
            raise french.invalid([RuleBroken("site_id", "unknown_site")])

        async def work(uow: UnitOfWork) -> PatientAnswer:
            created = await create_patient(uow, desk, site_id=body.site_id, traits=body.traits(), by=caller.subject)
            return answer(caller, created, await describe_identity(uow, desk, created))

        created = await transact(service, work)
        response.headers["Location"] = f"/patients/{created.patient_id}"
        return created

    @router.get("/{patient_id}")
    async def read_identity(caller: Reader, patient_id: str) -> PatientAnswer:
        """Traits, status, warnings, and the INS of a qualified identity for whoever may see it."""

        async def work(uow: UnitOfWork) -> PatientAnswer:
            identity = visible(await desk.identities(uow).get(patient_id), caller)
            shown = answer(caller, identity, await describe_identity(uow, desk, identity))
            action = "identity.read" if identity.recovery is None or shown.ins_hidden else "ins.read"
            await uow.record_access(caller.subject, action, "patient", patient_id, identity.site_id, "granted")
            return shown

        return await transact(service, work)

    @router.patch("/{patient_id}/traits")
    async def edit_identity(caller: Editor, patient_id: str, body: EditTraits) -> PatientAnswer:
        """Correct traits. Locked ones are for a super-user, and cost the INS: `confirm` says it is wanted."""
        changed = await change(
            service,
            desk,
            caller,
            patient_id,
            edit_traits,
            changes=body.changes(),
            check_holds=body.check_still_holds,
            confirmed=body.confirm,
            unlock=caller.also(Right.SUPERVISE).require_site,
            reason=body.reason,
        )
        return answer(caller, changed)

    @router.post("/{patient_id}/attributes")
    async def mark_attribute(caller: Editor, patient_id: str, body: NewAttribute) -> PatientAnswer:
        """Give an attribute, or take it away. Lifting a doubt is for the cellule d'identitovigilance."""
        if not body.present and body.attribute in UNTRUSTED:
            caller = caller.also(Right.SUPERVISE)
        changed = await change(
            service, desk, caller, patient_id, mark_identity, attribute=body.attribute, present=body.present
        )
        return answer(caller, changed)

    return router


def venue_routes(service: Service, desk: Desk) -> APIRouter:
    """Who is at the reception."""
    router = APIRouter(prefix="/patients", tags=["venues"])

    @router.post("/{patient_id}/venues", status_code=status.HTTP_201_CREATED)
    async def open_venue(caller: Editor, patient_id: str, body: NewArrival) -> VenueAnswer:
        """The person is at the reception: what the identity lacks appears in the worklists of the site."""
        venue: Venue = await change(service, desk, caller, patient_id, receive_patient, venue_id=body.venue_id)
        return VenueAnswer.model_validate(venue.model_dump())

    @router.post("/{patient_id}/venues/{venue_id}/close")
    async def close_venue(caller: Editor, patient_id: str, venue_id: str) -> VenueAnswer:
        """The person has left: the tasks of this venue disappear."""
        venue: Venue | None = await change(service, desk, caller, patient_id, dismiss_patient, venue_id=venue_id)
        if venue is None:
            raise ProblemError.not_found()
        return VenueAnswer.model_validate(venue.model_dump())

    return router


def history_routes(service: Service, desk: Desk) -> APIRouter:
    """What happened to a record; the values are for those who must judge them."""
    router = APIRouter(prefix="/patients", tags=["history"])

    @router.get("/{patient_id}/history")
    async def read_history(caller: Reader, patient_id: str) -> HistoryAnswer:
        """Every change, oldest first: who, when, from which status to which. No values."""

        async def work(uow: UnitOfWork) -> None:
            identity = visible(await desk.identities(uow).get(patient_id), caller)
            await uow.record_access(caller.subject, "history.read", "patient", patient_id, identity.site_id, "granted")

        await transact(service, work)
        return HistoryAnswer(changes=await lines_of(service.database, patient_id))

    @router.get("/{patient_id}/history/{revision}")
    async def read_history_values(caller: Supervisor, patient_id: str, revision: int) -> ChangeValues:
        """What one change replaced and what it wrote, matricule included."""

        async def work(uow: UnitOfWork) -> Values | None:
            identity = visible(await desk.identities(uow).get(patient_id), caller)
            await uow.record_access(
                caller.subject, "history.values", "patient", patient_id, identity.site_id, "granted"
            )
            return await values_at(uow.collection(HISTORY), patient_id, revision, desk.keyring())

        values = await transact(service, work)
        if values is None:
            raise ProblemError.not_found()
        return _values(values)

    return router


_FACTS = ("attributes", "recovery", "check", "proof", "former_ins", "merged_into")


def _values(values: Values) -> ChangeValues:
    before, after = values.before, values.after
    old = {} if before is None else _flat(before)
    new = _flat(after)
    return ChangeValues(
        revision=values.change.revision,
        action=values.change.action,
        by=values.change.by,
        at=values.change.at,
        reason=values.reason,
        fields=[
            FieldValues(field=name, before=old.get(name), after=value)
            for name, value in new.items()
            if old.get(name) != value
        ],
    )


def _flat(identity: Identity) -> dict[str, object]:
    facts = identity.model_dump(mode="json", include=set(_FACTS))
    facts["attributes"] = sorted(identity.attributes)
    return identity.traits.model_dump() | {"status": identity.status.value} | facts
