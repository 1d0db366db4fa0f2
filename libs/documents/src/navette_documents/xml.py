"""Parsing of XML that comes from outside: no DTD, no entities, no network, bounded size and depth.

Source: DESIGN §6; spec/dmp.md §13.4 and §14.2 (9).
"""

from __future__ import annotations

from xml.parsers import expat

from lxml import etree

DEFAULT_MAX_BYTES = 50_000_000
DEFAULT_MAX_DEPTH = 100


class XmlRefused(ValueError):  # noqa: N818 - the document is refused; "RefusedError" would say it twice
    """The document is not read. `rule` is one of: size, dtd, depth, syntax, empty."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"xml: {rule}")
        self.rule = rule


def _scan(data: bytes, max_depth: int) -> None:
    """Refuse a DTD before anything in it is interpreted, and too deep a tree before one is built."""
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    depth = 0

    def doctype(*_: object) -> None:
        raise XmlRefused("dtd")

    def start(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > max_depth:
            raise XmlRefused("depth")

    def end(*_: object) -> None:
        nonlocal depth
        depth -= 1

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        raise XmlRefused("syntax") from None


def parse_xml(data: bytes, *, max_bytes: int = DEFAULT_MAX_BYTES, max_depth: int = DEFAULT_MAX_DEPTH) -> etree._Element:
    """Root element of `data`.

    `max_bytes` bounds the document as received, `max_depth` the nesting of its elements.
    Raises XmlRefused, whose text never quotes the document.
    """
    if not data.strip():
        raise XmlRefused("empty")
    if len(data) > max_bytes:
        raise XmlRefused("size")
    _scan(data, max_depth)
    # huge_tree lifts libxml2's 10 MB limit on one text node, which a PDF in base64 can pass. The attacks
    # that limit guards against (entity expansion, depth) are refused above, and the size is bounded.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=True
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        raise XmlRefused("syntax") from None
