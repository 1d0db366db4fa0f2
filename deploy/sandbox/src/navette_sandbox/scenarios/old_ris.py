"""An old RIS that sends a report by HL7 v2: bytes written here by hand, answers read as a strict system would.

It shares no code with the service that receives it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from navette_sandbox.scenarios.catalogue import PARIS, Patient, Requester
from navette_sandbox.scenarios.client import PlatformError

_START, _END = b"\x0b", b"\x1c\r"
_HEADINGS = (
    ("INDICATION", "indication"),
    ("TECHNIQUE", "technique"),
    ("COMPARAISON", "comparison"),
    ("RESULTATS", "findings"),
    ("CONCLUSION", "conclusion"),
)


@dataclass(frozen=True)
class Answer:
    """What an acknowledgement says."""

    code: str
    segments: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class OldReport:
    """What the old system knows of one report."""

    number: str
    """MSH-10."""
    accession: str
    placer: str
    study_uid: str
    exam_code: str
    examined_at: datetime
    author_rpps: str
    author: tuple[str, str]
    """Family and given name."""

    def message(self, patient: Patient, requester: Requester, content: Mapping[str, Any]) -> bytes:
        """ORU^R01 of HL7 2.5: one OBX per line of text, the INS beside the number of the old system."""
        day = self.examined_at.astimezone(PARIS).strftime("%Y%m%d%H%M%S")
        ins = f"{patient.matricule}^^^ASIP-SANTE-INS-NIR&{patient.oid}&ISO^INS"
        names = f"{patient.birth_name}^{patient.first_given_name}^{patient.given_names}^^^^L"
        place = f"^^^^^^BDL^^{patient.birth_place_code}"
        asked = f"8{requester.rpps}^{requester.family_name}^{requester.given_name}^^^^^^"
        asked += "ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"
        author = f"8{self.author_rpps}&{self.author[0]}&{self.author[1]}"
        header = f"MSH|^~\\&|ANCIEN-RIS|RIVES-B|NAVETTE|RIVES|{day}||ORU^R01^ORU_R01|{self.number}|P|2.5"
        segments = [
            f"{header}|||||FRA|UNICODE UTF-8",
            f"PID|1||{ins}||{names}||{patient.birth_date.replace('-', '')}|{patient.sex}|||{place}" + "|" * 21 + "VALI",
            f"ORC|RE|{self.placer}|{self.accession}",
            f"OBR|1|{self.placer}|{self.accession}|{self.exam_code}^Radio genou^LOCAL|||{day}"
            + "|" * 9
            + asked
            + "|" * 6
            + f"{day}||DX|F"
            + "|" * 7
            + author,
        ]
        lines = [line for heading, name in _HEADINGS for line in _lines(heading, str(content[name]))]
        segments += [f"OBX|{n}|TX|CR^Compte rendu^LOCAL||{line}||||||F" for n, line in enumerate(lines, start=1)]
        segments.append(f"ZDS|{self.study_uid}^ANCIEN-RIS^Application^DICOM")
        return "".join(f"{segment}\r" for segment in segments).encode()


def _lines(heading: str, text: str) -> list[str]:
    return [f"{heading} :", *map(_escaped, text.split("\n"))]


def _escaped(text: str) -> str:
    for sign, code in (("\\", "E"), ("|", "F"), ("^", "S"), ("~", "R"), ("&", "T")):
        text = text.replace(sign, f"\\{code}\\")
    return text


class OldRis:
    """One MLLP connection over mutual TLS; every answer is checked."""

    def __init__(self, port: int, ca: Path, certificate: Path, key: Path) -> None:
        self._port = port
        self._tls = ssl.create_default_context(cafile=str(ca))
        self._tls.load_cert_chain(certificate, key)

    async def send(self, message: bytes) -> Answer:
        """Send one message and return its answer.

        Raises:
            PlatformError: no answer, or one that breaks a rule of spec/hl7v2.md §6.1.
        """
        try:
            async with asyncio.timeout(30):
                reader, writer = await asyncio.open_connection("localhost", self._port, ssl=self._tls)
                writer.write(_START + message + _END)
                await writer.drain()
                data = await reader.readuntil(_END)
                writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise PlatformError(f"the report service gave no HL7 answer: {type(error).__name__}") from error
        return _checked(message, data)


def _checked(message: bytes, data: bytes) -> Answer:
    sent = message.decode().split("\r")[0].split("|")
    body = data.removeprefix(_START).removesuffix(_END)
    segments = {line.split("|")[0]: line.split("|") for line in body.decode().rstrip("\r").split("\r")}
    msh, msa = segments.get("MSH", []), segments.get("MSA", [])
    rules = {
        "framing": data.startswith(_START) and b"\n" not in body and body.endswith(b"\r"),
        "segments": list(segments)[:2] == ["MSH", "MSA"],
        "systems swapped": msh[2:6] == [sent[4], sent[5], sent[2], sent[3]],
        "MSH-9": msh[8:9] == [f"ACK^{sent[8].split('^')[1]}^ACK"],
        "MSH-10 of its own": len(msh) > 9 and msh[9] not in ("", sent[9]),
        "version": msh[11:12] == [sent[11]],
        "charset": msh[17:18] == [sent[17]],
        "no MSH-21": len(msh) < 21 or not msh[20],
        "MSA-1": len(msa) > 1 and msa[1] in ("AA", "AE", "AR"),
        "MSA-2": len(msa) > 2 and msa[2] == sent[9],
        "ERR when refused": msa[1:2] == ["AA"] or "ERR" in segments,
    }
    broken = [rule for rule, held in rules.items() if not held]
    if broken:
        raise PlatformError(f"the HL7 answer breaks: {', '.join(broken)}")
    return Answer(msa[1], segments)
