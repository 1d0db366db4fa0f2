"""The whole CDA R2, N1 or N3, in the order of the schema (spec/cda.md §3)."""

from __future__ import annotations

import base64

from lxml import etree
from navette_documents.codes import (
    CONFIDENTIALITY,
    ENCOUNTERS,
    FACILITY_TYPES,
    IMAGING_REPORT,
    MODALITIES,
    MODALITY_QUALIFIER,
    REGION_QUALIFIER,
    REGIONS,
)
from navette_documents.hl7dates import format_local
from navette_documents.identifiers import STRUCT_AUTHORITY
from navette_documents.imaging_codes import SCREENING

from navette_report.domain.cda import people
from navette_report.domain.cda.body import add_structured_body
from navette_report.domain.cda.tree import (
    DICOM,
    Element,
    add,
    add_act_code,
    add_address,
    add_code,
    add_qualified,
    loinc_of,
    root_element,
)
from navette_report.domain.content import Act
from navette_report.domain.document import DocumentModel

TITLE_PREFIX = "CR d'imagerie médicale - "
N1_TEMPLATES = ("2.16.840.1.113883.2.8.2.1", "1.2.250.1.213.1.1.1.1", "1.3.6.1.4.1.19376.1.2.20")
"""Exactly these three on an N1 (spec/cda.md §2)."""
N3_TEMPLATES = (
    "2.16.840.1.113883.2.8.2.1",
    "1.2.250.1.213.1.1.1.1",
    "1.2.840.10008.9.1",
    "1.2.840.10008.9.20",
    "1.2.840.10008.9.21",
    "1.2.250.1.213.1.1.1.45",
)
VOLET, VOLET_VERSION = "1.2.250.1.213.1.1.1.45", "2024.01"
"""IMG-CR-IMG, the only templateId with an extension."""
HOSPITALS = frozenset({"SA01", "SA02", "SA03", "SA04", "SA36"})
"""Facility types where an outpatient exam is an external act of an establishment."""

ORDER_ARC, ACCESSION_ARC = 6, 7
"""Branches of a site's OID for order placer numbers and accession numbers."""


def build_cda(document: DocumentModel, pdf: bytes) -> bytes:
    """The CDA R2 of the level of its site, UTF-8 with its declaration: N1 is `pdf`, N3 has it attached."""
    root = root_element("ClinicalDocument")
    _identification(root, document)
    people.add_record_target(root, document.patient, document.ipp_oid)
    people.add_authors(root, document)
    people.add_custodian(root, document.site)
    people.add_recipients(root, document)
    people.add_legal_authenticator(root, document)
    people.add_participants(root, document.content)
    _orders(root, document)
    for act in document.content.acts:
        _act(root, act, document)
    if document.content.screening:
        # Last: the first documentationOf must have a performer and a time (spec/cda.md §4.4).
        add_code(add(add(root, "documentationOf"), "serviceEvent", classCode="ACT"), "code", SCREENING)
    if document.replaces_unique_id is not None:
        parent = add(add(root, "relatedDocument", typeCode="RPLC"), "parentDocument")
        add(parent, "id", root=document.replaces_unique_id)
    _encounter(root, document)
    component = add(root, "component")
    if document.site.cda_level == "N3":
        add_structured_body(component, document, pdf)
    else:
        text = add(add(component, "nonXMLBody"), "text", mediaType="application/pdf", representation="B64")
        text.text = base64.b64encode(pdf).decode("ascii")
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _identification(root: Element, document: DocumentModel) -> None:
    add(root, "realmCode", code="FR")
    add(root, "typeId", root="2.16.840.1.113883.1.3", extension="POCD_HD000040")
    for template in N3_TEMPLATES if document.site.cda_level == "N3" else N1_TEMPLATES:
        add(root, "templateId", root=template, extension=VOLET_VERSION if template == VOLET else None)
    add(root, "id", root=document.unique_id)
    code = add_code(root, "code", IMAGING_REPORT)
    seen: set[str] = set()
    for act in document.content.acts:
        if act.loinc_code not in seen:
            seen.add(act.loinc_code)
            add_code(code, "translation", loinc_of(act))
    add(root, "title", TITLE_PREFIX + document.content.title)
    add(root, "effectiveTime", value=format_local(document.composed_at, document.zone))
    normal = CONFIDENTIALITY["N"]
    add(root, "confidentialityCode", code=normal.code, displayName=normal.display, codeSystem=normal.system)
    add(root, "languageCode", code="fr-FR")
    add(root, "setId", root=document.set_id)
    add(root, "versionNumber", value=str(document.version_number))


def _orders(root: Element, document: DocumentModel) -> None:
    """One per request, each with its two numbers (DB/RIS.08)."""
    uids = document.site.uids
    for request in document.content.exam.requests:
        order = add(add(root, "inFulfillmentOf"), "order")
        if request.order_placer_number is None:
            add(order, "id", nullFlavor="NA")
        else:
            add(order, "id", root=uids.child(ORDER_ARC), extension=request.order_placer_number)
        accession = etree.SubElement(order, f"{{{DICOM}}}accessionNumber")
        accession.set("root", uids.child(ACCESSION_ARC))
        accession.set("extension", request.accession_number)


def _act(root: Element, act: Act, document: DocumentModel) -> None:
    event = add(add(root, "documentationOf"), "serviceEvent", classCode="ACT")
    add(event, "id", root=document.content.study_of(act))
    code = add_act_code(event, act)
    add_qualified(code, MODALITIES[act.modality], MODALITY_QUALIFIER)
    add_qualified(code, REGIONS[act.region], REGION_QUALIFIER)
    _interval(event, document)
    performer = add(event, "performer", typeCode="PRF")
    people.add_responsible(performer, "assignedEntity", document)


def _interval(parent: Element, document: DocumentModel) -> None:
    exam = document.content.exam
    time = add(parent, "effectiveTime")
    add(time, "low", value=format_local(exam.started_at, document.zone))
    if exam.ended_at is not None:
        add(time, "high", value=format_local(exam.ended_at, document.zone))


def _encounter(root: Element, document: DocumentModel) -> None:
    site = document.site
    encounter = add(add(root, "componentOf"), "encompassingEncounter")
    kind = ENCOUNTERS["EXTERNE" if site.facility_type in HOSPITALS else "AMB"]
    add(encounter, "code", code=kind.code, displayName=kind.display, codeSystem=kind.system)
    _interval(encounter, document)
    facility = add(add(encounter, "location"), "healthCareFacility")
    add(facility, "id", root=STRUCT_AUTHORITY, extension=site.struct_idnat)
    add_code(facility, "code", FACILITY_TYPES[site.facility_type])
    place = add(facility, "location")
    add(place, "name", site.name)
    add_address(place, site.address)
