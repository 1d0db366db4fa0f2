"""A fictitious report, its site, and the official examples."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from navette_documents.sites import Site, load_sites

MATRICULE = "268043818590119"
"""Of a fictitious person; the key is right."""
PDF = b"%PDF-1.4\n% compte rendu fictif\n%%EOF\n"

SITE = """[{"site_id": "rives-a", "name": "Centre d'imagerie des Rives", "finess": "990000010",
"finess_legal": "990000002", "legal_name": "GROUPE IMAGERIE DES RIVES", "oid_root": "1.2.250.1.999.7.1",
"address": {"street": "1 quai Fictif", "postal_code": "99000", "city": "RIVES"}, "phone": "+33199000000",
"sector": "SA08", "facility_type": "SA08", "practice_setting": "AMBULATOIRE",
"mss_mailbox": "comptes-rendus@imagerie-des-rives.mssante.example", "mss_display_name": "Centre d'imagerie des Rives",
"reply_to": "secretariat@imagerie-des-rives.mssante.example", "ipp_oid": "1.2.250.1.999.7.2"}]"""


def _professional(tag: str, entity: str) -> str:
    return f"""<{tag}><time value="20261122101500+0100"/><{entity}>
<id root="1.2.250.1.71.4.2.1" extension="899700001003"/>
<code code="G15_10/SM44" displayName="Médecin - Radio-diagnostic" codeSystem="1.2.250.1.213.1.1.4.5"/>
<assignedPerson><name><family>RADIOLOGUE-FICTIF</family><given>Alix</given></name></assignedPerson>
<representedOrganization><id root="1.2.250.1.71.4.2.2" extension="1990000010"/><name>Centre des Rives</name>
<standardIndustryClassCode code="AMBULATOIRE" displayName="Ambulatoire" codeSystem="1.2.250.1.213.1.1.4.9"/>
</representedOrganization></{entity}></{tag}>"""


def make_cda(
    *,
    ins: str | None = MATRICULE,
    oid: str = "1.2.250.1.213.1.4.8",
    birth_name: str = "DUVAL-FICTIF",
    first_name: str | None = "CAMILLE",
    label: str = "CR d'imagerie médicale",
    birth_date: str = "19680417",
    title: str = "Compte rendu d'IRM",
) -> bytes:
    """A CDA with the header parts that metadata and mails need."""
    matricule = f'<id root="{oid}" extension="{ins}"/>' if ins else ""
    first = f'<given qualifier="BR">{first_name}</given>' if first_name else ""
    author = _professional("author", "assignedAuthor")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3">
<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="1.2.250.1.213.1.1.1.1"/><id root="1.2.250.1.999.7.1.1.77"/>
<code code="18748-4" displayName="{label}" codeSystem="2.16.840.1.113883.6.1"/><title>{title}</title>
<effectiveTime value="20261122101500+0100"/>
<confidentialityCode code="N" displayName="Normal" codeSystem="2.16.840.1.113883.5.25"/><languageCode code="fr-FR"/>
<setId root="1.2.250.1.999.7.1.1.70"/><versionNumber value="1"/>
<recordTarget><patientRole>{matricule}<id root="1.2.250.1.999.7.2" extension="IPP-1"/>
<patient><name><given>CAMILLE ROSE</given>{first}<family qualifier="BR">{birth_name}</family></name>
<administrativeGenderCode code="F" displayName="Féminin" codeSystem="2.16.840.1.113883.5.1"/>
<birthTime value="{birth_date}"/><birthplace><place><addr><county>38185</county></addr></place></birthplace>
</patient></patientRole></recordTarget>
{author}
{_professional("legalAuthenticator", "assignedEntity")}
<documentationOf><serviceEvent><id root="1.2.250.1.999.7.3.1"/>
<code code="36813-4" displayName="IRM" codeSystem="2.16.840.1.113883.6.1"/>
<effectiveTime><low value="20261121093000+0100"/></effectiveTime>
{_professional("performer", "assignedEntity")}</serviceEvent></documentationOf>
<componentOf><encompassingEncounter><code code="AMB" codeSystem="2.16.840.1.113883.5.4"/><location>
<healthCareFacility><code code="SA08" displayName="Cabinet de groupe" codeSystem="1.2.250.1.71.4.2.4"/>
</healthCareFacility></location></encompassingEncounter></componentOf>
<component><nonXMLBody><text mediaType="application/pdf" representation="B64">{base64.b64encode(PDF).decode()}\
</text></nonXMLBody></component>
</ClinicalDocument>""".encode()


@pytest.fixture
def cda() -> Callable[..., bytes]:
    """Builder of sample documents."""
    return make_cda


@pytest.fixture
def pdf() -> bytes:
    return PDF


@pytest.fixture
def matricule() -> str:
    return MATRICULE


@pytest.fixture
def sites_json() -> bytes:
    return SITE.encode()


@pytest.fixture
def site() -> Site:
    return load_sites(SITE.encode())["rives-a"]


@pytest.fixture(scope="session")
def conformance() -> Path:
    """Folder of the official data."""
    default = Path(__file__).resolve().parents[3].parent / "shared" / "conformance"
    path = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", default))
    if not path.is_dir():
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no directory")
    return path
