"""Our own checks of a structured body: the sections and entries that must be there, and references that lead somewhere.

The rules are those of spec/cda.md §5, §6 and §8 that the ANS files count; they are read in the bytes that leave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from lxml import etree

from navette_report.domain.cda.tree import HL7
from navette_report.domain.document import DocumentModel

_NS = {"h": HL7}
_CLINICAL, _REQUEST, _HISTORY = "1.2.250.1.213.1.1.2.205", "1.2.250.1.213.1.1.2.211", "1.2.250.1.213.1.1.2.213"
_ACT, _OBJECTS, _EXPOSURE = "1.2.250.1.213.1.1.2.206", "1.2.250.1.213.1.1.2.217", "1.2.250.1.213.1.1.2.215"
_CONCLUSION, _TECHNIQUE = "1.2.250.1.213.1.1.2.209", "1.2.250.1.213.1.1.3.153"
_HISTORY_CODES = ("11348-0", "47519-4", "64100-1")


def check_structured_body(root: etree._Element, document: DocumentModel) -> Iterator[tuple[str, str]]:
    """Findings as (rule, path)."""
    body = root.find("h:component/h:structuredBody", _NS)
    if body is None:
        yield "structured_body_missing", "component/structuredBody"
        return
    acts = len(document.content.acts)
    exposed = sum(act.exposure is not None for act in document.content.acts)
    wanted = {_CLINICAL: 1, _REQUEST: 1, _HISTORY: 1, _ACT: acts, _OBJECTS: acts, _EXPOSURE: exposed, _CONCLUSION: 1}
    for template, count in wanted.items():
        if len(_sections(body, template)) != count:
            yield "number_of_sections", f"section[{template}]"
    for section in body.iterfind(".//h:section", _NS):
        yield from _complete(section)
    for history in _sections(body, _HISTORY):
        codes = {code.get("code") for code in history.iterfind("h:entry/h:observation/h:code", _NS)}
        if not codes.issuperset(_HISTORY_CODES):
            yield "history_and_contraindications", f"section[{_HISTORY}]/entry"
    if any(len(one.findall("h:targetSiteCode", _NS)) != 1 for one in body.iterfind(".//h:procedure", _NS) if _is(one)):
        yield "one_site_per_technique", f"procedure[{_TECHNIQUE}]"
    yield from _references(body)


def _sections(body: etree._Element, template: str) -> list[etree._Element]:
    path = f".//h:section/h:templateId[@root='{template}']/.."
    return body.findall(path, _NS)


def _is(procedure: etree._Element) -> bool:
    return procedure.find(f"h:templateId[@root='{_TECHNIQUE}']", _NS) is not None


def _complete(section: etree._Element) -> Iterator[tuple[str, str]]:
    templates = section.findall("h:templateId", _NS)
    name = templates[-1].get("root", "") if templates else ""
    text = section.find("h:text", _NS)
    if text is None or not "".join(map(str, text.itertext())).strip():
        yield "empty_narrative", f"section[{name}]"
    for child in ("id", "code", "title"):
        if len(section.findall(f"h:{child}", _NS)) != 1:
            yield f"{child}_of_section", f"section[{name}]"


def _references(body: etree._Element) -> Iterator[tuple[str, str]]:
    anchors = Counter(one.get("ID") for one in body.iter() if isinstance(one.tag, str) and one.get("ID"))
    if any(count > 1 for count in anchors.values()):
        yield "anchor_used_twice", "section/text"
    for reference in body.iterfind(".//h:reference", _NS):
        target = reference.get("value", "")
        if target.startswith("#") and target[1:] not in anchors:
            yield "reference_to_nowhere", "section/entry"
