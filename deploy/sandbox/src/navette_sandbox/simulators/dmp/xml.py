"""Reading XML without DTD, entities or network, and small helpers on lxml trees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from lxml import etree

_DOCTYPE = b"<!DOCTYPE"


class XmlError(ValueError):
    """Not well-formed XML, or XML with a document type."""


def parse(data: bytes) -> etree._Element:
    """Root element of ``data``. Raises `XmlError`."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise XmlError("XML mal formé") from error
    if root.getroottree().docinfo.internalDTD is not None or _DOCTYPE in data[:4096].upper():
        raise XmlError("DOCTYPE interdit")
    return root


def children(element: etree._Element, tag: str) -> list[etree._Element]:
    """Direct children with that Clark name."""
    return [child for child in element if child.tag == tag]


def child(element: etree._Element | None, tag: str) -> etree._Element | None:
    """The first direct child with that Clark name."""
    return None if element is None else element.find(tag)


def elements(element: etree._Element) -> Iterator[etree._Element]:
    """Direct children that are elements (no comment, no processing instruction)."""
    return (item for item in element if isinstance(item.tag, str))


def text(element: etree._Element | None) -> str:
    """Stripped text of an element, empty if absent."""
    return "" if element is None or element.text is None else element.text.strip()


def attribute(element: etree._Element | None, name: str) -> str:
    """Attribute value, empty if absent."""
    return "" if element is None else str(element.get(name, ""))


def instant(value: str) -> datetime | None:
    """An xs:dateTime with a zone as an aware datetime, else ``None``."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", value):
        return None
    try:
        return datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None


def hl7_utc(value: str) -> str:
    """An HL7 time with offset as UTC digits of the same precision; without offset the digits are kept."""
    match = re.fullmatch(r"(\d{4,14})(?:\.\d+)?([+-]\d{4})?", value)
    if match is None:
        return value
    digits, offset = match[1], match[2]
    if offset is None or len(digits) < 12:
        return digits
    moment = datetime.strptime(digits.ljust(14, "0") + offset, "%Y%m%d%H%M%S%z").astimezone(UTC)
    return moment.strftime("%Y%m%d%H%M%S")[: len(digits)]
