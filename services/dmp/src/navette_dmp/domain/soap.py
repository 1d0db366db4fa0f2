"""SOAP 1.2 envelopes out, and everything that can come back (spec/dmp.md §3, §10.1, §14.2 (6))."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree
from navette_documents.xml import XmlRefused, parse_xml

from navette_dmp.domain.mtom import MtomError, inline, unpack
from navette_dmp.domain.names import SOAP, WSA, WSA_ANONYMOUS, WSSE, q

CONTENT_TYPE = "application/soap+xml"
_READABLE = frozenset({"multipart/related", CONTENT_TYPE, "text/xml", "application/xml", "application/xop+xml"})
_MAX_DEPTH = 60

_Element = etree._Element


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP fault: local names of code and subcode. Its text is not kept, it may quote the request."""

    code: str
    subcode: str | None


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An answer that is no SOAP message: a page of a proxy, an empty body, broken multipart."""

    rule: str
    status: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A SOAP answer: the first child of Body, attachments inlined."""

    body: _Element
    relates_to: str | None


def envelope(*, action: str, message_id: str, to: str, assertion: _Element, body: _Element) -> bytes:
    """Request envelope, UTF-8. The signed assertion is embedded as it is and serialised once."""
    root = etree.Element(q(SOAP, "Envelope"), nsmap={"soap": SOAP})
    header = etree.SubElement(root, q(SOAP, "Header"))
    _addressing(header, "MessageID", message_id)
    _addressing(header, "To", to)
    reply_to = etree.SubElement(header, q(WSA, "ReplyTo"), nsmap={"wsa": WSA})
    etree.SubElement(reply_to, q(WSA, "Address")).text = WSA_ANONYMOUS
    _addressing(header, "Action", action).set(q(SOAP, "mustUnderstand"), "true")
    security = etree.SubElement(header, q(WSSE, "Security"), nsmap={"wsse": WSSE})
    security.append(assertion)
    etree.SubElement(root, q(SOAP, "Body")).append(body)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def read_answer(status: int, content_type: str, data: bytes) -> Answer | Fault | Unreadable:
    """What an HTTP response says. Its own Content-Type decides how it is read, no expectation does."""
    try:
        root = _read_envelope(content_type, data)
        content = _body_content(root)
    except MtomError as error:
        return Unreadable(f"mtom: {error.rule}", status)
    except XmlRefused as error:
        return Unreadable(f"xml: {error.rule}", status)
    except _NotSoapError as error:
        return Unreadable(str(error), status)
    if content.tag == q(SOAP, "Fault"):
        return _fault(content)
    relates_to = root.findtext(f"{q(SOAP, 'Header')}/{q(WSA, 'RelatesTo')}")
    return Answer(content, relates_to.strip() if relates_to else None)


class _NotSoapError(ValueError):
    """The message is no SOAP 1.2 envelope."""


def _read_envelope(content_type: str, data: bytes) -> _Element:
    if not data.strip():
        raise _NotSoapError("empty body")
    if content_type.split(";", maxsplit=1)[0].strip().lower() not in _READABLE:
        raise _NotSoapError("content type")
    root_part, parts = unpack(content_type, data)
    root = parse_xml(root_part, max_depth=_MAX_DEPTH)
    if root.tag != q(SOAP, "Envelope"):
        raise _NotSoapError("no envelope")
    inline(root, parts)
    return root


def _body_content(root: _Element) -> _Element:
    body = root.find(q(SOAP, "Body"))
    content = None if body is None else next((e for e in body if isinstance(e.tag, str)), None)
    if content is None:
        raise _NotSoapError("empty envelope")
    return content


def _fault(element: _Element) -> Fault:
    code = element.findtext(f"{q(SOAP, 'Code')}/{q(SOAP, 'Value')}") or ""
    subcode = element.findtext(f"{q(SOAP, 'Code')}/{q(SOAP, 'Subcode')}/{q(SOAP, 'Value')}")
    return Fault(_local(code), _local(subcode) if subcode else None)


def _local(qname: str) -> str:
    return qname.strip().rpartition(":")[2]


def _addressing(header: _Element, tag: str, text: str) -> _Element:
    element = etree.SubElement(header, q(WSA, tag), nsmap={"wsa": WSA})
    element.text = text
    return element
