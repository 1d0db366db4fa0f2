"""Routes of the prior search and of the datamatrix INS. Criteria travel in bodies: no identity is ever in a URL."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Literal, Self

from fastapi import APIRouter, Query, Response
from navette_chassis import Service
from navette_chassis.http import ApiModel
from navette_documents.identifiers.nir import INS_DEMO, INS_NIA, INS_NIR, INS_TEST
from pydantic import Field

from navette_ins.adapters import datamatrix_image
from navette_ins.api import french
from navette_ins.api.acts import change, transact
from navette_ins.api.rights import Caller, InsReader, Reader
from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.identity import Identity
from navette_ins.domain.prior_search import PriorSearch, prior_search
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.read_ins_datamatrix import Scanned, read_ins_datamatrix
from navette_ins.use_cases.search_patients import SHOWN, Found, search_patients
from navette_ins.use_cases.show_ins_datamatrix import show_ins_datamatrix

_NATURES = {INS_NIR: "NIR", INS_NIA: "NIA", INS_TEST: "TEST", INS_DEMO: "DEMO"}
_Letters = Annotated[str, Field(min_length=1, max_length=100)]
_MUST_VERIFY = (
    "Une INS lue dans un code ne prouve rien : la faire vérifier par INSi avant tout usage, et contrôler l’identité "
    "d’après un document."
)


class SearchPatients(ApiModel):
    """One criterion: a birth date (with first letters if wished), a matricule of 15 characters, or an IPP."""

    birth_date: Annotated[str, Field(max_length=10)] | None = None
    """YYYY-MM-DD, as recorded or as on the document (1968-00-00)."""
    name: _Letters | None = None
    """First letters of the birth name or of the used name; accents, hyphens and apostrophes do not count."""
    given_name: _Letters | None = None
    """First letters of any birth given name or of the used given name."""
    matricule: Annotated[str, Field(max_length=32)] | None = None
    local_id: Annotated[str, Field(max_length=64)] | None = None

    def question(self) -> PriorSearch:
        """The question. Raises the 422 problem."""
        try:
            return prior_search(**self.model_dump())
        except RuleBroken as broken:
            raise french.invalid([broken]) from None


class FoundPatient(ApiModel):
    """What tells people apart; never a matricule."""

    patient_id: str
    site_id: str
    status: str
    attributes: list[str]
    birth_name: str
    first_birth_given_name: str
    birth_given_names: str
    used_name: str | None
    used_given_name: str | None
    birth_date: str
    sex: Literal["M", "F", "I"]
    birth_place_code: str
    local_id: str | None

    @classmethod
    def of(cls, identity: Identity) -> Self:
        """The line of an identity."""
        traits = identity.traits.model_dump(include=set(cls.model_fields))
        return cls.model_validate(
            traits
            | {"patient_id": identity.patient_id, "site_id": identity.site_id}
            | {"status": identity.status.value, "attributes": sorted(identity.attributes)}
        )


class SearchResult(ApiModel):
    """Answers in the order of birth names, and what to do next."""

    search_id: str
    count: int
    more: bool
    next_step: str
    patients: list[FoundPatient]

    @classmethod
    def of(cls, found: Found) -> Self:
        """The answer of a search."""
        return cls(
            search_id=found.search_id,
            count=len(found.identities),
            more=found.more,
            next_step=_next_step(found),
            patients=[FoundPatient.of(one) for one in found.identities],
        )


class ScannedCode(ApiModel):
    """The text a scanner read, separators (ASCII 29) included."""

    payload: Annotated[str, Field(min_length=1, max_length=400)]


class ScannedAnswer(ApiModel):
    """What a code says; nothing of it may be used before it is verified."""

    matricule: str
    oid: str
    nature: str
    birth_name: str
    birth_given_names: str
    first_birth_given_name: str
    """The first of the list; to be cut otherwise if the document says so."""
    birth_date: str
    birth_date_exists: bool
    sex: str
    birth_place_code: str | None
    verification_required: Literal[True] = True
    next_step: str
    known: SearchResult

    @classmethod
    def of(cls, scanned: Scanned) -> Self:
        """The answer for a code."""
        code = scanned.code
        return cls(
            matricule=code.matricule,
            oid=code.oid,
            nature=_NATURES[code.oid],
            birth_name=code.birth_name,
            birth_given_names=code.birth_given_names,
            first_birth_given_name=code.birth_given_names.split(" ")[0],
            birth_date=code.birth_date,
            birth_date_exists=code.birth_date_exists,
            sex=code.sex,
            birth_place_code=code.birth_place_code,
            next_step=_MUST_VERIFY,
            known=SearchResult.of(scanned.known),
        )


def prior_search_routes(service: Service, desk: Desk) -> APIRouter:
    """Search for records by birth date, matricule or IPP."""
    router = APIRouter(prefix="/patients", tags=["patients"])

    @router.post("/search")
    async def search_patients_known(caller: Reader, body: SearchPatients) -> SearchResult:
        found: Found = await transact(
            service, search_patients, desk, search=body.question(), sites=_sites(caller), by=caller.subject
        )
        return SearchResult.of(found)

    return router


def datamatrix_routes(service: Service, desk: Desk) -> APIRouter:
    """The datamatrix INS: the image of a qualified identity, and the content of a scanned one."""
    router = APIRouter(tags=["datamatrix"])
    images = {"svg": ("image/svg+xml", datamatrix_image.svg), "png": ("image/png", datamatrix_image.png)}

    @router.get(
        "/patients/{patient_id}/ins-datamatrix",
        response_class=Response,
        responses={200: {"content": {kind: {} for kind, _ in images.values()}}},
    )
    async def show_datamatrix(
        caller: InsReader, patient_id: str, image: Annotated[Literal["svg", "png"], Query(alias="format")] = "svg"
    ) -> Response:
        payload: str = await change(service, desk, caller, patient_id, show_ins_datamatrix)
        kind, draw = images[image]
        # The image says who the patient is: no proxy and no browser keeps it.
        return Response(draw(payload), media_type=kind, headers={"Cache-Control": "no-store"})

    @router.post("/ins-datamatrix/read")
    async def read_datamatrix(caller: InsReader, body: ScannedCode) -> ScannedAnswer:
        scanned: Scanned = await transact(
            service,
            read_ins_datamatrix,
            desk,
            payload=body.payload,
            production=service.settings.environment == "production",
            sites=_sites(caller),
            by=caller.subject,
        )
        return ScannedAnswer.of(scanned)

    return router


def _sites(caller: Caller) -> Collection[str]:
    """The sites whose records the caller may see here."""
    return caller.sites


def _next_step(found: Found) -> str:
    if found.more:
        return f"Plus de {SHOWN} dossiers : ajouter les premières lettres du nom ou du prénom."
    if not found.identities:
        return "Aucun dossier : vérifier la date et le nom de naissance, essayer le nom utilisé, puis créer l’identité."
    if len(found.identities) == 1:
        return "Un dossier : comparer ses traits avec le document avant de l’ouvrir."
    return "Plusieurs dossiers : comparer prénoms, sexe et lieu de naissance ; ne pas créer de doublon."
