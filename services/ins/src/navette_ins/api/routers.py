"""Every route of the service under one guard, so that none can be served without a right of the table."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter
from fastapi.routing import APIRoute
from navette_chassis import Service
from navette_documents.sites import Site

from navette_ins.adapters.app_readings import AppReaders
from navette_ins.api.cases import case_routes, merge_routes
from navette_ins.api.errors import PROBLEMS
from navette_ins.api.facts import comparison_routes, fact_routes, proof_routes
from navette_ins.api.fhir import fhir_routes
from navette_ins.api.insi import insi_routes
from navette_ins.api.patients import history_routes, patient_routes, venue_routes
from navette_ins.api.prior_search import datamatrix_routes, prior_search_routes
from navette_ins.api.rights import guarded
from navette_ins.api.worklists import worklist_routes
from navette_ins.use_cases.desk import Desk


def api_router(
    service: Service, desk: Desk, sites: Mapping[str, Site], readers: AppReaders, *others: APIRouter
) -> APIRouter:
    """The REST API with the `others` that need more than a desk. An operation is named after its function."""
    whole = APIRouter(dependencies=[guarded(service, desk.policy)], responses=PROBLEMS)
    for router in (
        prior_search_routes(service, desk),
        patient_routes(service, desk, frozenset(sites)),
        venue_routes(service, desk),
        fact_routes(service, desk),
        insi_routes(service, desk, readers),
        comparison_routes(service, desk),
        history_routes(service, desk),
        datamatrix_routes(service, desk),
        fhir_routes(service, desk, sites),
        case_routes(service, desk),
        merge_routes(service, desk),
        proof_routes(desk),
        worklist_routes(service, desk),
        *others,
    ):
        whole.include_router(router, generate_unique_id_function=_operation)
    return whole


def _operation(route: APIRoute) -> str:
    return route.name
