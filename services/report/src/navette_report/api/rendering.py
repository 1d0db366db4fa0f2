"""What all pages share: templates, words, and headers that keep a page from loading or telling anything elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from navette_chassis import Service
from navette_documents.sites import share_identities

from navette_report.adapters.patients import KnownPatient
from navette_report.api import act_words, french, french_findings
from navette_report.domain.identity import is_minor
from navette_report.domain.ins_datamatrix import NATURE
from navette_report.domain.journey import FAILURES, LineState
from navette_report.use_cases.compose_report import Desk
from navette_report.use_cases.read_reports import Followed, patients_of

FORM_PROOF_HEADER = "x-navette-form-token"
"""The gateway says with it what the forms of a page must carry (docs/adr/0012)."""
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_MARKS = {
    LineState.WAITING: "◷",
    LineState.SCHEDULED: "→",
    LineState.SENT: "↗",
    LineState.DELIVERED: "✓",
    LineState.READ: "✓✓",
    LineState.REFUSED: "✕",
    LineState.FAILED: "!",
    LineState.CANCELLED: "–",
}
_STEPS = (LineState.SCHEDULED, LineState.SENT, LineState.DELIVERED, LineState.READ)


@dataclass(frozen=True, slots=True)
class PatientView:
    """A patient as a page names them."""

    name: str
    birth: str = ""
    qualified: bool = False
    nature: str = ""
    minor: bool = False


class Renderer:
    """Renders the templates of this service."""

    def __init__(self, service: Service, desk: Desk) -> None:
        self._service = service
        self._desk = desk
        self._environment = Environment(
            loader=PackageLoader("navette_report.api"), autoescape=True, undefined=StrictUndefined
        )
        self._environment.globals.update(
            fr=french,
            finding=french_findings.finding,
            words=act_words,
            marks=_MARKS,
            steps=_STEPS,
            failures=FAILURES,
            LineState=LineState,
            zone=desk.zone,
            keeps_documents=desk.keeps_documents,
        )

    def page(self, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
        """One page."""
        html = self._environment.get_template(template).render(**values)
        return HTMLResponse(html, status, headers=HEADERS)

    async def patients(self, found: list[Followed]) -> dict[str, PatientView]:
        """Who each report is about, by report id. A page names nobody of another identity domain."""
        ids = {one.report.patient_id for one in found}
        known = await patients_of(self._service.database, ids, self._desk.keyring)
        return {one.report.report_id: self._view(known.get(one.report.patient_id), one.report.site_id) for one in found}

    async def patient(self, patient_id: str, site_id: str) -> PatientView:
        """One patient, as a page of that site names them."""
        known = await patients_of(self._service.database, {patient_id}, self._desk.keyring)
        return self._view(known.get(patient_id), site_id)

    def _view(self, known: KnownPatient | None, site_id: str) -> PatientView:
        if known is None or known.identity is None:
            return PatientView("Identité pas encore reçue")
        identity = known.identity
        if not share_identities(self._desk.sites, identity.site_id, site_id):
            return PatientView("Patient d’un autre établissement")
        traits = identity.traits
        today = self._service.clock.now().astimezone(self._desk.zone).date()
        return PatientView(
            name=f"{traits.birth_name} {traits.first_birth_given_name}",
            birth=french.day(traits.birth_date),
            qualified=identity.qualified,
            nature=NATURE.get(identity.ins.oid, "INS") if identity.qualified and identity.ins else "",
            minor=is_minor(traits.birth_date, today),
        )
