"""The verification of what the hospital's platform received notices each thing that can go wrong with it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import typst
from navette_sandbox.verify.deliveries import Signed
from navette_sandbox.verify.platform import PlatformVerification, read_messages
from navette_sandbox.verify.versions import Turn

STUDY, OID, MATRICULE = "1.2.250.1.999.9.7", "1.2.250.1.213.1.4.8", "268043818590119"
REQUESTER, PATIENT = "dr@medecins.mssante.example", f"{MATRICULE}@patient.mssante.example"
SIGNED = Signed(
    key="18-epaule", title="Radiographie", conclusion="Calcification", study_uid=STUDY, author_rpps="99700001003",
    birth_name="DUVAL-FICTIF", matricule=MATRICULE, ins_oid=OID, requester=REQUESTER, patient=PATIENT, late=False,
)  # fmt: skip


def pdf(*standards: str) -> str:
    compiled = typst.compile(b'#set document(title: "CR", date: auto)\nCR', pdf_standards=list(standards))
    assert isinstance(compiled, bytes)
    return base64.b64encode(compiled).decode()


PDF, NO_ARCHIVE = pdf("a-1b"), pdf()
ACTIONS = {"T02": ("NW", "F"), "T10": ("RO", "C"), "T04": ("CA", "D")}
NAMES = ["MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REP_LEGAUX", "CONNEXION_SECRETE", "MODIF_CONF_CODE"]
NAMES += ["DESTDMP", "DESTMSSANTEPS", "DESTMSSANTEPAT", "ACK_RECEPTION", "ACK_LECTURE_MSS"]


def cda(version: int, *, replaces: int = 0, body: str = PDF, study: str = STUDY) -> bytes:
    parent = f'<parentDocument><id root="1.2.250.1.999.1.{replaces}"/></parentDocument>'
    related = f'<relatedDocument typeCode="RPLC">{parent}</relatedDocument>' if replaces else ""
    return f"""<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="1.2.250.1.999.1.{version}"/>
 <code code="18748-4"/><setId root="1.2.250.1.999.2"/><versionNumber value="{version}"/>
 <recordTarget><patientRole><id root="{OID}" extension="{MATRICULE}"/></patientRole></recordTarget>
 <author><assignedAuthor><id root="1.2.250.1.71.4.2.1" extension="899700001003"/></assignedAuthor></author>
 <documentationOf><serviceEvent><id root="{study}"/></serviceEvent></documentationOf>{related}
 <component><nonXMLBody><text mediaType="application/pdf">{body}</text></nonXMLBody></component>
</ClinicalDocument>""".encode()


@dataclass(frozen=True)
class Hl7:
    event: str
    number: str
    document: bytes
    unique_id: str
    replaced: str = ""
    edit: Callable[[str], str] = str

    def bytes(self) -> bytes:
        order, status = ACTIONS[self.event]
        lines = [
            f"MSH|^~\\&|N|C|P|H|2026||MDM^{self.event}^MDM_T02|{self.number}|T|2.6",
            f"PID|1||{MATRICULE}^^^ASIP&{OID}&ISO^INS||A^B" + "|" * 27 + "VALI",
            f"ORC|{order}",
            f"TXA|1|18748-4|TEXT|||||||||{self.unique_id}|{self.replaced}||||AU",
            f"OBX|1|ED|18748-4^x^LN||^text^XML^Base64^{base64.b64encode(self.document).decode()}||||||{status}",
        ]
        lines += [f"PRT||UC||RCT^x^participation|x||||||||||^^X.400^{address}" for address in (REQUESTER, PATIENT)]
        for name in NAMES:
            value = "Y" if name.startswith("DEST") else "N"
            lines.append(f"OBX|2|CWE|{name}^x^MetaDMPMSS||{value}^^x||||||F")
        return self.edit("".join(f"{line}\r" for line in lines)).encode()


ID = "1.2.250.1.999.1."
FIRST = Hl7("T02", "A1", cda(1), f"{ID}1")
SECOND = Hl7("T10", "A2", cda(2, replaces=1), f"{ID}2", f"{ID}1")
DELETED = Hl7("T04", "A3", cda(1), f"{ID}1")


@dataclass
class World:
    """What the platform received, holds, and what went elsewhere; a test spoils one thing."""

    turn: Turn | None = Turn.REPLACED
    messages: list[Hl7] = field(default_factory=lambda: [FIRST, SECOND])
    register: dict[str, str] = field(default_factory=lambda: {f"{ID}1": "replaced", f"{ID}2": "current"})
    elsewhere: set[str] = field(default_factory=set)

    def broken(self, folder: Path) -> list[str]:
        for place, message in enumerate(self.messages):
            (folder / f"{place:03d}.hl7").write_bytes(message.bytes())
        held: list[dict[str, Any]] = [{"unique_id": name, "status": status} for name, status in self.register.items()]
        found = PlatformVerification([(SIGNED, self.turn)], read_messages(folder), held, self.elsewhere)
        return [check.what for check in found.checks if not check.held]


def test_what_is_right_is_found_right(tmp_path: Path) -> None:
    for name in ("replaced", "withdrawn"):
        (tmp_path / name).mkdir()
    assert World().broken(tmp_path / "replaced") == []
    gone = World(Turn.WITHDRAWN, [FIRST, DELETED], {f"{ID}1": "deleted"})
    assert gone.broken(tmp_path / "withdrawn") == []


def but(message: Hl7, old: str, new: str) -> Hl7:
    return replace(message, edit=lambda text: text.replace(old, new))


SPOILED: list[tuple[str, World]] = [
    ("créé, puis", World(messages=[FIRST])),
    ("n’a reçu que", World(messages=[FIRST, SECOND, replace(FIRST, number="A9", document=cda(1, study="1.2.3"))])),
    ("n’a reçu que", World(messages=[FIRST, replace(SECOND, number="A1")])),
    ("rien envoyé elle-même", World(elsewhere={STUDY})),
    ("même action", World(messages=[FIRST, but(SECOND, "ORC|RO", "ORC|NW")])),
    ("bonne version", World(register={f"{ID}1": "current", f"{ID}2": "current"})),
    ("cite la version", World(messages=[FIRST, replace(SECOND, replaced=f"{ID}9")])),
    ("inchangée", World(Turn.WITHDRAWN, [FIRST, replace(DELETED, document=cda(1) + b" ")], {f"{ID}1": "deleted"})),
    ("PID-3", World(messages=[FIRST, but(SECOND, f"||{MATRICULE}^", "||168043818590119^")])),
    ("INS qualifiée", World(messages=[FIRST, but(SECOND, "VALI", "PROV")])),
    ("TXA-12", World(messages=[FIRST, replace(SECOND, unique_id=f"{ID}7")])),
    ("doit servir", World(messages=[FIRST, but(SECOND, "MetaDMPMSS||Y", "MetaDMPMSS||N")])),
    ("adresses", World(messages=[FIRST, but(SECOND, PATIENT, "x@y.example")])),
    ("PDF/A-1b", World(messages=[FIRST, replace(SECOND, document=cda(2, replaces=1, body=NO_ARCHIVE))])),
]


@pytest.mark.parametrize(("what", "world"), SPOILED, ids=[f"{n}-{what}" for n, (what, _) in enumerate(SPOILED)])
def test_each_thing_that_goes_wrong_is_noticed(tmp_path: Path, what: str, world: World) -> None:
    assert any(what in one for one in world.broken(tmp_path))


def test_a_message_without_a_document_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "1.hl7").write_bytes(but(FIRST, "Base64^", "Base64^!").bytes())
    with pytest.raises(ValueError, match=r".+"):
        read_messages(tmp_path)
