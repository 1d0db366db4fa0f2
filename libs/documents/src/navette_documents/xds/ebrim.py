"""ebRIM 3.0 serialisation of a submission: the same elements go into ITI-41 and into METADATA.XML.

The order of children inside a registry object is fixed by the schema: Slot*, Name, Description,
Classification*, ExternalIdentifier* (spec/dmp.md §6.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

from lxml import etree

from navette_documents.codes import Code
from navette_documents.xds import uuids
from navette_documents.xds.model import (
    Association,
    AssociationKind,
    Author,
    DocumentEntry,
    Submission,
    SubmissionSet,
)

RIM = "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"
LCM = "urn:oasis:names:tc:ebxml-regrep:xsd:lcm:3.0"
REFERENCE_ID_LIST = "urn:ihe:iti:xds:2013:referenceIdList"
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"

_Element = etree._Element


def submit_objects_request(submission: Submission) -> _Element:
    """`lcm:SubmitObjectsRequest` of the lot, its entries and all associations."""
    request = etree.Element(f"{{{LCM}}}SubmitObjectsRequest", nsmap={"lcm": LCM, "rim": RIM})
    objects = etree.SubElement(request, f"{{{RIM}}}RegistryObjectList")
    writer = _Writer()
    writer.submission_set(objects, submission.lot)
    for entry in submission.entries:
        writer.document_entry(objects, entry)
    for association in submission.associations:
        writer.association(objects, association)
    return request


def metadata_xml(submission: Submission) -> bytes:
    """Content of METADATA.XML of an XDM archive, UTF-8 with declaration."""
    return etree.tostring(submit_objects_request(submission), xml_declaration=True, encoding="UTF-8")


class _Writer:
    """Writes registry objects; keeps the counter that makes the ids of inner objects unique."""

    def __init__(self) -> None:
        self._ids = count(1)

    def submission_set(self, parent: _Element, lot: SubmissionSet) -> None:
        package = _sub(parent, "RegistryPackage", id=lot.object_id, objectType=uuids.TYPE_PACKAGE)
        _slot(package, "submissionTime", [lot.submission_time])
        _localized(package, "Name", lot.title)
        _localized(package, "Description", lot.comments)
        self._author(package, uuids.SUBMISSION_SET_AUTHOR, lot.author)
        self._code(package, uuids.SUBMISSION_SET_CONTENT_TYPE, lot.content_type)
        _sub(
            package,
            "Classification",
            id=self._id("cl"),
            classificationNode=uuids.SUBMISSION_SET_NODE,
            classifiedObject=lot.object_id,
            objectType=uuids.TYPE_CLASSIFICATION,
        )
        for scheme, value, name in (
            (uuids.SUBMISSION_SET_PATIENT_ID, lot.patient_id, "XDSSubmissionSet.patientId"),
            (uuids.SUBMISSION_SET_SOURCE_ID, lot.source_id, "XDSSubmissionSet.sourceId"),
            (uuids.SUBMISSION_SET_UNIQUE_ID, lot.unique_id, "XDSSubmissionSet.uniqueId"),
        ):
            self._external_identifier(package, scheme, value, name)

    def document_entry(self, parent: _Element, entry: DocumentEntry) -> None:
        extrinsic = _sub(
            parent,
            "ExtrinsicObject",
            id=entry.object_id,
            mimeType=entry.mime_type,
            objectType=uuids.DOCUMENT_STABLE,
        )
        _document_slots(extrinsic, entry)
        _localized(extrinsic, "Name", entry.title)
        _localized(extrinsic, "Description", entry.comments)
        for author in entry.authors:
            self._author(extrinsic, uuids.DOCUMENT_AUTHOR, author)
        self._code(extrinsic, uuids.DOCUMENT_CLASS, entry.class_code)
        self._code(extrinsic, uuids.DOCUMENT_TYPE, entry.type_code)
        for code in entry.confidentiality:
            self._code(extrinsic, uuids.DOCUMENT_CONFIDENTIALITY, code)
        self._code(extrinsic, uuids.DOCUMENT_FORMAT, entry.format_code)
        self._code(extrinsic, uuids.DOCUMENT_FACILITY, entry.facility_type)
        self._code(extrinsic, uuids.DOCUMENT_PRACTICE, entry.practice_setting)
        for code in entry.event_codes:
            self._code(extrinsic, uuids.DOCUMENT_EVENT, code)
        for scheme, value, name in (
            (uuids.DOCUMENT_PATIENT_ID, entry.patient_id, "XDSDocumentEntry.patientId"),
            (uuids.DOCUMENT_UNIQUE_ID, entry.unique_id, "XDSDocumentEntry.uniqueId"),
        ):
            self._external_identifier(extrinsic, scheme, value, name)

    def association(self, parent: _Element, link: Association) -> None:
        element = _sub(
            parent,
            "Association",
            id=self._id("as"),
            associationType=link.kind.value,
            sourceObject=link.source,
            targetObject=link.target,
            objectType=uuids.TYPE_ASSOCIATION,
        )
        if link.kind is AssociationKind.HAS_MEMBER:
            _slot(element, "SubmissionSetStatus", ["Original"])
        for name, value in link.slots:
            _slot(element, name, [value])

    def _author(self, parent: _Element, scheme: str, author: Author) -> None:
        element = self._classification(parent, scheme, "")
        _slot(element, "authorInstitution", author.institutions)
        _slot(element, "authorPerson", [author.person])
        _slot(element, "authorRole", author.roles)
        _slot(element, "authorSpecialty", author.specialties)

    def _code(self, parent: _Element, scheme: str, code: Code) -> None:
        element = self._classification(parent, scheme, code.code)
        _slot(element, "codingScheme", [code.system])
        _localized(element, "Name", code.display)

    def _classification(self, parent: _Element, scheme: str, node: str) -> _Element:
        return _sub(
            parent,
            "Classification",
            id=self._id("cl"),
            classificationScheme=scheme,
            classifiedObject=parent.get("id", ""),
            nodeRepresentation=node,
            objectType=uuids.TYPE_CLASSIFICATION,
        )

    def _external_identifier(self, parent: _Element, scheme: str, value: str, name: str) -> None:
        element = _sub(
            parent,
            "ExternalIdentifier",
            id=self._id("ei"),
            identificationScheme=scheme,
            registryObject=parent.get("id", ""),
            value=value,
            objectType=uuids.TYPE_EXTERNAL_IDENTIFIER,
        )
        _localized(element, "Name", name)

    def _id(self, prefix: str) -> str:
        return f"{prefix}{next(self._ids)}"


def _document_slots(extrinsic: _Element, entry: DocumentEntry) -> None:
    single: tuple[tuple[str, str | None], ...] = (
        ("creationTime", entry.creation_time),
        ("languageCode", entry.language),
        ("legalAuthenticator", entry.legal_authenticator),
        ("serviceStartTime", entry.service_start_time),
        ("serviceStopTime", entry.service_stop_time),
        ("sourcePatientId", entry.source_patient_id),
    )
    for name, value in single:
        _slot(extrinsic, name, [value] if value else [])
    _slot(extrinsic, "sourcePatientInfo", entry.source_patient_info)
    _slot(extrinsic, "hash", [entry.sha1])
    _slot(extrinsic, "size", [str(entry.size)])
    _slot(extrinsic, "URI", [entry.uri] if entry.uri else [])
    _slot(extrinsic, REFERENCE_ID_LIST, entry.reference_ids)
    for name, value in entry.extra_slots:
        _slot(extrinsic, name, [value])


def _sub(parent: _Element, tag: str, **attributes: str) -> _Element:
    return etree.SubElement(parent, f"{{{RIM}}}{tag}", attributes)


def _slot(parent: _Element, name: str, values: Iterable[str]) -> None:
    values = list(values)
    if not values:
        return
    value_list = _sub(_sub(parent, "Slot", name=name), "ValueList")
    for value in values:
        _sub(value_list, "Value").text = value


def _localized(parent: _Element, name: str, text: str | None) -> None:
    if not text:
        return
    localized = _sub(_sub(parent, name), "LocalizedString", charset="UTF8", value=text)
    localized.set(_XML_LANG, "FR")
