"""The fictitious imaging group that the sandbox runs: its identifiers, sites and staff.

FINESS numbers start with the department 99, which no establishment of France has; RPPS numbers start with
99700; mailboxes are under domains reserved for examples. The people are those of the simulators' data.
"""

from __future__ import annotations

from typing import Any

LEGAL_NAME = "GROUPE IMAGERIE DES RIVES"
LEGAL_FINESS = "990000002"
STRUCT_IDNAT = "1" + LEGAL_FINESS
"""National identifier of the legal entity: `1` + FINESS (spec/dmp.md §4.3)."""
SENDER_MAILBOX = "comptes-rendus@imagerie-des-rives.mssante.example"
"""Applicative mailbox of the group; also the subject CN of its MSSanté client certificate."""
PATIENT_DOMAIN = "patient.mssante.example"
"""Where the mailboxes of patients are: matricule@domain."""

OID_ROOT = "1.2.250.1.213.1.4.999990"
"""Arc of this fiction only: nothing outside the sandbox is identified under it."""


def _site(
    letter: str, number: int, finess: str, street: str, city: str, postal_code: str, color: str, level: str
) -> dict[str, Any]:
    return {
        "site_id": f"site-{letter.lower()}",
        "name": f"Centre d’imagerie des Rives – site {letter}",
        "finess": finess,
        "finess_legal": LEGAL_FINESS,
        "legal_name": LEGAL_NAME,
        "oid_root": f"{OID_ROOT}.{number}",
        "address": {"street": street, "postal_code": postal_code, "city": city},
        "phone": f"02990000{number:02d}",
        "sector": "SA08",
        "facility_type": "SA08",
        "practice_setting": "AMBULATOIRE",
        "mss_mailbox": SENDER_MAILBOX,
        "mss_display_name": f"Centre d’imagerie des Rives – site {letter}",
        "reply_to": f"secretariat-{letter.lower()}@imagerie-des-rives.mssante.example",
        "patient_notice": "Votre médecin reçoit aussi ce compte rendu ; parlez-en avec lui.",
        "ipp_oid": f"{OID_ROOT}.{number}.1",
        "letterhead_color": color,
        "cda_level": level,
        "lines": ["Radiologie – Scanner – IRM – Échographie – Mammographie", "Établissement fictif : démonstration"],
    }


SITES: list[dict[str, Any]] = [
    _site("A", 1, "990000010", "1 quai des Exemples", "VILLE-FICTIVE", "99010", "#0f4c5c", "N1"),
    _site("B", 2, "990000028", "28 rue de l’Essai", "BOURG-FICTIF", "99028", "#5f0f40", "N3"),
    _site("C", 3, "990000036", "3 allée de l’Hôpital", "VILLE-FICTIVE", "99010", "#1b4332", "N1"),
]
DIRECT_SITES = SITES[:2]
"""Sites whose reports Navette sends itself; those of site C go by the platform of the hospital it is in."""

PFI_APPLICATION, PFI_FACILITY = "PFI-EXEMPLE", "CH-EXEMPLE"

INTAKE_SENDERS: list[dict[str, Any]] = [
    {
        "name": "ancien-ris",
        "application": "ANCIEN-RIS",
        "facility": "RIVES-B",
        "site_id": "site-b",
        "authority": "RIVES-B",
        "authority_id": "990000028",
        "certificate": "old-ris",
        "exams": {
            "RXGEN2": {
                "title": "Radiographie du genou droit",
                "acts": [
                    {
                        "loinc_code": "37758-0",
                        "loinc_label": "RX genou - droit ; incidences",
                        "modality": "DX",
                        "region": "61685007",
                        "laterality": "right",
                    }
                ],
            }
        },
    },
    {
        "name": "eai-ch",
        "application": "EAI-EXEMPLE",
        "facility": "CH-EXEMPLE",
        "site_id": "site-c",
        "authority": "CH-EXEMPLE",
        "certificate": "old-ris",
    },
]
"""The systems that may send reports, with what their examination codes mean here; the last one relays letters."""

RADIOLOGIST = {"rpps": "99700001003", "name": "Alix RADIOLOGUE-FICTIF"}
SECRETARY = {"rpps": "99700001045", "name": "Edith SECRETAIRE-EXEMPLE"}

SUPERVISOR = {"rpps": "99700001094", "name": "Karine IDENTITO-FICTIVE"}
"""Of the cellule d'identitovigilance: super-user of identities."""

HOSPITAL = {"application": "GAM", "facility": "CH-FICTIF", "authority": "CH-FICTIF", "authority_id": "990000044"}
"""The hospital system that announces patients of site A over HL7 v2: MSH-3, MSH-4, CX-4 of its identifiers."""


def _account(person: dict[str, str], *roles: str) -> dict[str, Any]:
    granted = [{"site_id": site["site_id"], "role": role} for site in SITES for role in roles]
    return {**person, "roles": granted}


ACCOUNTS: list[dict[str, Any]] = [
    _account(RADIOLOGIST, "radiologist", "operator"),
    _account({"rpps": "99700001011", "name": "Basile IMAGEUR-EXEMPLE"}, "radiologist"),
    _account({"rpps": "99700001037", "name": "Didier MANIPULATEUR-FICTIF"}, "technologist"),
    _account(SECRETARY, "secretary"),
    _account(SUPERVISOR, "secretary", "identity-supervisor"),
]

PAM_SENDERS: list[dict[str, Any]] = [
    {"name": "gam", "site_id": SITES[0]["site_id"], "trust": "own_domain", **HOSPITAL},
]
"""Who may send identities to `ins` over HL7 v2."""
