"""The requests of both searches, elements in the order of the schemas (spec/ins.md §2.2, §2.4, §2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from navette_ins.domain.insi.card import CardQuery
from navette_ins.domain.insi.names import BAM, LPS, REC, SEARCH_BY_CARD, SEARCH_BY_TRAITS, SOAP, VIT, WSA, WSSE
from navette_ins.domain.insi.plan import Query


@dataclass(frozen=True, slots=True)
class Software:
    """The authorisation number of the CNDA, and how the software calls itself."""

    idam: str
    name: str
    version: str
    instance: str
    """UUID of the installation."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: Emetteur, and the assertions of `wsse:Security` (none with a software certificate)."""

    sender: str
    """OU of the client certificate, or NameID of the assertion."""
    assertions: tuple[etree._Element, ...] = ()


@dataclass(frozen=True, slots=True)
class MessageIds:
    """Three fresh UUIDs of one call."""

    message: str
    bam: str
    lps: str


def action_of(query: Query | CardQuery) -> str:
    """The operation that answers a query; also the `action` of its Content-Type."""
    return SEARCH_BY_CARD if isinstance(query, CardQuery) else SEARCH_BY_TRAITS


def content_type(action: str) -> str:
    """Content-Type of a call."""
    return f'application/soap+xml; charset=utf-8; action="{action}"'


def search_request(
    query: Query | CardQuery, software: Software, caller: Caller, ids: MessageIds, *, at: datetime
) -> bytes:
    """The SOAP 1.2 envelope, UTF-8. The message id is `uuid:<uuid>`; a fault echoes it."""
    moment = instant(at)
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP, "wsa": WSA, "bam": BAM, "lps": LPS})
    header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
    _text(header, WSA, "Action", action_of(query))
    _text(header, WSA, "MessageID", f"uuid:{ids.message}")
    if caller.assertions:
        _security(header, caller.assertions)
    bam = etree.SubElement(header, f"{{{BAM}}}ContexteBAM", Nature="CTXBAM", Version="01_02")
    _text(bam, BAM, "Id", ids.bam)
    _text(bam, BAM, "Temps", moment)
    _text(bam, BAM, "Emetteur", caller.sender)
    cover = etree.SubElement(bam, f"{{{BAM}}}COUVERTURE")
    if isinstance(query, CardQuery):
        _cover(cover, query)
    _context_lps(header, software, caller, ids, moment)
    body = etree.SubElement(envelope, f"{{{SOAP}}}Body")
    if isinstance(query, CardQuery):
        _card(body, query)
    else:
        _traits(body, query)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def instant(at: datetime) -> str:
    """An xs:dateTime in UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _security(header: etree._Element, assertions: Sequence[etree._Element]) -> None:
    security = etree.SubElement(header, f"{{{WSSE}}}Security", nsmap={"wsse": WSSE})
    for assertion in assertions:
        security.append(assertion)


def _context_lps(header: etree._Element, software: Software, caller: Caller, ids: MessageIds, moment: str) -> None:
    lps = etree.SubElement(header, f"{{{LPS}}}ContexteLPS", Nature="CTXLPS", Version="01_00")
    _text(lps, LPS, "Id", ids.lps)
    _text(lps, LPS, "Temps", moment)
    _text(lps, LPS, "Emetteur", caller.sender)
    own = etree.SubElement(lps, f"{{{LPS}}}LPS")
    _text(own, LPS, "IDAM", software.idam).set("R", "4")
    _text(own, LPS, "Version", software.version)
    _text(own, LPS, "Instance", software.instance)
    _text(own, LPS, "Nom", f"urn:lps:{software.name}:{software.version}")


def _traits(body: etree._Element, query: Query) -> None:
    search = etree.SubElement(body, f"{{{REC}}}RECSANSVITALE", nsmap={"rec": REC})
    _text(search, REC, "NomNaissance", query.birth_name)
    _text(search, REC, "Prenom", query.given_name)
    _text(search, REC, "Sexe", query.sex)
    _text(search, REC, "DateNaissance", query.birth_date)
    if query.birth_place_code is not None:
        _text(search, REC, "LieuNaissance", query.birth_place_code)


def _cover(cover: etree._Element, query: CardQuery) -> None:
    """The values of the search again: the insured, and the beneficiary the person at the desk picked."""
    insured = etree.SubElement(etree.SubElement(cover, f"{{{BAM}}}ASSURE"), f"{{{BAM}}}Id")
    _text(insured, BAM, "Num", query.insured_number)
    beneficiary = etree.SubElement(cover, f"{{{BAM}}}BENEFICIAIRE")
    if query.own_number is not None:
        _text(etree.SubElement(beneficiary, f"{{{BAM}}}Nir"), BAM, "Num", query.own_number)
    _text(beneficiary, BAM, "DateNai", query.birth_date)
    _text(beneficiary, BAM, "Rang", query.birth_rank)
    if query.bearer is not None:
        _text(beneficiary, BAM, "Porteur", query.bearer)


def _card(body: etree._Element, query: CardQuery) -> None:
    search = etree.SubElement(body, f"{{{VIT}}}RECVITALE", nsmap={"vit": VIT})
    if query.own_number is not None:
        _text(etree.SubElement(search, f"{{{VIT}}}MatriculeIndividu"), VIT, "NumIdentifiant", query.own_number)
    _text(etree.SubElement(search, f"{{{VIT}}}MatriculeOD"), VIT, "NumIdentifiant", query.insured_number)
    _text(search, VIT, "NomNaissance", query.birth_name)
    _text(search, VIT, "DateNaissance", query.birth_date)
    _text(search, VIT, "RangNaissance", query.birth_rank)


def _text(parent: etree._Element, namespace: str, name: str, value: str) -> etree._Element:
    child = etree.SubElement(parent, f"{{{namespace}}}{name}")
    child.text = value
    return child
