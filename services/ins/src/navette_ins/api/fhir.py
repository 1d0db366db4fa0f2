"""An identity for systems that speak FHIR (spec/ins.md §8.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from navette_chassis import Service, UnitOfWork
from navette_documents.sites import Site

from navette_ins.api.acts import transact, visible
from navette_ins.api.rights import Reader
from navette_ins.domain.fhir import Version, patient_resource
from navette_ins.domain.rights import Right
from navette_ins.use_cases.desk import Desk

MEDIA_TYPE = "application/fhir+json"


def fhir_routes(service: Service, desk: Desk, sites: Mapping[str, Site]) -> APIRouter:
    """One resource, in the version of FR Core that the other side knows."""
    router = APIRouter(prefix="/patients", tags=["fhir"])

    @router.get(
        "/{patient_id}/fhir",
        response_class=JSONResponse,
        responses={200: {"content": {MEDIA_TYPE: {"schema": {"type": "object", "additionalProperties": True}}}}},
    )
    async def read_identity_as_fhir(
        caller: Reader, patient_id: str, version: Annotated[Version, Query()] = "2.1"
    ) -> JSONResponse:
        """A Patient of FR Core; the INS of a qualified identity, for whoever may see it."""

        async def work(uow: UnitOfWork) -> dict[str, Any]:
            identity = visible(await desk.identities(uow).get(patient_id), caller)
            sees = caller.also(Right.SEE_INS).may_act_for(identity.site_id)
            site = sites.get(identity.site_id)
            system = f"urn:oid:{site.ipp_oid}" if site is not None else f"urn:navette:ipp:{identity.site_id}"
            action = "ins.read" if sees and identity.recovery is not None else "identity.read"
            await uow.record_access(caller.subject, action, "patient", patient_id, identity.site_id, "granted")
            return patient_resource(identity, version, ipp_system=system, sees_ins=sees)

        return JSONResponse(await transact(service, work), media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})

    return router
