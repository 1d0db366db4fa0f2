"""The self-test of the INSi certificates, for administrators."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self

from fastapi import APIRouter
from navette_chassis import Service
from navette_chassis.auth import Principal, require
from navette_chassis.http import ApiModel
from navette_chassis.problem import ProblemError

from navette_ins.adapters.insi_clients import InsiClients
from navette_ins.use_cases.check_certificates import CertificateReport, check_certificates
from navette_ins.use_cases.desk import Desk

_USES = {"manual": "appels faits par une personne", "unattended": "vérification automatique"}
_FAULTS = {
    "desir_550": "Numéro d’autorisation CNDA inconnu d’INSi : vérifier NAVETTE_INSI_IDAM_FILE.",
    "desir_560": "Droits insuffisants : le CN du certificat doit être INSI-MANU ou INSI-AUTO.",
    "desir_1020": "INSi est temporairement indisponible : recommencer plus tard.",
    "ConnectError": "Connexion impossible : adresse, pare-feu ou chaîne de certification IGC-Santé.",
    "ConnectTimeout": "INSi ne répond pas : adresse ou pare-feu.",
    "ReadTimeout": "INSi n’a pas répondu à temps.",
}


class CertificateAnswer(ApiModel):
    """One certificate, and what INSi answered to a call made with it."""

    use: str
    use_label: str
    common_name: str | None
    organisational_unit: str | None
    issuer: str | None
    not_before: datetime | None
    not_after: datetime | None
    days_left: int | None
    works: bool
    code: str
    message_id: str | None
    """wsa:MessageID of the test call, for the support."""
    verdict: str

    @classmethod
    def of(cls, report: CertificateReport, now: datetime) -> Self:
        """The answer for a report."""
        facts = report.facts
        if report.works:
            verdict = "Certificat accepté par INSi."
        else:
            verdict = _FAULTS.get(report.code, f"Appel refusé ou sans réponse (code {report.code}).")
        return cls(
            use=report.use,
            use_label=_USES[report.use],
            common_name=facts.common_name if facts else None,
            organisational_unit=facts.organisational_unit if facts else None,
            issuer=facts.issuer if facts else None,
            not_before=facts.not_before if facts else None,
            not_after=facts.not_after if facts else None,
            days_left=(facts.not_after - now).days if facts else None,
            works=report.works,
            code=report.code,
            message_id=report.message_id,
            verdict=verdict,
        )


class CertificatesAnswer(ApiModel):
    """The certificates of this installation."""

    certificates: list[CertificateAnswer]


def certificate_routes(
    service: Service, desk: Desk, clients: Callable[[], InsiClients], files: dict[str, Path]
) -> APIRouter:
    """One route: it makes a call, so it is a POST."""
    router = APIRouter(tags=["insi"])

    @router.post("/insi/certificate-test")
    async def test_insi_certificates(caller: Annotated[Principal, require("administrator")]) -> CertificatesAnswer:
        if desk.rules.needs_professional and caller.rpps is None:
            raise ProblemError.conflict(
                "professional-required", "Cet appel à INSi se fait au nom d’un professionnel connecté."
            )
        reports = await check_certificates(service, clients(), files, by=caller.subject, rpps=caller.rpps)
        now = service.clock.now()
        return CertificatesAnswer(certificates=[CertificateAnswer.of(one, now) for one in reports])

    return router
