"""The systems that may send reports: the site they speak for, and how their numbers and codes are understood."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from navette_documents.identifiers import parse_rpps
from pydantic import AfterValidator, Field, TypeAdapter

from navette_report.domain.fields import Line, Strict
from navette_report.domain.imaging import Act

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,40}$")]
Text = Annotated[str, Field(min_length=1, max_length=180)]


class KnownExam(Strict):
    """What an examination code of a sender means here."""

    title: Line
    acts: Annotated[tuple[Act, ...], Field(min_length=1, max_length=10)]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a received report comes from, whatever way it came."""

    name: str
    site_id: str
    exams: Mapping[str, KnownExam]
    author_required: bool

    @property
    def actor(self) -> str:
        """Who the histories name for what it brought."""
        return f"intake:{self.name}"


class Sender(Strict):
    """One sending application of one facility (MSH-3 and MSH-4), of one site."""

    name: Name
    """How logs, histories and operators call it."""
    application: Text
    facility: Text
    site_id: Text
    authority: str = Field(default="", max_length=180)
    """Namespace (CX-4.1) under which its patient numbers are the IPP of the site."""
    authority_id: str = Field(default="", max_length=180)
    """Universal id (CX-4.2) of the same: FINESS, OID or name."""
    certificate: str = Field(default="", max_length=180)
    """Common name of the client certificate it must show; empty: any that the listener accepts."""
    accession_field: Literal["OBR-3", "OBR-18", "IPC-1"] = "OBR-3"
    """Where it puts the accession number."""
    exams: Mapping[str, KnownExam] = {}
    """Its examination codes; `modality:CT` stands for any examination of a modality that has no line of its own."""
    professionals: Mapping[str, Annotated[str, AfterValidator(parse_rpps)]] = {}
    """RPPS of the people it names by a number of its own."""
    author_required: bool = True
    """Whether a report without an identified author waits for somebody."""

    @property
    def source(self) -> Source:
        """What counts once its messages are read."""
        return Source(self.name, self.site_id, self.exams, author_required=self.author_required)


class SendersInvalid(ValueError):  # noqa: N818 - the senders are what is invalid
    """The file of senders contradicts itself; the message names the sender and the rule."""


_SENDERS = TypeAdapter(tuple[Sender, ...])
Senders = Mapping[tuple[str, str], Sender]


def load_senders(data: bytes, sites: Iterable[str]) -> Senders:
    """Senders by (MSH-3, MSH-4), from a JSON array.

    Raises SendersInvalid or pydantic.ValidationError: twice the same, no authority, a site nobody knows.
    """
    known, found = frozenset(sites), dict[tuple[str, str], Sender]()
    for one in _SENDERS.validate_json(data):
        key = (one.application, one.facility)
        rules = {
            "given twice": key in found or any(one.name == other.name for other in found.values()),
            "authority or authority_id is required": not (one.authority or one.authority_id),
            "unknown site": one.site_id not in known,
        }
        broken = next((rule for rule, is_broken in rules.items() if is_broken), None)
        if broken is not None:
            message = f"{one.name}: {broken}"
            raise SendersInvalid(message)
        found[key] = one
    return found
