"""Just enough HL7 v2 to check a message field by field. Written for this double: it shares no code with its clients."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

ESCAPES = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\"}


class Refused(Exception):  # noqa: N818 - read as "raise Refused"
    """A message is answered AE or AR: condition (table 0357), rule broken, where."""

    def __init__(self, condition: str, rule: str, where: str = "", *, code: str = "AE", application: str = "") -> None:
        super().__init__(rule)
        self.condition = condition
        self.rule = rule
        self.where = where
        self.code = code
        self.application = application


CONDITIONS = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "198": "Non-conformant cardinality",
    "199": "Other HL7 Error",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing",
    "203": "Unsupported version",
    "207": "Application error",
}
APPLICATION = {
    "900": "Version du document incorrecte lors d'une demande de remplacement/suppression",
    "901": "Auteur non autorisé à remplacer ou supprimer un document",
    "902": "Patient inconnu",
    "903": "INS absent du document",
    "904": "INS différent de celui enregistré",
    "905": "INS incomplet",
    "906": "Autre",
}


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment; fields count as in HL7 (MSH-1 is the field separator)."""

    fields: tuple[str, ...]

    @property
    def name(self) -> str:
        """Three letters."""
        return self.fields[0]

    def field(self, number: int) -> str:
        """Field as written, "" when absent."""
        return self.fields[number] if number < len(self.fields) else ""

    def part(self, number: int, component: int = 1, sub: int = 1, repetition: int = 1) -> str:
        """One subcomponent, without its escapes; "" when absent."""
        text = _nth(self.field(number), "~", repetition)
        return _plain(_nth(_nth(text, "^", component), "&", sub))

    def repetitions(self, number: int) -> list[str]:
        """The repetitions of a field."""
        return self.field(number).split("~") if self.field(number) else []


@dataclass(frozen=True, slots=True)
class Message:
    """The segments of a message, in order."""

    segments: tuple[Segment, ...]

    @property
    def msh(self) -> Segment:
        """The header."""
        return self.segments[0]

    def all(self, name: str) -> list[Segment]:
        """Every segment of that name."""
        return [one for one in self.segments if one.name == name]

    def one(self, name: str) -> Segment:
        """The only segment of that name. Raises `Refused` for none or several."""
        found = self.all(name)
        if len(found) != 1:
            raise Refused("198" if found else "100", f"segment.{name.lower()}", name)
        return found[0]


def read(data: bytes) -> Message:
    """A message whose segments end with CR and whose bytes are in the charset it declares. Raises `Refused`."""
    if not data.startswith(b"MSH|^~\\&|"):
        raise Refused("199", "msh.delimiters", "MSH^1^1", code="AR")
    header = data.split(b"\r", 1)[0].decode("latin-1").split("|")
    declared = header[17] if len(header) > 17 else ""
    codec = {"UNICODE UTF-8": "utf-8", "8859/15": "iso8859-15"}.get(declared)
    if codec is None:
        raise Refused("103", "msh.charset", "MSH^1^18")
    if b"\n" in data or not data.endswith(b"\r"):
        raise Refused("199", "segment.end")
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        raise Refused("102", "msh.charset", "MSH^1^18") from None
    segments = []
    for line in text.split("\r")[:-1]:
        fields = line.split("|")
        if len(fields[0]) != 3:
            raise Refused("100", "segment.name")
        segments.append(Segment((fields[0], "|", *fields[1:]) if fields[0] == "MSH" else tuple(fields)))
    return Message(tuple(segments))


def acknowledge(message: Message | None, own_id: str, at: datetime, refused: Refused | None = None) -> bytes:
    """The answer to a message, in its charset."""
    msh = Segment(("MSH",)) if message is None else message.msh
    event = msh.part(9, 2)
    header = ["MSH", "^~\\&", msh.field(5), msh.field(6), msh.field(3), msh.field(4), at.strftime("%Y%m%d%H%M%S"), ""]
    header += [f"ACK^{event}^ACK" if event else "ACK", own_id, msh.field(11) or "P", msh.field(12) or "2.6"]
    header += ["", "", "", "", "FRA", msh.field(18) or "UNICODE UTF-8"]
    code = "AA" if refused is None else refused.code
    lines = ["|".join(header), f"MSA|{code}|{msh.part(10)}"]
    if refused is not None:
        application = refused.application or "906"
        said = f"{application}^{APPLICATION[application]}^applicationErrorCondition"
        condition = f"{refused.condition}^{CONDITIONS[refused.condition]}^messageErrorCondition"
        lines.append(f"ERR||{refused.where}|{condition}|E|{said}|||{refused.rule}")
    codec = "iso8859-15" if msh.field(18) == "8859/15" else "utf-8"
    return "".join(f"{line}\r" for line in lines).encode(codec)


def _nth(text: str, mark: str, number: int) -> str:
    parts = text.split(mark)
    return parts[number - 1] if number <= len(parts) else ""


def _plain(text: str) -> str:
    parts = text.split("\\")
    if len(parts) % 2 == 0:
        return text
    return "".join(part if place % 2 == 0 else ESCAPES.get(part, part) for place, part in enumerate(parts))
