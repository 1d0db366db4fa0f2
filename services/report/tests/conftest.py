"""Fictitious people and reports for the tests of this service."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from navette_contracts.events import IdentityAttribute, IdentityStatus, Ins, Traits
from navette_documents.identifiers import nir_key
from navette_documents.sites import Address, Site
from navette_report.domain.audience import audience
from navette_report.domain.choices import SignatureChoices
from navette_report.domain.content import ReportContent
from navette_report.domain.document import DocumentModel, document_model
from navette_report.domain.editions import plan_edition
from navette_report.domain.identity import PatientIdentity
from navette_report.domain.lifecycle import State
from navette_report.domain.report import Report, Signatory, Signature, Version, sign

PARIS = ZoneInfo("Europe/Paris")
SIGNED_AT = datetime(2026, 11, 20, 13, 32, tzinfo=UTC)
COMPOSED_AT = datetime(2026, 11, 20, 13, 32, 4, 250_000, tzinfo=UTC)


def luhn(body: str) -> str:
    """`body` with its Luhn digit."""
    total = 0
    for position, digit in enumerate(reversed(body)):
        doubled = int(digit) * (1 if position % 2 else 2)
        total += doubled - 9 if doubled > 9 else doubled
    return body + str(-total % 10)


def rpps(number: int) -> str:
    """A fictitious RPPS with a valid key."""
    return luhn(f"99700{number:05d}")


def matricule(body: str) -> str:
    """15 characters: `body` with its key."""
    return body + nir_key(body)


MATRICULE = matricule("2840538185042")


@dataclass(frozen=True)
class Samples:
    """Makes sites, contents, identities, reports and documents; every part can be replaced."""

    conformance: Path

    def site(self, **changes: Any) -> Site:
        fields: dict[str, Any] = {
            "site_id": "site-nord",
            "name": "Imagerie Médicale du Canal",
            "finess": "999900016",
            "finess_legal": "999900008",
            "legal_name": "SELAS Imagerie du Canal (fictive)",
            "oid_root": "1.2.250.1.999.7.1",
            "address": Address(street="12 bis rue du Canal Imaginaire", postal_code="75010", city="PARIS"),
            "phone": "01 99 00 12 34",
            "sector": "SA08",
            "facility_type": "SA08",
            "practice_setting": "AMBULATOIRE",
            "mss_mailbox": "imagerie-canal@demo.mssante.example",
            "mss_display_name": "Imagerie du Canal",
            "ipp_oid": "1.2.250.1.999.7.1.5",
            "lines": ("Scanner – IRM – Mammographie – Échographie – Radiologie", "Rendez-vous : 01 99 00 12 35"),
        }
        return Site.model_validate(fields | changes)

    def content(self, **changes: Any) -> ReportContent:
        fields: dict[str, Any] = {
            "title": "IRM cérébrale",
            "indication": "Céphalées persistantes depuis trois semaines, sans déficit.",
            "technique": "Séquences T1, T2, FLAIR et diffusion : coupes de 3 mm, sans injection.",
            "comparison": "Scanner cérébral du 12/03/2024.",
            "findings": (
                "Absence d'anomalie de signal du parenchyme cérébral.\n\n"
                "- Structures médianes en place ; système ventriculaire de taille normale\n"
                "- Citernes de la base libres\n"
                "- Sinus de la face bien aérés"
            ),
            "conclusion": "IRM cérébrale sans anomalie. Pas d'argument pour une lésion évolutive.",
            "acts": (self.act(),),
            "exam": {
                "accession_number": "ACN-2026-004211",
                "order_placer_number": "OPN-2026-0917",
                "study_instance_uid": "1.2.250.1.999.7.1.9.20261120.4211",
                "started_at": datetime(2026, 11, 20, 9, 25, tzinfo=UTC),
                "ended_at": datetime(2026, 11, 20, 9, 50, tzinfo=UTC),
            },
            "correspondents": (self.requester(),),
        }
        return ReportContent.model_validate(fields | changes)

    def act(self, **changes: Any) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "loinc_code": "30657-1",
            "loinc_label": "RM cerveau sans contraste",
            "ccam_code": "ACQN001",
            "ccam_label": "Remnographie [IRM] du crâne et de son contenu, sans injection intraveineuse",
            "modality": "MR",
            "region": "774007",
        }
        return fields | changes

    def requester(self, **changes: Any) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "recipient_id": "corr-1",
            "role": "requester",
            "family_name": "EXEMPLE-MARTIN",
            "given_name": "Camille",
            "civility": "MME",
            "title": "DR",
            "rpps": rpps(101),
            "specialty": "G15_10/SM26",
            "organization": "Cabinet médical des Tilleuls",
            "mss_address": "camille.exemple-martin@medecin.mssante.example",
        }
        return fields | changes

    def traits(self, **changes: Any) -> Traits:
        fields: dict[str, Any] = {
            "birth_name": "EXEMPLE",
            "first_birth_given_name": "ALIX",
            "birth_given_names": "ALIX MARIE-LOU",
            "birth_date": "1984-05-12",
            "sex": "F",
            "birth_place_code": "38185",
            "used_name": "MODELE",
            "used_given_name": "ALIX",
            "local_id": "IPP000123",
        }
        return Traits.model_validate(fields | changes)

    def identity(
        self,
        *,
        qualified: bool = True,
        revision: int = 3,
        attributes: tuple[IdentityAttribute, ...] = (),
        ins: Ins | None = None,
        **traits: Any,
    ) -> PatientIdentity:
        return PatientIdentity(
            patient_id="patient-1",
            site_id="site-nord",
            revision=revision,
            status=IdentityStatus.QUALIFIEE if qualified else IdentityStatus.PROVISOIRE,
            attributes=attributes,
            traits=self.traits(**traits),
            ins=(ins or Ins(matricule=MATRICULE, oid="1.2.250.1.213.1.4.8")) if qualified else None,
        )

    def signature(self, **choices: Any) -> Signature:
        return Signature(
            signatory=Signatory(rpps=rpps(1), family_name="FICTIF-DURAND", given_name="Dominique"),
            signed_at=SIGNED_AT,
            choices=SignatureChoices.model_validate(choices),
        )

    def draft(self, content: ReportContent | None = None, report_id: str = "report-1") -> Report:
        return Report(
            report_id=report_id,
            patient_id="patient-1",
            site_id="site-nord",
            created_at=SIGNED_AT,
            updated_at=SIGNED_AT,
            versions=(Version(number=1, state=State.DRAFT, content=content or self.content()),),
        )

    def signed(self, content: ReportContent | None = None, **choices: Any) -> Report:
        report = self.draft(content)
        return report.with_current(sign(report.current, self.signature(**choices)))

    def document(
        self,
        *,
        content: ReportContent | None = None,
        identity: PatientIdentity | None = None,
        site: Site | None = None,
        report: Report | None = None,
        **choices: Any,
    ) -> DocumentModel:
        report = report or self.signed(content, **choices)
        patient = identity or self.identity()
        signature = report.current.signature
        assert signature is not None
        wanted = audience(signature.choices, qualified=patient.qualified)
        plan = plan_edition(report, wanted, qualified=patient.qualified)
        assert plan is not None
        place = site or self.site()
        return document_model(report, plan, patient, place, ipp_oid=place.ipp_oid, composed_at=COMPOSED_AT, zone=PARIS)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "peers: checked by software nobody here wrote")


@pytest.fixture(scope="session")
def make_matricule() -> Callable[[str], str]:
    return matricule


@pytest.fixture(scope="session")
def make_rpps() -> Callable[[int], str]:
    return rpps


@pytest.fixture(scope="session")
def samples() -> Samples:
    root = Path(__file__).resolve().parents[3]
    default = root.parent / "shared" / "conformance"
    return Samples(conformance=Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", default)).resolve())


@pytest.fixture(scope="session")
def validator(samples: Samples) -> list[str]:
    """Command of the ANS conformance validator; the test is skipped where its data are not."""
    script = samples.conformance / "validate_cda.py"
    if not script.is_file():
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no conformance data")
    return [sys.executable, str(script)]
