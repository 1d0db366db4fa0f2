"""Reads a request as the teleservice does: SOAP envelope, addressing, both contexts (spec/ins.md §2.1-2.2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import Message

from lxml import etree

from navette_sandbox.simulators.insi import assertions
from navette_sandbox.simulators.insi.faults import Refusal

SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
BAM = "urn:siram:bam:ctxbam"
LPS = "urn:siram:lps:ctxlps"
ACTIONS = {
    "urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecCarteVitale": "RECVITALE",
    "urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecTraitsIdentite": "RECSANSVITALE",
}
CERTIFICATE_NAMES = ("INSI-MANU", "INSI-AUTO")
MAX_AGE = timedelta(minutes=5)

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z")


@dataclass(frozen=True)
class Caller:
    """What the TLS handshake says of the client: subject CN and OU; nothing on the port of assertions."""

    common_name: str
    organisational_unit: str
    anonymous: bool = False


@dataclass(frozen=True)
class Request:
    """A request whose headers obey every rule; `payload` is the single child of the body."""

    action: str
    message_id: str
    payload: etree._Element
    covered_number: str | None
    cover: etree._Element | None = None


def read(body: bytes, content_type: str, caller: Caller, now: datetime) -> Request:
    """Check everything around the payload. Raises `Refusal` at the first broken rule."""
    if not caller.anonymous and caller.common_name not in CERTIFICATE_NAMES:
        raise Refusal("desir_560", "certificate CN is INSI-MANU or INSI-AUTO")
    envelope = _envelope(body)
    header, soap_body = _header_and_body(envelope)
    said = assertions.read_all(header, now)
    if caller.anonymous:
        # Emetteur is then the NameID of the assertion.
        caller = Caller("", assertions.professional(said))
    action = _single_text(header, WSA, "Action", "desir_9002")
    if action not in ACTIONS:
        raise Refusal("desir_9002", "wsa:Action is a known operation")
    _content_type(content_type, action)
    message_id = _single_text(header, WSA, "MessageID", "desir_9002")
    if not re.fullmatch(f"uuid:{_UUID}", message_id):
        raise Refusal("desir_9002", "wsa:MessageID is uuid:<uuid4>")
    covered = _check_bam(_single(header, BAM, "ContexteBAM", "desir_9003"), action, caller, now)
    _check_lps(_single(header, LPS, "ContexteLPS", "desir_9004"), caller, now)
    if covered is not None:
        assertions.check_card(said, covered, now)
    children = _elements(soap_body)
    if len(children) != 1 or etree.QName(children[0]).localname != ACTIONS[action]:
        raise Refusal("desir_9005", "body holds the one element of the operation")
    cover = None if covered is None else header.find(f".//{{{BAM}}}COUVERTURE")
    return Request(action=action, message_id=message_id, payload=children[0], covered_number=covered, cover=cover)


def message_id_of(body: bytes) -> str | None:
    """The wsa:MessageID of a request, even a refused one, for the fault to echo; None when unreadable."""
    try:
        found = _envelope(body).find(f".//{{{WSA}}}MessageID")
    except Refusal:
        return None
    return None if found is None else (found.text or "").strip() or None


def _envelope(body: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Refusal("desir_9001", "request is well-formed XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Refusal("desir_9001", "request carries no document type")
    if root.tag != f"{{{SOAP}}}Envelope":
        raise Refusal("desir_9001", "root is a SOAP 1.2 Envelope")
    return root


def _header_and_body(envelope: etree._Element) -> tuple[etree._Element, etree._Element]:
    children = _elements(envelope)
    if [child.tag for child in children] != [f"{{{SOAP}}}Header", f"{{{SOAP}}}Body"]:
        raise Refusal("desir_9001", "envelope holds Header then Body")
    return children[0], children[1]


def _content_type(content_type: str, action: str) -> None:
    message = Message()
    message["Content-Type"] = content_type
    if message.get_content_type() != "application/soap+xml":
        raise Refusal("desir_9001", "Content-Type is application/soap+xml")
    if str(message.get_param("charset", "")).lower() != "utf-8":
        raise Refusal("desir_9001", "Content-Type names charset utf-8")
    if message.get_param("action") != action:
        raise Refusal("desir_9002", "Content-Type action equals wsa:Action")


def _check_bam(bam: etree._Element, action: str, caller: Caller, now: datetime) -> str | None:
    code = "desir_9003"
    _attributes(bam, "CTXBAM", "01_02", code)
    _order(bam, BAM, ("Id", "Temps", "Emetteur", "DateRef", "COUVERTURE"), ("Id", "Temps", "COUVERTURE"), code)
    _identifier(bam, BAM, code)
    _instant(bam, BAM, now, code)
    _sender(bam, BAM, caller, code)
    cover = _single(bam, BAM, "COUVERTURE", code)
    if ACTIONS[action] == "RECSANSVITALE":
        if len(cover) or (cover.text or "").strip():
            raise Refusal(code, "COUVERTURE is empty for a search on traits")
        return None
    _order(
        cover,
        BAM,
        ("GrandRegime", "Organisme", "CodeCentre", "ASSURE", "BENEFICIAIRE"),
        ("ASSURE", "BENEFICIAIRE"),
        code,
    )
    number = cover.findtext(f"{{{BAM}}}ASSURE/{{{BAM}}}Id/{{{BAM}}}Num") or ""
    if not re.fullmatch(r"\d{6}[AB0-9]\d{6}", number):
        raise Refusal(code, "COUVERTURE/ASSURE/Id/Num is a 13 character number")
    born = cover.findtext(f"{{{BAM}}}BENEFICIAIRE/{{{BAM}}}DateNai")
    if born is not None and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", born):
        raise Refusal(code, "BENEFICIAIRE/DateNai is AAAA-MM-JJ")
    rank = cover.findtext(f"{{{BAM}}}BENEFICIAIRE/{{{BAM}}}Rang")
    if rank is not None and not re.fullmatch(r"\d", rank):
        raise Refusal(code, "BENEFICIAIRE/Rang is one digit")
    bearer = cover.findtext(f"{{{BAM}}}BENEFICIAIRE/{{{BAM}}}Porteur")
    if bearer is not None and not re.fullmatch(r"\d", bearer):
        raise Refusal(code, "BENEFICIAIRE/Porteur is one digit")
    return number


def _check_lps(lps: etree._Element, caller: Caller, now: datetime) -> None:
    code = "desir_9004"
    _attributes(lps, "CTXLPS", "01_00", code)
    _order(lps, LPS, ("Id", "Temps", "Emetteur", "LPS"), ("Id", "Temps", "Emetteur", "LPS"), code)
    _identifier(lps, LPS, code)
    _instant(lps, LPS, now, code)
    _sender(lps, LPS, caller, code)
    software = _single(lps, LPS, "LPS", code)
    number = software.find(f"{{{LPS}}}IDAM")
    if number is None or not (number.text or "").strip() or number.get("R") != "4":
        raise Refusal("desir_550", "LPS/IDAM R=4 holds the CNDA authorisation number")
    names = ("IDAM", "Version", "Instance", "Nom")
    _order(software, LPS, names, names, code)
    if not re.fullmatch(_UUID, (software.findtext(f"{{{LPS}}}Instance") or "").strip()):
        raise Refusal(code, "LPS/Instance is a UUID")
    if not re.fullmatch(r"urn:lps:[^:]+:[^:]+", software.findtext(f"{{{LPS}}}Nom") or ""):
        raise Refusal(code, "LPS/Nom is urn:lps:<name>:<version>")


def _attributes(context: etree._Element, nature: str, version: str, code: str) -> None:
    if context.get("Nature", nature) != nature or context.get("Version") != version:
        raise Refusal(code, f"Nature is {nature} and Version is {version}")


def _identifier(context: etree._Element, namespace: str, code: str) -> None:
    if not re.fullmatch(_UUID, (context.findtext(f"{{{namespace}}}Id") or "").strip()):
        raise Refusal(code, "Id is a UUID")


def _instant(context: etree._Element, namespace: str, now: datetime, code: str) -> None:
    text = (context.findtext(f"{{{namespace}}}Temps") or "").strip()
    if not _INSTANT.fullmatch(text):
        raise Refusal(code, "Temps is an xs:dateTime in UTC")
    if abs(now - datetime.fromisoformat(text)) > MAX_AGE:
        raise Refusal(code, "Temps is the present time")


def _sender(context: etree._Element, namespace: str, caller: Caller, code: str) -> None:
    sender = context.findtext(f"{{{namespace}}}Emetteur")
    if sender is not None and sender.strip() != caller.organisational_unit:
        raise Refusal(code, "Emetteur is the OU of the client certificate, or the NameID of the assertion")


def _order(
    parent: etree._Element, namespace: str, allowed: tuple[str, ...], required: tuple[str, ...], code: str
) -> None:
    """Children are in the namespace, in the order of the schema, each at most once, none missing."""
    names = []
    for child in _elements(parent):
        name = etree.QName(child)
        if name.namespace != namespace or name.localname not in allowed:
            raise Refusal(code, f"{etree.QName(parent).localname} holds only the elements of the schema")
        names.append(name.localname)
    if names != sorted(set(names), key=allowed.index):
        raise Refusal(code, f"elements of {etree.QName(parent).localname} are in the order of the schema")
    missing = [name for name in required if name not in names]
    if missing:
        raise Refusal(code, f"{etree.QName(parent).localname}/{missing[0]} is present")


def _single(parent: etree._Element, namespace: str, name: str, code: str) -> etree._Element:
    found = parent.findall(f"{{{namespace}}}{name}")
    if len(found) != 1:
        raise Refusal(code, f"{name} is present once")
    return found[0]


def _single_text(parent: etree._Element, namespace: str, name: str, code: str) -> str:
    return (_single(parent, namespace, name, code).text or "").strip()


def _elements(parent: etree._Element) -> list[etree._Element]:
    return [child for child in parent if isinstance(child.tag, str)]
