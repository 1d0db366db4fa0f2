"""What the hospital's platform received by HL7 v2, read from the raw messages, against what was signed and done."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from navette_sandbox.verify.cda import Cda, read_cda
from navette_sandbox.verify.deliveries import Check, Signed, study_of
from navette_sandbox.verify.pdf import read_pdf
from navette_sandbox.verify.versions import Turn

_ACTIONS = {"T02": ("NW", "F"), "T10": ("RO", "C"), "T04": ("CA", "D")}
_EXPECTED = {Turn.REPLACED: ["T02", "T10"], Turn.WITHDRAWN: ["T02", "T04"], None: ["T02"]}


@dataclass(frozen=True)
class Received:
    """One message as the platform wrote it down, and the document in it."""

    file: str
    data: bytes
    segments: tuple[tuple[str, ...], ...]
    cda: Cda

    def field(self, name: str, number: int) -> str:
        """Field of the first segment of that name, as written; MSH counts from its separator."""
        found = next(one for one in self.segments if one[0] == name)
        place = number - 1 if name == "MSH" else number
        return found[place] if place < len(found) else ""

    @property
    def event(self) -> str:
        """T02, T10 or T04."""
        return self.field("MSH", 9).split("^")[1]

    @property
    def indicators(self) -> dict[str, str]:
        """Y or N by name."""
        found = [one for one in self.segments if one[0] == "OBX" and one[3].endswith("^MetaDMPMSS")]
        return {one[3].split("^")[0]: one[5].split("^")[0] for one in found}

    @property
    def mailboxes(self) -> set[str]:
        """Whom the platform is to mail."""
        return {one[15].split("^")[3].lower() for one in self.segments if one[0] == "PRT" and one[4].startswith("RCT^")}


def read_messages(folder: Path) -> list[Received]:
    """The messages of a platform, in the order in which they came. Raises ValueError for one without a document."""
    return [_read(path) for path in sorted(folder.glob("*.hl7"))]


def _read(path: Path) -> Received:
    data = path.read_bytes()
    segments = tuple(tuple(line.split("|")) for line in data.decode("utf-8").split("\r") if line)
    carried = next(one for one in segments if one[0] == "OBX")
    return Received(path.name, data, segments, read_cda(base64.b64decode(carried[5].split("^")[4], validate=True)))


class PlatformVerification:
    """Checks what a platform received; `checks` holds the verdicts, `found` the messages by report."""

    def __init__(
        self,
        played: Sequence[tuple[Signed, Turn | None]],
        messages: Sequence[Received],
        register: Sequence[Mapping[str, Any]],
        elsewhere: set[str],
    ) -> None:
        """`register`: what the platform says it holds; `elsewhere`: the examinations DMP and mail operator know of."""
        self.checks: list[Check] = []
        self.found: dict[str, list[Received]] = {}
        self._register = {str(one["unique_id"]): one for one in register}
        for signed, turn in played:
            own = [one for one in messages if study_of(one.cda) == signed.study_uid]
            self.found[signed.key] = own
            self._key = signed.key
            self._check("Navette n’a rien envoyé elle-même au DMP ni par MSSanté", signed.study_uid not in elsewhere)
            self._life(turn, own)
            if own:
                self._content(signed, own)
        known = sum(len(own) for own in self.found.values())
        numbers = {one.field("MSH", 10) for one in messages}
        whole = known == len(messages) == len(numbers)
        self.checks.append(Check("la plateforme n’a reçu que les comptes rendus de son site, une fois", whole))

    def _check(self, what: str, held: bool, detail: str = "") -> None:
        self.checks.append(Check(f"{self._key} : {what}", held, detail))

    def _life(self, turn: Turn | None, own: Sequence[Received]) -> None:
        events = [one.event for one in own]
        self._check("créé, puis remplacé ou supprimé, dans l’ordre", events == _EXPECTED[turn], ", ".join(events))
        agree = all((one.field("ORC", 1), one.field("OBX", 11)) == _ACTIONS[one.event] for one in own)
        self._check("ORC, OBX et évènement disent la même action", agree and bool(own))
        states = [str(self._register.get(one.cda.unique_id, {}).get("status")) for one in own]
        wanted = {Turn.REPLACED: ["replaced", "current"], Turn.WITHDRAWN: ["deleted", "deleted"], None: ["current"]}
        self._check("la plateforme tient la bonne version pour courante", states == wanted[turn], ", ".join(states))
        if turn is Turn.REPLACED and len(own) == 2:
            first, second = own
            follows = second.field("TXA", 13) == second.cda.replaces == first.cda.unique_id
            self._check("le remplacement cite la version remplacée, dans le message et dans le CDA", follows)
        if turn is Turn.WITHDRAWN and len(own) == 2:
            self._check("la suppression porte la dernière version, inchangée", own[0].cda.data == own[1].cda.data)

    def _content(self, signed: Signed, own: Sequence[Received]) -> None:
        ids = [[part.split("^") for part in one.field("PID", 3).split("~")] for one in own]
        same = all(
            {(part[3].split("&")[1], part[0]) for part in parts} == set(one.cda.patient_ids)
            for parts, one in zip(ids, own, strict=True)
        )
        self._check("PID-3 = identifiants du patient dans le CDA", same)
        qualified = all(one.cda.ins == (signed.ins_oid, signed.matricule) for one in own)
        self._check(
            "l’INS qualifiée, validée en PID-32", qualified and all("VALI" in one.field("PID", 32) for one in own)
        )
        self._check("TXA-12 = identifiant du CDA", all(one.field("TXA", 12) == one.cda.unique_id for one in own))
        wanted = {"DESTDMP": "Y", "DESTMSSANTEPS": "Y", "DESTMSSANTEPAT": "Y", "MASQUE_PS": "N"}
        asked = all(wanted.items() <= one.indicators.items() and len(one.indicators) == 10 for one in own)
        self._check("la plateforme doit servir DMP, demandeur et patient", asked)
        to = {signed.requester.lower(), signed.patient.lower()}
        self._check("adresses du demandeur et du patient, et aucune autre", all(one.mailboxes == to for one in own))
        pdf = all(read_pdf(one.cda.pdf).conformance == "1B" for one in own)
        author = all(one.cda.author_id == f"8{signed.author_rpps}" for one in own)
        self._check("PDF/A-1b dans le CDA, signé du radiologue connecté", pdf and author)
