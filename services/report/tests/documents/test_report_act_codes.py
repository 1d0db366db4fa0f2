"""The code of an act is one of the value set of imaging documents (jdv-code-document-imagerie-cisis)."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from navette_documents.codes import LOINC
from navette_report.domain.imaging import Act

SVS = "{urn:ihe:iti:svs:2008}Concept"


@pytest.fixture(scope="module")
def published(samples: Any) -> set[str]:
    folder: Path = samples.conformance / "cda/jeuxDeValeurs"
    if not folder.is_dir():
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no conformance data")
    (file,) = folder.glob("jdv-code-document-imagerie-cisis*.xml")
    return {one.get("code", "") for one in ElementTree.parse(file).iter(SVS) if one.get("codeSystem") == LOINC}


@pytest.mark.conformance
def test_an_author_may_use_every_code_of_the_value_set(published, samples):
    assert len(published) > 5000
    act = Act.model_validate(samples.act()).model_dump()
    for code in published:
        assert Act.model_validate(act | {"loinc_code": code}).loinc_code == code


@pytest.mark.conformance
def test_the_reports_that_the_rules_of_the_ans_are_run_on_carry_published_codes(published, gallery, samples):
    codes = {gallery.act(number, random.Random(number), minor=False)["loinc_code"] for number in range(20)}
    assert len(codes) > 4
    assert codes | {samples.act()["loinc_code"]} <= published
