"""The request of a search by traits, elements in the order of the schemas (spec/ins.md §2.2, §2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

from navette_ins.domain.insi.names import BAM, LPS, REC, SEARCH_BY_TRAITS, SOAP, WSA
from navette_ins.domain.insi.plan import Query

CONTENT_TYPE = f'application/soap+xml; charset=utf-8; action="{SEARCH_BY_TRAITS}"'


@dataclass(frozen=True, slots=True)
class Software:
    """Who calls: the authorisation number of the CNDA, and how the software calls itself."""

    idam: str
    name: str
    version: str
    instance: str
    """UUID of the installation."""
    sender: str
    """Emetteur: OU of the client certificate."""


@dataclass(frozen=True, slots=True)
class MessageIds:
    """Three fresh UUIDs of one call."""

    message: str
    bam: str
    lps: str


def search_request(query: Query, software: Software, ids: MessageIds, *, at: datetime) -> bytes:
    """The SOAP 1.2 envelope, UTF-8. The message id is `uuid:<uuid>`; a fault echoes it."""
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP, "wsa": WSA, "bam": BAM, "lps": LPS})
    header = etree.SubElement(envelope, f"{{{SOAP}}}Header")
    _text(header, WSA, "Action", SEARCH_BY_TRAITS)
    _text(header, WSA, "MessageID", f"uuid:{ids.message}")
    bam = etree.SubElement(header, f"{{{BAM}}}ContexteBAM", Nature="CTXBAM", Version="01_02")
    _text(bam, BAM, "Id", ids.bam)
    _text(bam, BAM, "Temps", moment)
    _text(bam, BAM, "Emetteur", software.sender)
    etree.SubElement(bam, f"{{{BAM}}}COUVERTURE")
    lps = etree.SubElement(header, f"{{{LPS}}}ContexteLPS", Nature="CTXLPS", Version="01_00")
    _text(lps, LPS, "Id", ids.lps)
    _text(lps, LPS, "Temps", moment)
    _text(lps, LPS, "Emetteur", software.sender)
    own = etree.SubElement(lps, f"{{{LPS}}}LPS")
    _text(own, LPS, "IDAM", software.idam).set("R", "4")
    _text(own, LPS, "Version", software.version)
    _text(own, LPS, "Instance", software.instance)
    _text(own, LPS, "Nom", f"urn:lps:{software.name}:{software.version}")
    body = etree.SubElement(envelope, f"{{{SOAP}}}Body")
    search = etree.SubElement(body, f"{{{REC}}}RECSANSVITALE", nsmap={"rec": REC})
    _text(search, REC, "NomNaissance", query.birth_name)
    _text(search, REC, "Prenom", query.given_name)
    _text(search, REC, "Sexe", query.sex)
    _text(search, REC, "DateNaissance", query.birth_date)
    if query.birth_place_code is not None:
        _text(search, REC, "LieuNaissance", query.birth_place_code)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def _text(parent: etree._Element, namespace: str, name: str, value: str) -> etree._Element:
    child = etree.SubElement(parent, f"{{{namespace}}}{name}")
    child.text = value
    return child
