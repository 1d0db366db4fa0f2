"""What every section and entry is written with: identifiers, narrative, references to it."""

from __future__ import annotations

from datetime import datetime
from uuid import NAMESPACE_OID, uuid5

from navette_documents.codes import Code
from navette_documents.hl7dates import format_local

from navette_report.domain.cda.tree import XSI, Element, add, add_code
from navette_report.domain.document import DocumentModel
from navette_report.domain.typography import blocks, french

NOT_STATED = "Non renseigné."
SIMPLE_OBSERVATION = ("2.16.840.1.113883.10.20.6.2.13", "1.2.250.1.213.1.1.3.150")
"""FR-DICOM-Observation: these two templateIds and no other."""


class Pen:
    """Writes the body of one document; its identifiers depend on the document and the order of writing only."""

    def __init__(self, document: DocumentModel) -> None:
        self.document = document
        self._written = 0

    def identify(self, parent: Element) -> None:
        """An identifier of its own, upper case as the HL7 tradition writes UUIDs."""
        self._written += 1
        name = f"{self.document.unique_id}:{self._written}"
        add(parent, "id", root=str(uuid5(NAMESPACE_OID, name)).upper())

    def time(self, moment: datetime) -> str:
        """An instant as documents write it."""
        return format_local(moment, self.document.zone)

    def section(self, parent: Element, code: Code, title: str, *templates: str) -> tuple[Element, Element]:
        """A section inside a component: the section and its narrative.

        Both templateIds, the standard one and the CI-SIS one: the deep rules hang on the first (spec/cda.md §5).
        """
        section = add(add(parent, "component"), "section")
        for template in templates:
            add(section, "templateId", root=template)
        self.identify(section)
        add_code(section, "code", code)
        add(section, "title", title)
        return section, add(section, "text")

    def entry(self, section: Element, kind: str, class_code: str, *templates: str) -> Element:
        """An entry of a section, with its templateIds; identifiers and content are the caller's."""
        return _templated(add(add(section, "entry"), kind), class_code, templates)

    def observation(self, section: Element, code: Code, *, templates: tuple[str, ...] = SIMPLE_OBSERVATION) -> Element:
        """An observation with identifier and code; what follows in the schema is the caller's."""
        observation = self.entry(section, "observation", "OBS", *templates)
        self.identify(observation)
        add_code(observation, "code", code)
        return observation

    def comment(self, parent: Element, code: Code, anchor: str) -> None:
        """FR-Commentaire-ER: what is said beside an entry, by reference to the narrative."""
        relation = add(parent, "entryRelationship", typeCode="SUBJ", inversionInd="true")
        act = _templated(
            add(relation, "act"),
            "ACT",
            ("2.16.840.1.113883.10.20.1.40", "1.3.6.1.4.1.19376.1.5.3.1.4.2", "1.2.250.1.213.1.1.3.32"),
        )
        add_code(act, "code", code)
        refer(act, "text", anchor)
        add(act, "statusCode", code="completed")


def _templated(element: Element, class_code: str, templates: tuple[str, ...]) -> Element:
    element.set("classCode", class_code)
    element.set("moodCode", "EVN")
    for template in templates:
        add(element, "templateId", root=template)
    return element


def refer(parent: Element, tag: str, anchor: str) -> Element:
    """A child that points at a place of the narrative."""
    child = add(parent, tag)
    add(child, "reference", value=f"#{anchor}")
    return child


def typed(element: Element, kind: str) -> Element:
    """The element with its HL7 data type."""
    element.set(f"{{{XSI}}}type", kind)
    return element


def write_prose(text: Element, prose: str) -> None:
    """Paragraphs and lists of a prose, with French typography."""
    for block in blocks(prose):
        if block["kind"] == "list":
            items = add(text, "list")
            for item in _texts(block["items"]):
                add(items, "item", item)
        else:
            first, *others = _texts(block["lines"])
            paragraph = add(text, "paragraph", first)
            for line in others:
                add(paragraph, "br").tail = line


def write_items(text: Element, items: list[tuple[str, str | None]]) -> None:
    """A list; an item with an anchor can be referred to."""
    listed = add(text, "list")
    for words, anchor in items:
        item = add(listed, "item")
        if anchor is None:
            item.text = french(words)
        else:
            add(item, "content", french(words), ID=anchor)


def _texts(value: object) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []
