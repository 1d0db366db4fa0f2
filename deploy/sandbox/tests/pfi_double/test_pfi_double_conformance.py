"""The official example messages: the double takes those that are right, and says what is wrong with the others."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from navette_sandbox.simulators.pfi.settings import PfiSettings


@pytest.fixture(scope="session")
def examples() -> Path:
    root = Path(__file__).resolve().parents[4]
    conformance = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", root.parent / "shared" / "conformance"))
    found = conformance.resolve() / "hl7v2"
    if not found.is_dir():
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no conformance data")
    return found


def sent(path: Path) -> bytes:
    """The bytes of an example as HL7 wants them: the public files end their segments with LF."""
    text = path.read_text("utf-8").replace("\r\n", "\r").replace("\n", "\r").rstrip("\r")
    return (text + "\r").encode()


@pytest.mark.parametrize(
    "settings", [PfiSettings(application="PFI-Y", facility="Organisation-Y")], ids=["organisation-y"]
)
async def test_the_official_report_is_taken_then_replaced(link: Any, examples: Path) -> None:
    folder = examples / "trans-cda-2.1"
    first, second = sent(folder / "mdm_t02_init_full.er7"), sent(folder / "mdm_t10_replace_full.er7")
    assert (await link.send(first)).code == "AA", link.double.refusals.entries
    # Both examples carry MSH-10 "015", which must never serve twice.
    assert (await link.send(second)).condition == "199"
    answer = await link.send(second.replace(b"||MDM^T10^MDM_T02|015|", b"||MDM^T10^MDM_T02|016|"))
    assert answer.code == "AA", link.double.refusals.entries
    states = {one["unique_id"][-1]: one["status"] for one in link.double.register.as_json("documents")}
    assert states == {"1": "replaced", "2": "current"}


WRONG = [
    ("trans-cda-2.1/mdm_t02_init_short.er7", "PFI-Y", "Organisation-Y", "document.content"),
    ("trans-cda-2.0/mdm_t02_init_short.er7", "PFI-X", "Organisation-X", "txa.unique_id"),
    ("trans-cda-2.0/mdm_t10_replace_short.er7", "PFI-X", "Organisation-X", "txa.unique_id"),
    ("trans-cda-1.2/oru_r01_init_old-codes.hl7", "PFI-X", "Organisation-X", "msh.profile"),
    ("trans-cda-2.1/oru_r01_init_n1_n3_short.hl7", "PFI-X", "Organisation-X", "document.count"),
    ("trans-cda-2.1/oru_r01_replace_n1_n3_short.er7", "PFI-X", "Organisation-X", "document.count"),
    ("trans-cda-2.1/oru_r01_init_n3_segur.hl7", "PFI-X", "Organisation-X", "participant.patient"),
    ("trans-cda-2.1/oru_r01_delete_n3_segur.hl7", "PFI-X", "Organisation-X", "document.patient"),
    ("trans-cda-2.1/zam_z01_dmp_error.hl7", "SIL-Y", "labo", "msh.type"),
]


@pytest.mark.parametrize(
    ("name", "settings", "rule"),
    [(name, PfiSettings(application=to, facility=of), rule) for name, to, of, rule in WRONG],
    ids=[name for name, *_ in WRONG],
)
async def test_the_official_examples_that_are_wrong_are_refused(
    link: Any, examples: Path, name: str, rule: str
) -> None:
    assert (await link.send(sent(examples / name))).code == "AE"
    assert link.double.refusals.rules == [rule]
