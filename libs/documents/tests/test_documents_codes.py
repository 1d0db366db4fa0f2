"""Every code we emit is in the value set the ANS publishes, with its label and system."""

from pathlib import Path
from xml.etree import ElementTree

import pytest
from navette_documents import codes, imaging_codes
from navette_documents.codes import Code, CodeTable

SVS = "{urn:ihe:iti:svs:2008}Concept"


def value_set(conformance: Path, name: str) -> dict[str, Code]:
    (file,) = (conformance / "cda/jeuxDeValeurs").glob(name + "*.xml")
    return {
        c.get("code", ""): Code(c.get("code", ""), c.get("displayName", ""), c.get("codeSystem", ""))
        for c in ElementTree.parse(file).iter(SVS)
    }


@pytest.mark.conformance
@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("JDV_J01", codes.SPECIALTIES),
        ("JDV_J02", codes.FACILITY_TYPES),
        ("JDV_J04", codes.PRACTICE_SETTINGS),
        ("JDV_J07", {"18748-4": codes.IMAGING_REPORT}),
        ("JDV_J08", {**codes.CONFIDENTIALITY, **codes.MASKS}),
        ("JDV_J142", codes.ENCOUNTERS),
        ("JDV_J143", codes.GENDERS),
        ("JDV_J47", {"PCP": codes.TREATING_PHYSICIAN}),
        ("jdv-modalite-acquisition", codes.MODALITIES),
        ("jdv-region-anatomique", codes.REGIONS),
        ("jdv-localisation-anatomique", imaging_codes.BODY_SITES),
        ("jdv-contre-indication", imaging_codes.CONTRAINDICATIONS),
        ("jdv-statut-grossesse", imaging_codes.PREGNANCY),
        ("jdv-quantite-exposition", {key: one.code for key, one in imaging_codes.DOSE_QUANTITIES.items()}),
        (
            "jdv-lateralite-technique",
            {"66459002": imaging_codes.UNILATERAL, "51440002": imaging_codes.BILATERAL},
        ),
        ("jdv-sop-class", {sop.code: sop for sop in map(imaging_codes.sop_class_of, codes.MODALITIES)}),
    ],
)
def test_our_table_is_part_of_the_published_value_set(conformance: Path, name: str, table: CodeTable) -> None:
    published = value_set(conformance, name)
    for key, code in table.items():
        assert key == code.code
        assert published[key] == code


def test_tables_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        codes.REGIONS["1"] = codes.IMAGING_REPORT  # type: ignore[index]


def test_code_systems_have_their_usual_names() -> None:
    assert codes.IMAGING_REPORT.system_name == "LOINC"
    assert codes.CLASS_REPORT.system_name is None


def test_every_region_has_a_site_that_covers_it() -> None:
    assert set(imaging_codes.SITE_OF_REGION) == set(codes.REGIONS)
