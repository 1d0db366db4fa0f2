"""The reports of the demonstration name each act by a code of the published value set, and by that code's words."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from navette_sandbox.group import INTAKE_SENDERS

SVS = "{urn:ihe:iti:svs:2008}Concept"


@pytest.fixture(scope="module")
def published() -> dict[str, str]:
    default = Path(__file__).resolve().parents[3].parent / "shared" / "conformance"
    folder = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", default)) / "cda/jeuxDeValeurs"
    if not folder.is_dir():
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no directory")
    (file,) = folder.glob("jdv-code-document-imagerie-cisis*.xml")
    return {one.get("code", ""): one.get("displayName", "") for one in ElementTree.parse(file).iter(SVS)}


def shipped() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every act this package holds, and where."""
    reports = json.loads((files("navette_sandbox") / "scenarios/reports.json").read_text("utf-8"))["reports"]
    yield from ((one["key"], one["act"]) for one in reports)
    for sender in INTAKE_SENDERS:
        for code, exam in sender.get("exams", {}).items():
            yield from ((f"{sender['name']} {code}", act) for act in exam["acts"])


@pytest.mark.conformance
def test_every_act_is_called_what_its_code_means(published: dict[str, str]) -> None:
    acts = list(shipped())
    assert len(acts) > 15
    # French typography puts a space that does not break before a semicolon.
    told = {where: (act["loinc_code"], act["loinc_label"].replace("\u00a0", " ")) for where, act in acts}
    assert told == {where: (code, published.get(code)) for where, (code, _) in told.items()}
