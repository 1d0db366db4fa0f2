"""Verify an INS that came from elsewhere: a document, a mail, a datamatrix (RIS.INS.46, RIS.INS.48)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from navette_chassis import Service
from navette_chassis.http import ApiModel
from navette_chassis.problem import ProblemError
from navette_documents.errors import InvalidValue
from navette_documents.identifiers.nir import check_ins_oid, parse_matricule
from pydantic import Field

from navette_ins.adapters.verifier import VerificationNotConfigured, VerificationTrouble
from navette_ins.api import french
from navette_ins.api.rights import InsiCaller
from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.verification import Subject
from navette_ins.domain.wire_names import to_wire
from navette_ins.use_cases.verification_desk import VerificationDesk
from navette_ins.use_cases.verify_received import Received, verify_received

_WHAT = {
    Received.HELD: "Un dossier porte déjà cette INS avec ces traits : INSi n’a pas été rappelé.",
    Received.OK: "INS vérifiée : elle peut être utilisée, l’identité reste à qualifier ici.",
    Received.KO: "INS non confirmée : ne pas l’utiliser, ne pas classer les données reçues, prévenir la cellule.",
}


class ReceivedIns(ApiModel):
    """An INS with the traits that came with it: one is never shared without the other."""

    site_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$")]
    matricule: Annotated[str, Field(min_length=15, max_length=15)]
    oid: Annotated[str, Field(max_length=30)]
    birth_name: Annotated[str, Field(min_length=1, max_length=100)]
    birth_given_names: Annotated[str, Field(min_length=1, max_length=300)]
    sex: Annotated[str, Field(pattern=r"^[FM]$")]
    birth_date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    birth_place_code: Annotated[str, Field(pattern=r"^(?:\d{2}|2A|2B)\d{3}$")]

    def subject(self, *, production: bool) -> Subject:
        """What is verified. Raises RuleBroken."""
        try:
            matricule = parse_matricule(self.matricule)
            check_ins_oid(self.oid, production=production)
        except InvalidValue as invalid:
            raise RuleBroken(invalid.field, "format") from None
        return Subject(
            number=matricule.body,
            key=matricule.key,
            oid=self.oid,
            birth_name=to_wire(self.birth_name, "birth_name"),
            given_names=to_wire(self.birth_given_names, "given_name"),
            sex=self.sex,
            birth_date=self.birth_date,
            birth_place_code=self.birth_place_code,
        )


class ReceivedAnswer(ApiModel):
    """The word of INSi, and what to do with what came."""

    verdict: str
    """held, ok or ko."""
    what_to_do: str


def received_routes(service: Service, vdesk: VerificationDesk) -> APIRouter:
    """One route, for who looks at a document, a mail or a code."""
    router = APIRouter(tags=["verification"])

    @router.post("/received-ins/verification")
    async def verify_received_ins(caller: InsiCaller, body: ReceivedIns) -> ReceivedAnswer:
        caller.require_site(body.site_id)
        try:
            said = await verify_received(
                service,
                vdesk,
                subject=body.subject(production=service.settings.environment == "production"),
                site_id=body.site_id,
                by=caller.subject,
            )
        except RuleBroken as broken:
            raise french.invalid([broken]) from None
        except VerificationNotConfigured:
            raise not_configured() from None
        except VerificationTrouble:
            raise ProblemError(
                503, "verification-unavailable", "INSi n’a pas pu répondre : ne pas utiliser l’INS reçue, réessayer."
            ) from None
        return ReceivedAnswer(verdict=said.value, what_to_do=_WHAT[said])

    return router


def not_configured() -> ProblemError:
    """503 for an installation without verification."""
    return ProblemError(
        503, "verification-not-configured", "Vérification non configurée : cette installation n’a pas accès à WS_INS3."
    )
