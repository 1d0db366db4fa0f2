"""Messages, segments, fields: parsed by splitting, kept as received, read by index as HL7 counts (from 1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from navette_documents.hl7v2.charset import Decoded, decode, encode
from navette_documents.hl7v2.errors import Hl7Error, Location, MessageError
from navette_documents.hl7v2.escapes import Delimiters, unescape

_LEADING = "\ufeff \t\r\n"
_TEXTS = {"OBX": 5, "NTE": 3}
"""Fields of words that people wrote in lines."""
_LINE = re.compile(r"[^\r\n]*[\r\n]+|[^\r\n]+\Z")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a message may weigh; a hostile one is refused before it is taken apart."""

    message_bytes: int = 64 * 1024 * 1024
    segments: int = 20_000
    fields: int = 400
    parts: int = 2_000
    """Repetitions, components and subcomponents of one field, together."""


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Repetition:
    """One repetition of a field."""

    text: str
    delimiters: Delimiters

    def component(self, number: int) -> str:
        """Component `number`, unescaped, "" when absent; of several subcomponents the first."""
        return self.sub(number, 1)

    def sub(self, component: int, number: int) -> str:
        """Subcomponent, unescaped, "" when absent."""
        components = self.text.split(self.delimiters.component)
        if component > len(components):
            return ""
        subs = components[component - 1].split(self.delimiters.subcomponent)
        return unescape(subs[number - 1], self.delimiters) if number <= len(subs) else ""

    def raw(self, component: int) -> str:
        """Component as written, with its subcomponents and escapes; "" when absent."""
        components = self.text.split(self.delimiters.component)
        return components[component - 1] if component <= len(components) else ""

    @property
    def empty(self) -> bool:
        """Nothing but delimiters."""
        return not self.text.strip(self.delimiters.component + self.delimiters.subcomponent + " ")


@dataclass(frozen=True)
class Segment:
    """One segment: its text as received and the line end that followed it."""

    text: str
    end: str
    delimiters: Delimiters
    sequence: int = 1
    """Which one of its name in the message, from 1."""

    @property
    def name(self) -> str:
        """Three characters."""
        return self.text[:3]

    @cached_property
    def _fields(self) -> list[str]:
        mark = self.delimiters.field
        parts = self.text.split(mark)
        return [parts[0], mark, *parts[1:]] if self.name == "MSH" else parts

    def raw(self, number: int) -> str:
        """Field as written; "" when absent."""
        return self._fields[number] if number < len(self._fields) else ""

    def repetitions(self, number: int) -> list[Repetition]:
        """The repetitions of a field that hold something; empty ones (`~~`) are passed over."""
        found = (Repetition(one, self.delimiters) for one in self.raw(number).split(self.delimiters.repetition))
        return [one for one in found if not one.empty]

    def first(self, number: int) -> Repetition:
        """The first repetition of a field, empty when there is none."""
        found = self.repetitions(number)
        return found[0] if found else Repetition("", self.delimiters)

    def value(self, number: int) -> str:
        """First component of the first repetition, unescaped, without blanks around it."""
        return self.first(number).component(1).strip()

    def at(self, number: int, repetition: int | None = None, component: int | None = None) -> Location:
        """The position of a field of this segment."""
        return Location(self.name, self.sequence, number, repetition, component)


@dataclass(frozen=True)
class Message:
    """A message that keeps everything, in order, known or not."""

    segments: tuple[Segment, ...]
    prefix: str
    """What stood before MSH: blank lines, a byte order mark."""
    decoded: Decoded = field(repr=False)

    def __repr__(self) -> str:
        return "Message(…)"

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    @property
    def msh(self) -> Segment:
        """The header."""
        return self.segments[0]

    @property
    def charset(self) -> str:
        """The charset it was read with, named as in MSH-18."""
        return self.decoded.charset

    def get(self, name: str) -> Segment | None:
        """The first segment of that name."""
        return next((one for one in self.segments if one.name == name), None)

    def all(self, name: str) -> list[Segment]:
        """Every segment of that name, in order."""
        return [one for one in self.segments if one.name == name]

    def require(self, name: str) -> Segment:
        """The first segment of that name. Raises Hl7Error when the message has none."""
        found = self.get(name)
        if found is None:
            raise Hl7Error(MessageError.SEGMENT_SEQUENCE, "segment_missing", Location(name))
        return found

    @property
    def message_type(self) -> str:
        """MSH-9.1, e.g. "ADT"."""
        return self.msh.first(9).component(1).strip()

    @property
    def event(self) -> str:
        """MSH-9.2, or EVN-1 when an old system writes the type alone."""
        told = self.msh.first(9).component(2).strip()
        if told:
            return told
        evn = self.get("EVN")
        return evn.value(1) if evn is not None else ""

    @property
    def control_id(self) -> str:
        """MSH-10."""
        return self.msh.value(10)

    def serialise(self) -> bytes:
        """Exactly the bytes that were parsed."""
        return encode(self.prefix + "".join(one.text + one.end for one in self.segments), self.charset)

    def canonical(self) -> bytes:
        """The same content with every segment ended by CR, as HL7 requires on output."""
        return encode("".join(one.text + "\r" for one in self.segments), self.charset)


def parse(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Message:
    """Read a message; CR, LF and CRLF end segments, a line that begins no segment continues the one before.

    Raises Hl7Error: too large, no MSH, unusable delimiters, control bytes, or more parts than `limits` allow.
    """
    if len(data) > limits.message_bytes:
        raise Hl7Error(MessageError.OTHER, "message_too_large")
    if b"\x00" in data:
        raise Hl7Error(MessageError.OTHER, "null_byte")
    decoded = decode(data)
    body = decoded.text.lstrip(_LEADING)
    prefix = decoded.text[: len(decoded.text) - len(body)]
    delimiters = _delimiters(body)
    segments: list[Segment] = []
    counts: dict[str, int] = {}
    for text, end in _lines(body, delimiters):
        if len(segments) >= limits.segments:
            raise Hl7Error(MessageError.CARDINALITY, "too_many_segments")
        name = text[:3]
        counts[name] = counts.get(name, 0) + 1
        segment = Segment(text, end, delimiters, counts[name])
        _weigh(segment, limits)
        segments.append(segment)
    return Message(tuple(segments), prefix, decoded)


def _delimiters(body: str) -> Delimiters:
    if not body.startswith("MSH"):
        raise Hl7Error(MessageError.SEGMENT_SEQUENCE, "no_msh", Location("MSH"))
    mark = body[3:4]
    msh2 = body[4:].split(mark, 1)[0] if mark else ""
    # MSH-2 may hold a fifth character since HL7 2.7 (truncation): kept in the text, of no use here. An ANS example
    # has a small tilde (U+02DC) as repetition mark: any printable sign will do.
    marks = [mark, *msh2[:4]]
    unusable = len(marks) != 5 or len(set(marks)) != 5 or len(msh2) > 5
    if unusable or any(one.isalnum() or one.isspace() or not one.isprintable() for one in marks):
        raise Hl7Error(MessageError.OTHER, "delimiters", Location("MSH", 1, 2))
    return Delimiters(*marks)


def _lines(body: str, delimiters: Delimiters) -> Iterator[tuple[str, str]]:
    """Segments with their ends. A line that starts no segment (a break inside a field) stays with the one before."""
    held: list[str] = []
    mark, marks = delimiters.field, 0
    for line in _broken(body):
        if held and _starts_segment(line, mark):
            # A name without fields ("RAS", "IRM") is a line of the text before it, when that is not closed yet.
            word = mark not in line and marks == _TEXTS.get(held[0][:3])
            if not word:
                yield _cut("".join(held))
                held, marks = [], 0
        held.append(line)
        marks += line.count(mark)
    yield _cut("".join(held))


def _broken(body: str) -> list[str]:
    """The lines with their ends. One kind of line end is the rule, and cut at the speed of a copy."""
    if "\n" not in body:
        return [f"{line}\r" for line in body.split("\r")[:-1]] + [body[body.rfind("\r") + 1 :]]
    return _LINE.findall(body)


def _starts_segment(line: str, mark: str) -> bool:
    name = line[:3]
    known = len(name) == 3 and name.isascii() and name.isalnum() and name.upper() == name and not name[0].isdigit()
    return known and (len(line) == 3 or line[3] in (mark, "\r", "\n"))


def _cut(chunk: str) -> tuple[str, str]:
    text = chunk.rstrip("\r\n")
    return text, chunk[len(text) :]


def _weigh(segment: Segment, limits: Limits) -> None:
    """Refuse what would be costly to split. A field of base64 holds no delimiter and may be long."""
    if len(segment.text) <= min(limits.fields, limits.parts):
        return
    marks = segment.delimiters
    if segment.text.count(marks.field) > limits.fields:
        raise Hl7Error(MessageError.CARDINALITY, "too_many_fields", Location(segment.name, segment.sequence))
    inner = (marks.component, marks.subcomponent, marks.repetition)
    if sum(segment.text.count(one) for one in inner) <= limits.parts:
        return
    shift = 1 if segment.name == "MSH" else 0
    for number, text in enumerate(segment.text.split(marks.field)):
        if sum(text.count(one) for one in inner) > limits.parts:
            raise Hl7Error(MessageError.CARDINALITY, "too_many_parts", segment.at(number + shift))
