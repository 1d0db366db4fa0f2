"""XML from outside, parsed without DTD, entities or network."""

from __future__ import annotations

from collections.abc import Mapping

from lxml import etree


def parse(data: bytes) -> etree._Element:
    """Root of the document. Raises ValueError when it is not XML or carries a DTD."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError("not well-formed XML") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise ValueError("a DTD is not accepted")
    return root


def values(root: etree._Element, path: str, namespaces: Mapping[str, str]) -> list[str]:
    """The strings that the XPath gives (attributes, texts), trimmed."""
    found = root.xpath(path, namespaces=dict(namespaces))
    return [str(each).strip() for each in found] if isinstance(found, list) else [str(found).strip()]


def only(root: etree._Element, path: str, namespaces: Mapping[str, str]) -> str:
    """The one string that the XPath gives. Raises ValueError when there are none or several."""
    found = values(root, path, namespaces)
    if len(found) != 1:
        raise ValueError(f"{path}: {len(found)} values")
    return found[0]
