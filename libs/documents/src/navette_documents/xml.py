"""Parsing of XML that comes from outside: no DTD, no entities, no network, bounded size and depth.

Source: DESIGN §6; spec/dmp.md §13.4 and §14.2 (9).
"""

from __future__ import annotations

from xml.parsers import expat

from lxml import etree

DEFAULT_MAX_BYTES = 50_000_000
DEFAULT_MAX_DEPTH = 100
DEFAULT_MAX_NODES = 2_000_000
"""Elements, attributes, comments and processing instructions: the tree takes many times their bytes."""


class XmlRefused(ValueError):  # noqa: N818 - the document is refused; "RefusedError" would say it twice
    """The document is not read. `rule` is one of: size, dtd, depth, nodes, syntax, empty."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"xml: {rule}")
        self.rule = rule


def _scan(data: bytes, max_depth: int, max_nodes: int) -> None:
    """Refuse a DTD before anything in it is interpreted, and too deep or too large a tree before one is built."""
    parser = expat.ParserCreate()
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.ordered_attributes = True
    depth = nodes = 0

    def counted(*_: object, more: int = 0) -> None:
        nonlocal nodes
        nodes += 1 + more
        if nodes > max_nodes:
            raise XmlRefused("nodes")

    def doctype(*_: object) -> None:
        raise XmlRefused("dtd")

    def start(_: str, attributes: list[str]) -> None:
        nonlocal depth
        counted(more=len(attributes) // 2)
        depth += 1
        if depth > max_depth:
            raise XmlRefused("depth")

    def end(*_: object) -> None:
        nonlocal depth
        depth -= 1

    parser.StartDoctypeDeclHandler = doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CommentHandler = counted
    parser.ProcessingInstructionHandler = counted
    try:
        parser.Parse(data, True)
    except expat.ExpatError:
        raise XmlRefused("syntax") from None


def parse_xml(
    data: bytes,
    *,
    max_bytes: int = DEFAULT_MAX_BYTES,
    max_depth: int = DEFAULT_MAX_DEPTH,
    max_nodes: int = DEFAULT_MAX_NODES,
) -> etree._Element:
    """Root element of `data`.

    `max_bytes` bounds the document as received, `max_depth` the nesting of its elements, `max_nodes` how many
    elements, attributes, comments and processing instructions it has.
    Raises XmlRefused, whose text never quotes the document.
    """
    if not data.strip():
        raise XmlRefused("empty")
    if len(data) > max_bytes:
        raise XmlRefused("size")
    # One start tag is read at once: a million attributes are refused before there are as many strings.
    if data.count(b"=") > max_nodes:
        raise XmlRefused("nodes")
    _scan(data, max_depth, max_nodes)
    # huge_tree lifts libxml2's 10 MB limit on one text node, which a PDF in base64 can pass. The attacks
    # that limit guards against (entity expansion, depth) are refused above, and the size is bounded.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=True
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        raise XmlRefused("syntax") from None
