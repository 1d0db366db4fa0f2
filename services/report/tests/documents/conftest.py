"""A seeded gallery of reports: everything the template, the header and the body have to cope with."""

from __future__ import annotations

import dataclasses
import json
import random
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from navette_contracts.events import Ins
from navette_documents.imaging_codes import BODY_SITES, CONTRAINDICATIONS, DOSE_QUANTITIES
from navette_report.domain.document import DocumentModel

NIR, NIA = "1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9"
IMAGES = "https://images.demo.example/IHEInvokeImageDisplay?requestType=STUDY&studyUID={study_instance_uid}"

# Codes of jdv-code-document-imagerie-cisis, which the lint of the validator reads.
ACTS = (
    ("30657-1", "RM cerveau sans contraste", "ACQN001", "Remnographie [IRM] du crâne", "MR", "774007"),
    ("24627-2", "TDM thorax", "ZBQK001", "Scanographie du thorax", "CT", "67734004"),
    ("24558-9", "Echo abdomen", "ZCQM008", "Échographie transcutanée de l'abdomen", "US", "63337009"),
    ("30746-2", "RX thorax", "ZBQK002", "Radiographie du thorax", "DX", "67734004"),
    ("24606-6", "Mammographie", "QEQK001", "Mammographie bilatérale", "MG", "76752008"),
)

PEOPLE: Mapping[str, dict[str, Any]] = {
    "minor": {"birth_date": "2019-03-02", "sex": "M", "place": "38185"},
    "newborn": {"birth_date": "2026-11-19", "sex": "F", "place": "75112"},
    "twin-a": {"birth_name": "JUMEAU-EXEMPLE", "first": "LEA", "given": "LEA", "birth_date": "2004-07-14", "rank": 41},
    "twin-b": {"birth_name": "JUMEAU-EXEMPLE", "first": "ZOE", "given": "ZOE", "birth_date": "2004-07-14", "rank": 42},
    "born-abroad": {"place": "99109", "birth_name": "PRUEFER", "first": "JUERGEN", "given": "JUERGEN HANS", "sex": "M"},
    "born-far": {"place": "99350", "birth_date": "1961-01-01"},
    "unknown-place": {"place": "99999"},
    "corsica-south": {"place": "2A004", "sex": "M", "birth_date": "1990-05-03"},
    "corsica-north": {"place": "2B033", "birth_date": "1948-10-30"},
    "reunion": {"place": "97411"},
    "nia": {"oid": NIA, "place": "99352"},
    "long-names": {
        "birth_name": "D'EXEMPLE-DE-LA-TRES-LONGUE-MAISON-DES-RIVES-ET-DES-COTEAUX-FICTIFS",
        "first": "MARIE-CHARLOTTE-ANTOINETTE",
        "given": "MARIE-CHARLOTTE-ANTOINETTE JEANNE-ELISABETH ANNE-SOPHIE LOUISE-HORTENSE",
    },
    "apostrophe": {"birth_name": "L'EXEMPLE D'EN-BAS", "first": "N'GUYEN", "given": "N'GUYEN D'ALMA"},
    "centenarian": {"birth_date": "1921-02-28"},
    "undetermined": {"sex": "I"},
}


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Makes documents of a level; the same seed gives the same ones."""

    samples: Any
    matricule: Callable[[str], str]
    rpps: Callable[[int], str]

    def identity(self, place: str = "38185", oid: str = NIR, rank: int = 42, **who: Any) -> Any:
        birth_date, sex = who.pop("birth_date", "1984-05-12"), who.pop("sex", "F")
        department = place[:2] if not place.startswith("97") else "97"
        body = f"{'2' if sex == 'F' else '1'}{birth_date[2:4]}{birth_date[5:7]}{department}185{rank:03d}"
        return self.samples.identity(
            ins=Ins(matricule=self.matricule(body), oid=oid),
            birth_name=who.get("birth_name", "EXEMPLE"),
            first_birth_given_name=who.get("first", "ALIX"),
            birth_given_names=who.get("given", "ALIX MARIE-LOU"),
            birth_date=birth_date,
            sex=sex,
            birth_place_code=place,
            used_name=who.get("used_name"),
            used_given_name=None,
        )

    def document(
        self, level: str, *, identity: Any = None, site: Mapping[str, Any] | None = None, **content: Any
    ) -> DocumentModel:
        values = {"cda_level": level, "image_link": IMAGES, **(site or {})}
        return dataclasses.replace(
            self.samples.document(),
            content=self.samples.content(**content),
            patient=identity or self.identity(),
            site=self.samples.site(**values),
        )

    def act(self, number: int, chance: random.Random, *, minor: bool) -> dict[str, Any]:
        loinc, label, ccam, named, modality, region = ACTS[number % len(ACTS)]
        act = self.samples.act(
            loinc_code=loinc, loinc_label=label, ccam_code=ccam, ccam_label=named, modality=modality, region=region,
            laterality=chance.choice([None, "left", "right", "bilateral"]),
            body_site=chance.choice([None, chance.choice(sorted(BODY_SITES))]),
        )  # fmt: skip
        if modality in ("CT", "MR") and chance.random() < 0.7:
            act["contrast"] = [
                {
                    "name": "PRODUIT FICTIF 350", "volume_ml": str(chance.choice([12, 80, "7.5"])),
                    "lot_number": chance.choice([None, "L-0002034"]),
                    "atc_code": "V08AB11", "atc_label": "IOBITRIDOL", "cip_code": "3400936915657",
                    "route": chance.choice(["intravenous", "oral", "intra_arterial"]),
                }
            ]  # fmt: skip
        if modality in ("CT", "DX", "MG") and chance.random() < 0.8:
            kinds = chance.sample(sorted(DOSE_QUANTITIES), chance.randint(1, 4))
            act["exposure"] = {
                "pregnancy": "not_applicable" if minor else chance.choice(["none", "pregnant", "unknown"]),
                "measures": [{"quantity": kind, "value": f"{chance.randint(1, 99999) / 100:.2f}"} for kind in kinds],
            }
        if chance.random() < 0.2:
            act["complications"] = "Extravasation minime.\nSurveillance simple."
        return act

    def content(self, chance: random.Random, *, minor: bool = False) -> dict[str, Any]:
        correspondents = [
            self.samples.requester(
                recipient_id=f"corr-{n}",
                role="requester" if n == 0 else "copy",
                rpps=self.rpps(100 + n),
                treating_physician=n == 1,
                civility=chance.choice([None, "M", "MME"]),
                title=chance.choice([None, "DR", "PR"]),
                finess=chance.choice([None, "999900024"]),
                mss_address=chance.choice([None, f"exemple-{n}@medecin.mssante.example"]),
            )
            for n in range(chance.randint(0, 5))
        ]
        start = chance.randrange(len(ACTS))
        return {
            "title": chance.choice(["IRM & scanner", "Écho <1> d'une fille", "Bilan d'extension"]),
            "acts": [self.act(start + n, chance, minor=minor) for n in range(chance.randint(1, 4))],
            "correspondents": correspondents,
            "screening": chance.random() < 0.2,
            "medical_history": chance.choice(["", "Asthme dans l'enfance.\n- HTA traitée\n- Diabète"]),
            "surgical_history": chance.choice(["", "Appendicectomie (1999) <sans suite>."]),
            "contraindications": chance.sample(sorted(CONTRAINDICATIONS), chance.choice([0, 0, 1, 3])),
            "comparison": chance.choice(["", "Scanner du 12/03/2024."]),
            "indication": chance.choice(["", "Céphalées : bilan d'un « déficit » ?"]),
            "technique": chance.choice(["", "Coupes de 3 mm.\n\n- T1\n- T2"]),
            "teleradiology": chance.choice([None, None, None, self.teleradiology()]),
        }

    def teleradiology(self) -> dict[str, Any]:
        return {
            "responsible": {"rpps": self.rpps(7), "family_name": "SUR-PLACE-FICTIF", "given_name": "Maël"},
            "reader_organization": "Télé-imagerie fictive",
            "reader_finess": "999900024",
        }

    def varied(self, level: str) -> dict[str, DocumentModel]:
        """By name; one for each kind of person, the others with everything drawn."""
        chance, made = random.Random(20261122), {}
        for name, who in PEOPLE.items():
            content = self.content(chance, minor=name in ("minor", "newborn"))
            made[name] = self.document(level, identity=self.identity(**who), **content)
        for number in range(28):
            facility = chance.choice([("SA08", "AMBULATOIRE"), ("SA01", "ETABLISSEMENT"), ("SA05", "AMBULATOIRE")])
            site = {"facility_type": facility[0], "practice_setting": facility[1]}
            document = self.document(
                level,
                identity=self.identity(rank=100 + number, used_name=chance.choice([None, "AUTRE-NOM"])),
                site=site | ({"image_link": None} if chance.random() < 0.3 else {}),
                **self.content(chance),
            )
            if chance.random() < 0.3:
                document = dataclasses.replace(
                    document, replaces_unique_id=f"1.2.250.1.999.7.1.1.{number}", version_number=2
                )
            made[f"drawn-{number}"] = document
        return made


@pytest.fixture(scope="session")
def gallery(samples: Any, make_matricule: Any, make_rpps: Any) -> Gallery:
    return Gallery(samples, make_matricule, make_rpps)


@pytest.fixture
def conforming(validator: list[str], tmp_path: Path) -> Callable[[Mapping[str, bytes]], list[Any]]:
    """Errors that the ANS validator finds in documents, as (file, rule, message)."""

    def check(documents: Mapping[str, bytes]) -> list[Any]:
        paths = []
        for name, cda in documents.items():
            paths.append(tmp_path / f"{name}.xml")
            paths[-1].write_bytes(cda)
        told = subprocess.run(
            [*validator, "--json", "--lint-fails", *map(str, paths)],
            capture_output=True, text=True, timeout=280, check=False,
        )  # fmt: skip
        results = [json.loads(line) for line in told.stdout.splitlines() if line.startswith("{")]
        assert len(results) == len(documents), told.stderr[-2000:]
        return [
            (Path(result["file"]).stem, error["id"], error["message"])
            for result in results
            for error in result["errors"]
        ]

    return check
