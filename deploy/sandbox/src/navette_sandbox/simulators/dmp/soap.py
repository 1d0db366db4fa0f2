"""SOAP 1.2 envelope with WS-Addressing: reading, strict header checks, answers and faults (spec/dmp.md §3)."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

from lxml import etree

from navette_sandbox.simulators.dmp import names
from navette_sandbox.simulators.dmp.errors import DmpFaultError, RegistryError
from navette_sandbox.simulators.dmp.names import q
from navette_sandbox.simulators.dmp.xml import XmlError, children, elements, parse, text

_UUID_URN = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request whose headers passed: addressing values, the VIHF and the body element."""

    message_id: str
    action: str
    assertion: etree._Element
    body: etree._Element
    root: etree._Element


def _header(header: etree._Element, name: str) -> etree._Element:
    found = children(header, q(names.WSA, name))
    if len(found) != 1:
        raise DmpFaultError(
            f"addressing.{name}",
            "MessageAddressingHeaderRequired",
            "A required header representing a Message Addressing Property is not present",
        )
    return found[0]


def read_envelope(data: bytes) -> Envelope:
    """Parse a request. Raises `DmpFaultError` if it is not SOAP 1.2 with the headers of §3."""
    try:
        root = parse(data)
    except XmlError as error:
        raise DmpFaultError("soap.xml", "InvalidXml", f"Enveloppe illisible : {error}") from error
    if root.tag != q(names.SOAP, "Envelope"):
        raise DmpFaultError("soap.version", "VersionMismatch", "Enveloppe SOAP 1.2 attendue")
    header, body = root.find(q(names.SOAP, "Header")), root.find(q(names.SOAP, "Body"))
    if header is None or body is None:
        raise DmpFaultError("soap.structure", "InvalidEnvelope", "Header et Body attendus")
    message_id = text(_header(header, "MessageID"))
    if not _UUID_URN.fullmatch(message_id):
        raise DmpFaultError("addressing.MessageID", "InvalidAddressingHeader", "MessageID : urn:uuid attendu")
    _header(header, "To")
    reply_to = text(_header(header, "ReplyTo").find(q(names.WSA, "Address")))
    if reply_to != names.WSA_ANONYMOUS:
        raise DmpFaultError("addressing.ReplyTo", "InvalidAddressingHeader", "ReplyTo : anonymous attendu")
    action = text(_header(header, "Action"))
    security = children(header, q(names.WSSE, "Security"))
    assertions = children(security[0], q(names.SAML, "Assertion")) if len(security) == 1 else []
    if len(assertions) != 1:
        raise DmpFaultError("vihf.absent", "InvalidVIHF", "Un VIHF et un seul est attendu dans wsse:Security")
    content = list(elements(body))
    if len(content) != 1:
        raise DmpFaultError("soap.body", "InvalidEnvelope", "Un élément et un seul est attendu dans Body")
    return Envelope(message_id, action, assertions[0], content[0], root)


def answer(action: str, relates_to: str, content: etree._Element) -> bytes:
    """An envelope around ``content`` with the response headers."""
    envelope = etree.Element(q(names.SOAP, "Envelope"), nsmap={"soap": names.SOAP, "wsa": names.WSA})
    header = etree.SubElement(envelope, q(names.SOAP, "Header"))
    for name, value in (
        ("Action", action),
        ("MessageID", f"urn:uuid:{uuid.uuid4()}"),
        ("To", names.WSA_ANONYMOUS),
        ("RelatesTo", relates_to),
    ):
        if value:
            etree.SubElement(header, q(names.WSA, name)).text = value
    etree.SubElement(envelope, q(names.SOAP, "Body")).append(content)
    return etree.tostring(envelope, xml_declaration=True, encoding="UTF-8")


def fault(error: DmpFaultError, relates_to: str) -> bytes:
    """The SOAP 1.2 fault of ``error``."""
    element = etree.Element(q(names.SOAP, "Fault"), nsmap={"soap": names.SOAP})
    code = etree.SubElement(element, q(names.SOAP, "Code"))
    etree.SubElement(code, q(names.SOAP, "Value")).text = "soap:Sender" if error.sender else "soap:Receiver"
    subcode = etree.SubElement(code, q(names.SOAP, "Subcode"))
    etree.SubElement(subcode, q(names.SOAP, "Value")).text = f"soap:{error.subcode}"
    reason = etree.SubElement(element, q(names.SOAP, "Reason"))
    message = etree.SubElement(reason, q(names.SOAP, "Text"))
    message.set("{http://www.w3.org/XML/1998/namespace}lang", "fr")
    message.text = error.reason
    return answer(f"{names.WSA}/soap/fault", relates_to, element)


def registry_response(errors: tuple[RegistryError, ...] = ()) -> etree._Element:
    """``rs:RegistryResponse``: Success without errors, Failure with them."""
    element = etree.Element(q(names.RS, "RegistryResponse"), nsmap={"rs": names.RS})
    element.set("status", names.FAILURE if errors else names.SUCCESS)
    if errors:
        add_errors(element, errors)
    return element


def add_errors(parent: etree._Element, errors: tuple[RegistryError, ...]) -> None:
    """Append an ``rs:RegistryErrorList``."""
    listing = etree.SubElement(parent, q(names.RS, "RegistryErrorList"))
    listing.set("highestSeverity", names.SEVERITY_ERROR)
    for error in errors:
        item = etree.SubElement(listing, q(names.RS, "RegistryError"))
        item.set("errorCode", error.code)
        item.set("codeContext", error.context)
        item.set("severity", names.SEVERITY_ERROR)
        item.set("location", error.rule)
