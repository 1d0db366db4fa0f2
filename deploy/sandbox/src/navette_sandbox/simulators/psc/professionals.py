"""The fictitious professionals who can log in, and the userinfo Pro Santé Connect gives of them (spec/psc.md §6)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT_FILE = Path(__file__).parent.parent / "data" / "professionals.json"
REALM_UUID = "00000000-0000-4000-8000-000000000001"
_EMPTY_FIELDS = (
    "codeSectionPharmacien",
    "numeroSiretSite",
    "numeroSirenSite",
    "enseigneCommercialeSite",
    "complementDestinataire",
    "complementPointGeographique",
    "numeroVoie",
    "indiceRepetitionVoie",
    "codeTypeDeVoie",
    "libelleVoie",
    "mentionDistribution",
    "bureauCedex",
    "codePostal",
    "codeCommune",
    "codePays",
    "telephone",
    "telephone2",
    "telecopie",
    "adresseEMail",
    "codeDepartement",
)


@dataclass(frozen=True)
class Professional:
    """A person with a national identifier: `8` + RPPS, or `ANS…` for an EDIT identity."""

    national_id: str
    given_name: str
    family_name: str
    note: str
    auth_mode: str
    row: Mapping[str, Any]

    @property
    def sub(self) -> str:
        """The subject: federated-user id of the realm followed by the national identifier."""
        return f"f:{REALM_UUID}:{self.national_id}"

    @property
    def label(self) -> str:
        """What the tester reads on the choice page."""
        return f"{self.given_name} {self.family_name} ({self.note})"

    def short_claims(self) -> dict[str, Any]:
        """The claims that the ID token repeats."""
        return {
            "SubjectNameID": self.national_id,
            "preferred_username": self.national_id,
            "given_name": self.given_name,
            "family_name": self.family_name,
        }

    def other_ids(self) -> list[dict[str, Any]]:
        """The identifiers with their origin."""
        return [{"identifiant": self.national_id, "origine": self.row["origin"], "qualite": 1}]

    def userinfo(self) -> dict[str, Any]:
        """Everything: texts only, empty text = absent, one exercice per profession, one activity per situation."""
        variants = self.row.get("variants", [])
        exercises = self.row["exercises"]
        first = next((one for exercise in exercises for one in exercise["situations"]), None)
        regulated = [one["profession"] for one in exercises if one["profession"] not in ("", "99")]
        claims: dict[str, Any] = {
            "sub": self.sub,
            **self.short_claims(),
            "email_verified": False,
            "SubjectRole": [f"{code}^1.2.250.1.213.1.1.5.5" for code in regulated],
            "SubjectOrganization": first["name"] if first else "",
            "SubjectOrganizationID": first["technical_id"] if first else "",
            "Secteur_Activite": f"{first['sector']}^1.2.250.1.71.4.2.4" if first else "",
            "PSI_Locale": "1.2.250.1.213.1.3.1.1",
            "UITVersion": "1.0",
            "Palier_Authentification": "APPPRIP3^1.2.250.1.213.1.5.1.1.1",
            "Acces_Regulation_Medicale": "FAUX",
            "Mode_Acces_Raison": "",
            "authMode": self.auth_mode,
            "otherIDs" if "other_ids_spelling" in variants else "otherIds": self.other_ids(),
        }
        if "no_ref_pro" not in variants:
            claims["SubjectRefPro"] = {
                "codeCivilite": "" if "root_civility" in variants else self.row["civility"],
                "exercices": [self._exercise(one) for one in exercises],
            }
        if "root_civility" in variants:
            claims["codeCivilite"] = self.row["civility"]
        if "extra_claim" in variants:
            claims["codeGenreActivite"] = "GENR01"
        return claims

    def _exercise(self, row: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "codeProfession": row["profession"],
            "codeCategorieProfessionnelle": row["category"],
            "codeCiviliteDexercice": row["civility"],
            "nomDexercice": self.family_name,
            "prenomDexercice": self.given_name,
            "codeTypeSavoirFaire": row["skill_type"],
            "codeSavoirFaire": row["skill"],
            "activities": [_activity(one) for one in row["situations"]],
        }


def _activity(row: Mapping[str, Any]) -> dict[str, str]:
    return dict.fromkeys(_EMPTY_FIELDS, "") | {
        "codeModeExercice": row["mode"],
        "codeSecteurDactivite": row["sector"],
        "codeRole": row["role"],
        "codeGenreActivite": "GENR01",
        "numeroFinessSite": row["finess"],
        "numeroFinessetablissementJuridique": row["finess_legal"],
        "identifiantTechniqueDeLaStructure": row["technical_id"],
        "raisonSocialeSite": row["name"],
        "ancienIdentifiantDeLaStructure": row["former_id"],
        "autoriteDenregistrement": row["authority"],
    }


def load(path: Path) -> dict[str, Professional]:
    """People by national identifier. Raises ValueError when an RPPS fails its check digit."""
    found = {}
    for row in json.loads(path.read_text(encoding="utf-8"))["people"]:
        number = str(row["national_id"])
        if number.startswith("8") and not luhn_holds(number[1:]):
            raise ValueError(f"{row['family_name']}: the RPPS fails its check digit")
        found[number] = Professional(
            national_id=number,
            given_name=row["given_name"],
            family_name=row["family_name"],
            note=row["note"],
            auth_mode=row["auth_mode"],
            row=row,
        )
    return found


def luhn_holds(digits: str) -> bool:
    """Whether the last digit is the Luhn check of the others."""
    total = 0
    for position, character in enumerate(reversed(digits)):
        value = int(character) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
