"""Our own structural checks of a composed document: they always run, and what fails does not leave.

They read the bytes again with the parser the receivers use, instead of trusting the builder. A finding names
a rule and a path, never a value.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator

from lxml import etree
from navette_documents.cda_header import read_header
from navette_documents.cda_model import CdaHeader, ProfessionalHeader
from navette_documents.errors import InvalidValue
from navette_documents.identifiers import (
    PS_AUTHORITY,
    STRUCT_AUTHORITY,
    check_ins_oid,
    is_valid_matricule,
    rpps_of_ps_idnat,
)
from navette_documents.imaging_codes import SCREENING
from navette_documents.xml import XmlRefused, parse_xml

from navette_report.domain.cda.document import N1_TEMPLATES, N3_TEMPLATES
from navette_report.domain.cda.tree import HL7
from navette_report.domain.checks_n3 import check_structured_body
from navette_report.domain.document import DocumentModel
from navette_report.domain.report import Finding

_ORDER = (
    "realmCode", "typeId", "templateId", "id", "code", "title", "effectiveTime", "confidentialityCode",
    "languageCode", "setId", "versionNumber", "recordTarget", "author", "custodian", "informationRecipient",
    "legalAuthenticator", "participant", "inFulfillmentOf", "documentationOf", "relatedDocument", "componentOf",
    "component",
)  # fmt: skip
_LOCAL_TIME = re.compile(r"\d{14}[+-]\d{4}", re.ASCII)
_MATRICULE = re.compile(r"(?<!\d)[12]\d{4}(?:\d\d|2[AB])\d{8}(?!\d)", re.ASCII)

_TYPED_MATRICULE = re.compile(r"(?<!\d)[12]\s?\d\d\s?\d\d\s?(?:\d\d|2[AB])\s?\d{3}\s?\d{3}\s?\|?\s?\d\d(?!\d)")
"""A matricule as people type it, in groups or not."""
_TYPED = (
    "title", "indication", "medical_history", "surgical_history", "technique", "comparison", "findings", "conclusion",
)  # fmt: skip


def check_document(document: DocumentModel, cda: bytes, pdf: bytes, *, production: bool) -> tuple[Finding, ...]:
    """What is wrong with the two files of `document`; empty when they may leave.

    `production` refuses the INS authorities of the test environments.
    """
    found = [*_pdf(pdf), *_cda(document, cda, pdf, production=production)]
    return tuple(Finding(rule=rule, path=path) for rule, path in found)


def _pdf(pdf: bytes) -> Iterator[tuple[str, str]]:
    # spec/cda.md §2: PDF/A-1b. Full conformance is checked by an independent validator in the tests.
    if not pdf.startswith(b"%PDF-1.4"):
        yield "pdf_version", "pdf"
    if not re.search(rb"<pdfaid:part>1<.*<pdfaid:conformance>B<", pdf, re.S):
        yield "pdfa_1b_not_declared", "pdf/metadata"
    if b"/OutputIntents" not in pdf:
        yield "output_intent_missing", "pdf"
    for name in (b"/Encrypt", b"/JavaScript", b"/Launch", b"/EmbeddedFiles"):
        if name in pdf:
            yield "forbidden_entry", "pdf" + name.decode()


def _cda(document: DocumentModel, cda: bytes, pdf: bytes, *, production: bool) -> Iterator[tuple[str, str]]:
    try:
        root = parse_xml(cda)
        header = read_header(cda)
    except XmlRefused as error:
        yield f"xml_{error.rule}", "ClinicalDocument"
        return
    except InvalidValue as error:
        yield error.rule, error.field
        return
    yield from _structure(root)
    for rule in (_identity_of_document, _people, _order_and_acts):
        yield from rule(header, document)
    yield from _patient(header, document, root, production=production)
    yield from _body(root, document, pdf)


def _structure(root: etree._Element) -> Iterator[tuple[str, str]]:
    names = [etree.QName(child).localname for child in root if isinstance(child.tag, str)]
    places = [_ORDER.index(name) if name in _ORDER else -1 for name in names]
    if -1 in places or places != sorted(places):
        yield "order_of_elements", "ClinicalDocument"
    for needed in ("custodian", "componentOf", "documentationOf", "inFulfillmentOf"):
        if needed not in names:
            yield "missing", needed
    signature = root.find(f"{{{HL7}}}legalAuthenticator/{{{HL7}}}signatureCode")
    if signature is None or signature.get("code") != "S":
        yield "signature_code", "legalAuthenticator"


def _identity_of_document(header: CdaHeader, document: DocumentModel) -> Iterator[tuple[str, str]]:
    level = document.site.cda_level
    if header.level != level or header.template_ids != (N3_TEMPLATES if level == "N3" else N1_TEMPLATES):
        yield "templates_of_the_level", "templateId"
    if header.code.code != "18748-4":
        yield "type_code", "code"
    if header.id.root != document.unique_id or header.id.extension is not None:
        yield "unique_id", "id"
    if header.set_id is None or header.set_id.root != document.set_id:
        yield "set_id", "setId"
    if header.version_number != document.version_number:
        yield "version_number", "versionNumber"
    if not _LOCAL_TIME.fullmatch(header.effective_time):
        yield "time_zone", "effectiveTime"
    replaced = tuple(one.root for one in header.replaces)
    if replaced != ((document.replaces_unique_id,) if document.replaces_unique_id else ()):
        yield "replaced_document", "relatedDocument"


def _people(header: CdaHeader, document: DocumentModel) -> Iterator[tuple[str, str]]:
    signer, remote = document.signature.signatory.rpps, document.content.teleradiology
    responsible = signer if remote is None else remote.responsible.rpps
    expected = [("author", header.authors[0], signer)]
    expected.append(("legalAuthenticator", header.legal_authenticator, responsible))
    if remote is not None:
        # Teleradiology: the doctor responsible at the site is an author too (spec/cda.md §4.3).
        expected.append(("author[2]", header.authors[-1], responsible))
    for path, person, rpps in expected:
        if _rpps(person) != rpps:
            yield "rpps_of_the_signatory", path
        if not person.family or person.organisation is None or person.organisation.id is None:
            yield "name_and_organisation", path
    custodian = header.custodian
    if custodian is None or custodian.id is None or custodian.id.root != STRUCT_AUTHORITY:
        yield "identifier", "custodian"


def _rpps(person: ProfessionalHeader) -> str | None:
    if person.id.root != PS_AUTHORITY or person.id.extension is None:
        return None
    return rpps_of_ps_idnat(person.id.extension)


def _order_and_acts(header: CdaHeader, document: DocumentModel) -> Iterator[tuple[str, str]]:
    exam = document.content.exam
    accessions = [order.accession.extension if order.accession else None for order in header.orders]
    if accessions != [one.accession_number for one in exam.requests]:
        yield "accession_number", "inFulfillmentOf/order"
    placers = [order.order_id.extension if order.order_id else None for order in header.orders]
    if placers != [one.order_placer_number for one in exam.requests]:
        yield "order_placer_number", "inFulfillmentOf/order"
    acts = tuple(act for act in header.acts if act.code is None or act.code.code != SCREENING.code)
    if len(acts) != len(document.content.acts) or header.acts[: len(acts)] != acts:
        yield "one_per_act", "documentationOf"
    for place, (act, done) in enumerate(zip(acts, document.content.acts, strict=False), 1):
        path = f"documentationOf[{place}]/serviceEvent"
        if act.study_uid != document.content.study_of(done):
            yield "study_instance_uid", path
        if act.code is None or not act.modalities or not act.regions:
            yield "act_modality_and_region", path
        if act.start is None or act.performer is None:
            yield "time_and_performer", path


def _patient(
    header: CdaHeader, document: DocumentModel, root: etree._Element, *, production: bool
) -> Iterator[tuple[str, str]]:
    path = "recordTarget/patientRole"
    ins = header.patient.ins
    if document.patient.qualified:
        if ins is None or not is_valid_matricule(ins.extension or ""):
            yield "ins_missing_or_invalid", path
            return
        try:
            check_ins_oid(ins.root, production=production)
        except InvalidValue as error:
            yield error.rule, path
        patient = header.patient
        if not all((patient.first_birth_given_name, patient.birth_date, patient.birth_place_code)):
            yield "six_traits_with_an_ins", path
        return
    # RIS.INS.37: without qualification, no matricule anywhere, neither as identifier nor as mailbox.
    if ins is not None:
        yield "ins_of_unqualified_identity", path
    for element in root.iter():
        if not isinstance(element.tag, str) or element.get("representation") == "B64":
            continue
        texts = (element.text or "", element.get("extension", ""), element.get("value", ""))
        if any(is_valid_matricule(found) for text in texts for found in _MATRICULE.findall(text)):
            yield "matricule_of_unqualified_identity", etree.QName(element).localname
    # What an author typed is inside the PDF too, where it cannot be read again.
    for name in _TYPED:
        for found in _TYPED_MATRICULE.findall(getattr(document.content, name)):
            if is_valid_matricule(re.sub(r"[\s|]", "", found)):
                yield "matricule_of_unqualified_identity", f"content/{name}"


def _body(root: etree._Element, document: DocumentModel, pdf: bytes) -> Iterator[tuple[str, str]]:
    path, kept = ("component/nonXMLBody/text", root.find(f"{{{HL7}}}component/{{{HL7}}}nonXMLBody/{{{HL7}}}text"))
    if document.site.cda_level == "N3":
        path, kept = "observationMedia/value", root.find(f".//{{{HL7}}}observationMedia/{{{HL7}}}value")
        yield from check_structured_body(root, document)
    if kept is None or kept.get("mediaType") != "application/pdf" or kept.get("representation") != "B64":
        yield "pdf_missing", path
        return
    try:
        inside = base64.b64decode(kept.text or "", validate=True)
    except (binascii.Error, ValueError):
        inside = b""
    if inside != pdf:
        yield "body_is_not_the_pdf", path
