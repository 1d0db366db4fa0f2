"""The sections of the body, in the order of the ANS example."""

from __future__ import annotations

import base64

from navette_documents.codes import LOINC, Code

from navette_report.domain.cda.body.acts import add_act
from navette_report.domain.cda.body.clinical import add_clinical_information
from navette_report.domain.cda.body.pen import Pen, refer, typed, write_prose
from navette_report.domain.cda.tree import Element, add, add_code
from navette_report.domain.document import DocumentModel

_COPY, _COPY_TITLE = "document-1", "titre-document-1"
_RESULTS = Code("59776-5", "Résultats de l'acte", LOINC)
_COMPARISON = Code("18834-2", "Examen de comparaison radiologique", LOINC)
_FINDINGS_TEMPLATES = ("2.16.840.1.113883.10.20.6.1.2", "1.2.250.1.213.1.1.2.208")
_COMPARISON_TEMPLATES = ("1.2.840.10008.9.4", "1.2.250.1.213.1.1.2.207")
_CONCLUSION_TEMPLATES = ("1.2.840.10008.9.5", "1.2.250.1.213.1.1.2.209")
_CONCLUSION = Code("19005-8", "Conclusions", LOINC)


def add_structured_body(component: Element, document: DocumentModel, pdf: bytes) -> None:
    """The body of the N3: the report section by section, and `pdf` as its readable copy."""
    pen, content = Pen(document), document.content
    body = add(component, "structuredBody")
    add_clinical_information(body, pen)
    for number, act in enumerate(content.acts, 1):
        add_act(body, pen, act, number)
    _prose(body, pen, _RESULTS, "Résultats", content.findings, _FINDINGS_TEMPLATES)
    if content.comparison:
        _prose(body, pen, _COMPARISON, "Comparaison", content.comparison, _COMPARISON_TEMPLATES)
    _prose(body, pen, _CONCLUSION, "Conclusion", content.conclusion, _CONCLUSION_TEMPLATES)
    _readable_copy(body, pen, pdf)


def _prose(body: Element, pen: Pen, code: Code, title: str, prose: str, templates: tuple[str, ...]) -> None:
    _, text = pen.section(body, code, title, *templates)
    write_prose(text, prose)


def _readable_copy(body: Element, pen: Pen, pdf: bytes) -> None:
    """FR-Documents-ajoutes: the PDF/A that the radiologist validated."""
    section, text = pen.section(
        body, Code("55107-7", "Documents ajoutés", LOINC), "Compte rendu lisible", "1.2.250.1.213.1.1.2.37"
    )
    add(add(text, "paragraph"), "content", "Compte rendu au format PDF", ID=_COPY_TITLE)
    add(text, "renderMultiMedia", referencedObject=_COPY)
    organizer = pen.entry(section, "organizer", "CLUSTER", "1.2.250.1.213.1.1.3.18")
    pen.identify(organizer)
    add_code(organizer, "code", Code("55107-7", "Document attaché", LOINC))
    add(organizer, "statusCode", code="completed")
    kind = add(add(organizer, "component", typeCode="COMP"), "observation", classCode="OBS", moodCode="EVN")
    for template in ("1.3.6.1.4.1.19376.1.5.3.1.4.13", "1.2.250.1.213.1.1.3.48", "1.2.250.1.213.1.1.3.48.18"):
        add(kind, "templateId", root=template)
    pen.identify(kind)
    add_code(kind, "code", Code("69764-9", "Type de document", LOINC))
    refer(kind, "text", _COPY_TITLE)
    add(kind, "statusCode", code="completed")
    add(kind, "effectiveTime", nullFlavor="NA")
    refer(typed(add(kind, "value"), "CD"), "originalText", _COPY_TITLE)
    media = add(add(organizer, "component"), "observationMedia", classCode="OBS", moodCode="EVN", ID=_COPY)
    value = add(media, "value", mediaType="application/pdf", representation="B64")
    value.text = base64.b64encode(pdf).decode("ascii")
