"""Reads mailboxes out of Annuaire Santé bundles (FHIR R4, spec/annuaire.md §2.2-§2.3).

Only what is needed is looked at; unknown extensions and fields are ignored. A code is taken wherever the old and the
new versions of the profiles put it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

RPPS_SYSTEMS = ("https://rpps.esante.gouv.fr", "http://rpps.fr")
FINESS_SYSTEM = "https://finess.esante.gouv.fr"
_METADATA = "https://interop.esante.gouv.fr/ig/fhir/annuaire/StructureDefinition/as-ext-mailbox-mss-metadata"

Json = Mapping[str, Any]


class MailboxType(StrEnum):
    """Kinds of MSSanté mailboxes (TRE_R257)."""

    PER = "PER"
    ORG = "ORG"
    APP = "APP"
    CAB = "CAB"
    UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One usable MSSanté mailbox of a resource."""

    address: str
    type: MailboxType
    rank: int | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Practitioner:
    """A person: RPPS and the mailboxes bound to it alone."""

    id: str
    rpps: str
    active: bool
    mailboxes: tuple[Mailbox, ...]


@dataclass(frozen=True, slots=True)
class Role:
    """A *situation d'exercice*: a person at a structure."""

    practitioner: str
    organization: str
    active: bool
    mailboxes: tuple[Mailbox, ...]


@dataclass(frozen=True, slots=True)
class Organization:
    """A structure: FINESS when it has one, and its shared mailboxes."""

    id: str
    finess: frozenset[str]
    active: bool
    mailboxes: tuple[Mailbox, ...]


@dataclass(frozen=True, slots=True)
class Directory:
    """What one or several bundles say."""

    practitioners: tuple[Practitioner, ...] = ()
    roles: tuple[Role, ...] = ()
    organizations: tuple[Organization, ...] = field(default=())


def read_bundles(bundles: Iterable[Json]) -> Directory:
    """Everything usable in search results; a resource met twice counts once."""
    practitioners: dict[str, Practitioner] = {}
    roles: dict[str, Role] = {}
    organizations: dict[str, Organization] = {}
    for resource in _resources(bundles):
        identifier, active = str(resource.get("id", "")), resource.get("active") is True
        boxes = tuple(_mailboxes(resource))
        match resource.get("resourceType"):
            case "Practitioner":
                rpps = next(iter(_identifiers(resource, RPPS_SYSTEMS)), "")
                practitioners[identifier] = Practitioner(identifier, rpps, active, boxes)
            case "PractitionerRole":
                person, structure = _reference(resource, "practitioner"), _reference(resource, "organization")
                roles[identifier] = Role(person, structure, active, boxes)
            case "Organization":
                finess = frozenset(_identifiers(resource, (FINESS_SYSTEM,)))
                organizations[identifier] = Organization(identifier, finess, active, boxes)
    return Directory(tuple(practitioners.values()), tuple(roles.values()), tuple(organizations.values()))


def _resources(bundles: Iterable[Json]) -> Iterator[Json]:
    for bundle in bundles:
        for entry in _objects(bundle.get("entry")):
            resource = entry.get("resource")
            if isinstance(resource, Mapping):
                yield resource


def _identifiers(resource: Json, systems: tuple[str, ...]) -> Iterator[str]:
    for one in _objects(resource.get("identifier")):
        if one.get("system") in systems and isinstance(one.get("value"), str):
            yield one["value"]


def _reference(resource: Json, name: str) -> str:
    reference = resource.get(name)
    text = reference.get("reference") if isinstance(reference, Mapping) else None
    return str(text).rpartition("/")[2] if isinstance(text, str) else ""


def _mailboxes(resource: Json) -> Iterator[Mailbox]:
    for point in _objects(resource.get("telecom")):
        address = point.get("value")
        if point.get("system") != "email" or not isinstance(address, str) or "@" not in address:
            continue
        codes = set(_codes(point.get("extension")))
        if "MSSANTE" not in codes or _on_red_list(point):
            continue
        kind = next((MailboxType(code) for code in codes if code in set(MailboxType)), MailboxType.UNKNOWN)
        rank = point.get("rank")
        yield Mailbox(address.strip(), kind, rank if isinstance(rank, int) else None, _description(point))


def _codes(node: Any) -> Iterator[str]:
    """Every coding code below an extension list."""
    if isinstance(node, Mapping):
        code = node.get("code")
        if isinstance(code, str):
            yield code
        for value in node.values():
            yield from _codes(value)
    elif isinstance(node, list):
        for value in node:
            yield from _codes(value)


def _parts(point: Json) -> Iterator[Json]:
    for extension in _objects(point.get("extension")):
        if extension.get("url") == _METADATA:
            yield from _objects(extension.get("extension"))


def _on_red_list(point: Json) -> bool:
    return any(part.get("url") == "listeRouge" and part.get("valueBoolean") is True for part in _parts(point))


def _description(point: Json) -> str:
    return next((str(part.get("valueString", "")) for part in _parts(point) if part.get("url") == "description"), "")


def _objects(node: Any) -> Iterator[Json]:
    if isinstance(node, list):
        yield from (one for one in node if isinstance(one, Mapping))
