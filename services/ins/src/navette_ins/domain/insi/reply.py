"""Replies and faults of the teleservice, read as leniently as its official test replies require (spec/ins.md §2.6).

By namespace and local name, never by prefix; children in any order; dates kept as text; nothing dropped because a
check of ours fails.
"""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree
from navette_documents.xml import XmlRefused, parse_xml

from navette_ins.domain.insi.names import RES, SIRAM, SOAP

MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, repr=False)
class Matricule:
    """A matricule as received: 13 characters and, usually, a key."""

    value: str
    oid: str


@dataclass(frozen=True, slots=True, repr=False)
class Individual:
    """The one person of a 00; an empty string stands for what the reply leaves out."""

    matricule: str
    oid: str
    birth_name: str
    given_names: str
    sex: str
    birth_date: str
    birth_place_code: str
    history: tuple[Matricule, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """CodeCR and, with 00, the person."""

    code: str
    individual: Individual | None


@dataclass(frozen=True, slots=True)
class FaultReply:
    """Codes of a SOAP fault; empty strings where it has none."""

    subcode: str
    detail: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Not an answer of the teleservice; `why` is a word, never its content."""

    why: str


def read_reply(data: bytes) -> Result | FaultReply | Unreadable:
    """Read what came back, whatever its HTTP status."""
    try:
        root = parse_xml(data, max_bytes=MAX_BYTES)
    except XmlRefused as refused:
        return Unreadable(refused.rule)
    fault = next(root.iter(f"{{{SOAP}}}Fault"), None)
    if fault is not None:
        return _fault(fault)
    result = next(root.iter(f"{{{RES}}}RESULTAT"), None)
    if result is None:
        return Unreadable("no_result")
    code = _text(result, "CR", "CodeCR")
    if code not in ("00", "01", "02"):
        return Unreadable("unknown_code")
    found = result.find(f"{{{RES}}}INDIVIDU")
    if code == "00" and found is None:
        return Unreadable("no_individual")
    return Result(code, _individual(found) if code == "00" and found is not None else None)


def _individual(element: etree._Element) -> Individual:
    active = element.find(f"{{{RES}}}INSACTIF")
    current = _matricule(active) if active is not None else Matricule("", "")
    given = _text(element, "TIQ", "ListePrenom") or _text(element, "TIQ", "Prenom")
    return Individual(
        matricule=current.value,
        oid=current.oid,
        birth_name=_text(element, "TIQ", "NomNaissance"),
        given_names=" ".join(given.replace(",", " ").split()),
        sex=_text(element, "TIQ", "Sexe"),
        birth_date=_text(element, "TIQ", "DateNaissance"),
        birth_place_code=_text(element, "TIQ", "LieuNaissance"),
        history=tuple(_matricule(one) for one in element.findall(f"{{{RES}}}INSHISTO")),
    )


def _matricule(element: etree._Element) -> Matricule:
    number = _text(element, "IdIndividu", "NumIdentifiant") + _text(element, "IdIndividu", "Cle")
    return Matricule(number, _text(element, "OID"))


def _fault(fault: etree._Element) -> FaultReply:
    values = [value.text or "" for value in fault.iter(f"{{{SOAP}}}Value")]
    subcode = next((value.split(":")[-1].strip() for value in values if "siram_" in value), "")
    error = next(fault.iter(f"{{{SIRAM}}}Erreur"), None)
    return FaultReply(subcode, "" if error is None else error.get("code", ""))


def _text(element: etree._Element, *path: str) -> str:
    found = element.find("/".join(f"{{{RES}}}{name}" for name in path))
    return "" if found is None else (found.text or "").strip()
