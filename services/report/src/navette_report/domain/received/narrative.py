"""The body of a received CDA as HTML that cannot do anything: our own presentation (CDA/VISU.01, CDA/INT.16).

Every word of every narrative block is shown, whatever elements it is wrapped in; only elements and attributes named
here are written. No script, no style and no address of the document is taken over but plain http(s) links.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree, html
from navette_documents.cda_header import NAMESPACE
from navette_documents.xml import parse_xml

_TAGS: Mapping[str, str] = {
    **{name: name for name in ("table", "thead", "tbody", "tfoot", "tr", "th", "td", "br", "sub", "sup", "caption")},
    **{"paragraph": "p", "item": "li", "content": "span", "footnote": "small", "col": "col", "colgroup": "colgroup"},
}
_VOID = frozenset({"br", "col"})
_STYLES = frozenset({"Bold", "Underline", "Italics", "Emphasis"})
_SPANS = frozenset({"colspan", "rowspan"})
_IMAGES: Mapping[str, bytes] = {"image/png": b"\x89PNG\r\n", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}
"""Media types that a page shows, and how such a file begins."""

_Element = etree._Element


@dataclass(frozen=True, slots=True)
class Section:
    """One section, in document order. `depth` counts from 0."""

    title: str
    html: str
    depth: int


@dataclass(frozen=True, slots=True, repr=False)
class Attachment:
    """A file inside the document. `reference` is its ID in the document, "" for the body of a level 1 document."""

    media_type: str
    content: bytes
    reference: str = ""

    @property
    def shown(self) -> bool:
        """Whether it is an image a page can show: what it says it is and what it is agree."""
        start = _IMAGES.get(self.media_type)
        return start is not None and self.content.startswith(start)

    @property
    def is_pdf(self) -> bool:
        """Whether it is a PDF, whatever it says it is."""
        return self.content.lstrip()[:5] == b"%PDF-"


@dataclass(frozen=True, slots=True, repr=False)
class Reading:
    """The body, readable."""

    sections: tuple[Section, ...]
    attachments: tuple[Attachment, ...]
    text: str = ""
    """The body of a level 1 document that is plain text."""


def read_body(cda: bytes, *, parts: str) -> Reading:
    """The body of a document. `parts`: where a page finds the files inside it, by number. Raises XmlRefused."""
    root = parse_xml(cda)
    unstructured = root.find(f"{_h('component')}/{_h('nonXMLBody')}/{_h('text')}")
    if unstructured is not None:
        return _unstructured(unstructured)
    attachments = tuple(_attachments(root))
    body = root.find(f"{_h('component')}/{_h('structuredBody')}")
    writer = _Writer(attachments, parts)
    return Reading(() if body is None else tuple(_sections(body, writer, 0)), attachments)


def _unstructured(text: _Element) -> Reading:
    media = text.get("mediaType", "text/plain")
    if text.get("representation") == "B64":
        content = _decoded(_text(text))
        if media == "text/plain":
            return Reading((), (), content.decode("utf-8", errors="replace"))
        return Reading((), (Attachment(media, content),))
    return Reading((), (), _text(text).strip())


def _attachments(root: _Element) -> Iterator[Attachment]:
    for media in root.iter(_h("observationMedia")):
        value = media.find(_h("value"))
        if value is not None and value.get("representation") == "B64":
            content = _decoded(_text(value))
            yield Attachment(value.get("mediaType", "application/octet-stream"), content, media.get("ID", ""))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()))
    except (binascii.Error, ValueError):
        return b""


def _sections(parent: _Element, writer: _Writer, depth: int) -> Iterator[Section]:
    for component in parent.iterchildren(_h("component")):
        for section in component.iterchildren(_h("section")):
            title, text = section.find(_h("title")), section.find(_h("text"))
            shown = "" if text is None else writer.written(text)
            yield Section("" if title is None else _words(title), shown, depth)
            yield from _sections(section, writer, depth + 1)


class _Writer:
    """Writes narrative blocks."""

    def __init__(self, attachments: tuple[Attachment, ...], parts: str) -> None:
        self._attachments = attachments
        self._known = {one.reference: number for number, one in enumerate(attachments) if one.reference}
        self._parts = parts

    def written(self, text: _Element) -> str:
        """One block as HTML."""
        block = _new("div")
        self._fill(block, text)
        return etree.tostring(block, method="html", encoding="unicode", with_tail=False)

    def _fill(self, target: _Element, source: _Element) -> None:
        target.text = source.text
        last: _Element | None = None
        for child in source:
            if isinstance(child.tag, str):
                last = self._element(child)
                target.append(last)
                last.tail = child.tail
            elif last is None:  # a comment or instruction: only what follows it is said
                target.text = (target.text or "") + (child.tail or "")
            else:
                last.tail = (last.tail or "") + (child.tail or "")

    def _element(self, source: _Element) -> _Element:
        name = etree.QName(source).localname
        if name == "list":
            return self._list(source)
        if name == "renderMultiMedia":
            return self._media(source)
        # What HTML has no content for would lose the words somebody wrote into it.
        empty = not _text(source).strip()
        target = _new(_TAGS.get(name, "span") if empty or name not in _VOID else "span")
        if name == "linkHtml" and source.get("href", "").lower().startswith(("http://", "https://")):
            target = _new("a", href=source.get("href", ""), rel="noopener noreferrer external")
        styles = [one.lower() for one in source.get("styleCode", "").split() if one in _STYLES]
        if styles:
            target.set("class", " ".join(styles))
        for span in _SPANS:
            value = source.get(span, "")
            if value.isascii() and value.isdigit() and len(value) < 4:
                target.set(span, value)
        if target.tag not in _VOID:
            self._fill(target, source)
        return target

    def _list(self, source: _Element) -> _Element:
        items = _new("ol" if source.get("listType") == "ordered" else "ul")
        self._fill(items, source)
        # A caption is no item of an HTML list: it stands before it.
        captions = [child for child in items if child.tag == "caption"]
        if not captions:
            return items
        block = _new("div")
        for caption in captions:
            items.remove(caption)
            caption.tag, caption.tail = "p", None
            caption.set("class", "caption")
            block.append(caption)
        block.append(items)
        return block

    def _media(self, source: _Element) -> _Element:
        figure = _new("span")
        figure.set("class", "media")
        self._fill(figure, source)
        for reference in source.get("referencedObject", "").split():
            number = self._known.get(reference)
            if number is None:
                continue
            one = self._attachments[number]
            if one.shown:
                figure.append(_new("img", src=_data(one), alt="Image jointe au document"))
            else:
                link = _new("a", href=f"{self._parts}/{number}")
                link.text = "Ouvrir la pièce jointe"
                figure.append(link)
        return figure


def _data(one: Attachment) -> str:
    return f"data:{one.media_type};base64,{base64.b64encode(one.content).decode('ascii')}"


def _words(element: _Element) -> str:
    return " ".join(_text(element).split())


def _text(element: _Element) -> str:
    return "".join(str(part) for part in element.itertext())


def _new(tag: str, **attributes: str) -> _Element:
    element: _Element = html.Element(tag, attributes)
    return element


def _h(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"
