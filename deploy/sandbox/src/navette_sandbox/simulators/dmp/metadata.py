"""Completeness and coherence of the metadata of a lot and of its fiches (spec/dmp.md §6.2 to §6.5)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from navette_sandbox.simulators.dmp import names
from navette_sandbox.simulators.dmp.cda import CdaFacts
from navette_sandbox.simulators.dmp.ebrim import RegistryObject, Submission
from navette_sandbox.simulators.dmp.errors import Problems
from navette_sandbox.simulators.dmp.formats import (
    is_local_cx,
    is_oid,
    is_person_xcn,
    parse_cx,
    structure_of_xon,
)
from navette_sandbox.simulators.dmp.settings import DmpSettings
from navette_sandbox.simulators.dmp.vihf import Vihf

MASKS = {"MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REPRESENTANTS_LEGAUX"}
MASK_SYSTEM, CONFIDENTIALITY_SYSTEM = "1.2.250.1.213.1.1.4.13", "2.16.840.1.113883.5.25"
PDF_FORMAT = "urn:ihe:iti:xds-sd:pdf:2008"
IMAGING_FORMAT = "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013"
_REPORT_CODES = {
    "classCode": (names.DOC_CLASS, "1.2.250.1.213.1.1.4.1"),
    "typeCode": (names.DOC_TYPE, "2.16.840.1.113883.6.1"),
    "formatCode": (names.DOC_FORMAT, "1.3.6.1.4.1.19376.1.2.3"),
    "healthcareFacilityTypeCode": (names.DOC_FACILITY, "1.2.250.1.71.4.2.4"),
    "practiceSettingCode": (names.DOC_PRACTICE, "1.2.250.1.213.1.1.4.9"),
}
_SIGNATURE_CODES = {
    "classCode": (names.DOC_CLASS, "urn:oid:1.3.6.1.4.1.19376.1.2.1.1.1", "URN"),
    "typeCode": (names.DOC_TYPE, "E1762", "ASTM"),
    "formatCode": (names.DOC_FORMAT, names.DS, "URN"),
    "eventCode": (names.DOC_EVENT, "1.2.840.10065.1.12.1.14", "1.2.840.10065.1.12"),
}
_TIME = re.compile(r"\d{4}(\d\d){0,5}")


@dataclass(frozen=True, slots=True)
class Rules:
    """What the checks need to know besides the message."""

    settings: DmpSettings
    vihf: Vihf
    problems: Problems


def check_package(package: RegistryObject, rules: Rules) -> None:
    """The lot: time, author of the VIHF's structure, content type, three identifiers."""
    need = rules.problems.require
    need(re.fullmatch(r"\d{14}", package.slot("submissionTime")) is not None, "submissionTime", "lot.submission_time")
    need(package.nodes == [names.SUBMISSION_SET_NODE], "nœud SubmissionSet", "lot.node")
    authors = package.authors.get(names.SET_AUTHOR, [])
    if need(len(authors) == 1, "un auteur du lot attendu", "lot.author"):
        institution = _check_author(authors[0], "lot", rules)
        need(
            institution == rules.vihf.structure,
            "Aucun AuthorInstitution ne correspond à l'utilisateur du VIHF",
            "lot.author_institution",
        )
    content = package.codes.get(names.SET_CONTENT_TYPE, [])
    typed = len(content) == 1 and content[0].code and content[0].label and content[0].system == "1.2.250.1.213.2.2"
    need(bool(typed), "contentTypeCode", "lot.content_type")
    patient = package.external_id(names.SET_PATIENT_ID)
    need(parse_cx(patient, rules.settings.ins_oids) is not None, "XDSSubmissionSet.patientId", "lot.patient_id")
    _check_patient(patient, "lot", rules)
    need(is_oid(package.external_id(names.SET_SOURCE_ID)), "XDSSubmissionSet.sourceId", "lot.source_id")
    need(is_oid(package.external_id(names.SET_UNIQUE_ID)), "XDSSubmissionSet.uniqueId", "lot.unique_id")


def _check_patient(patient: str, owner: str, rules: Rules) -> None:
    rules.problems.require(
        patient == rules.vihf.patient,
        f"{owner} : patientId différent du resource-id du VIHF",
        f"{owner}.patient",
        code="XDSPatientIdDoesNotMatch",
    )


def _check_author(author: dict[str, list[str]], owner: str, rules: Rules) -> str | None:
    need = rules.problems.require
    institutions, persons = author.get("authorInstitution", []), author.get("authorPerson", [])
    institution = structure_of_xon(institutions[0]) if len(institutions) == 1 else None
    need(institution is not None, "authorInstitution : XON attendu", f"{owner}.author_institution_form")
    need(len(persons) == 1 and is_person_xcn(persons[0]), "authorPerson : XCN attendu", f"{owner}.author_person")
    specialties = author.get("authorSpecialty", [])
    coded = all(len(value.split("^")) == 3 and all(value.split("^")) for value in specialties)
    need(bool(specialties) and coded, "authorSpecialty : code^libellé^OID attendu", f"{owner}.author_specialty")
    return institution


def check_document(document: RegistryObject, content: bytes, cda: CdaFacts, rules: Rules) -> None:
    """A report: every mandatory value of §6.3 and its agreement with the CDA."""
    need = rules.problems.require
    _check_common(document, content, rules)
    for slot in ("serviceStartTime",):
        need(_TIME.fullmatch(document.slot(slot)) is not None, slot, f"document.{slot}")
    stop = document.slots.get("serviceStopTime")
    need(
        stop is None or _TIME.fullmatch(document.slot("serviceStopTime")) is not None,
        "serviceStopTime",
        "document.time",
    )
    need(is_person_xcn(document.slot("legalAuthenticator")), "legalAuthenticator", "document.legal_authenticator")
    source = document.slot("sourcePatientId")
    need(is_local_cx(source) or source == rules.vihf.patient, "sourcePatientId", "document.source_patient_id")
    for name, (scheme, system) in _REPORT_CODES.items():
        found = document.codes.get(scheme, [])
        complete = len(found) == 1 and bool(found[0].code and found[0].label)
        if need(complete, f"{name} absent, multiple ou sans libellé", f"document.{name}"):
            need(found[0].system == system, f"{name} : système {system} attendu", f"document.{name}")
    events = document.codes.get(names.DOC_EVENT, [])
    need(all(item.code and item.system for item in events), "eventCodeList", "document.eventCodeList")
    need(document.slot("languageCode") == "fr-FR", "languageCode : fr-FR attendu", "document.languageCode")
    check_masks(document, rules)
    authors = document.authors.get(names.DOC_AUTHOR, [])
    allowed = {rules.vihf.structure, *rules.settings.structures.get(rules.vihf.structure, [])}
    if need(bool(authors), "author absent", "document.author"):
        institutions = {_check_author(author, "document", rules) for author in authors}
        need(
            bool(institutions & allowed),
            "Aucun AuthorInstitution ne correspond à l'utilisateur du VIHF",
            "document.author_institution",
        )
    _check_against_cda(document, cda, rules)


def _check_common(document: RegistryObject, content: bytes, rules: Rules) -> None:
    need, element = rules.problems.require, document.element
    need(element.get("objectType") == names.STABLE_DOCUMENT, "objectType", "document.objectType", "XDSObjectTypeError")
    need(element.get("mimeType") == "text/xml", "mimeType : text/xml attendu", "document.mimeType")
    need(_TIME.fullmatch(document.slot("creationTime")) is not None, "creationTime", "document.creationTime")
    need(bool(document.name), "title absent", "document.title")
    need(is_oid(document.external_id(names.DOC_UNIQUE_ID)), "XDSDocumentEntry.uniqueId", "document.unique_id")
    patient = document.external_id(names.DOC_PATIENT_ID)
    need(parse_cx(patient, rules.settings.ins_oids) is not None, "XDSDocumentEntry.patientId", "document.patient_id")
    _check_patient(patient, "document", rules)
    digest = hashlib.sha1(content).hexdigest()  # noqa: S324 - XDS prescribes SHA-1
    written = document.slot("hash")
    if need(bool(written), "hash absent", "document.hash"):
        need(written.lower() == digest, "hash différent du contenu", "document.hash", code="XDSNonIdenticalHash")
    size = document.slot("size")
    if need(bool(size), "size absent", "document.size"):
        need(size == str(len(content)), "size différent du contenu", "document.size", code="XDSNonIdenticalSize")


def check_masks(document: RegistryObject, rules: Rules) -> None:
    """1 to 4 confidentiality codes, one is N, known masks, no forbidden pair (EX_2.1-1050)."""
    need = rules.problems.require
    found = document.codes.get(names.DOC_CONFIDENTIALITY, [])
    codes = [item.code for item in found]
    need(
        1 <= len(codes) <= 4 and len(set(codes)) == len(codes),
        "confidentialityCode : 1 à 4",
        "document.confidentiality",
    )
    need("N" in codes, "confidentialityCode : N attendu", "document.confidentiality")
    for item in found:
        system = CONFIDENTIALITY_SYSTEM if item.code == "N" else MASK_SYSTEM
        known = item.code == "N" or item.code in MASKS
        need(known and item.system == system, "confidentialityCode inconnu", "document.confidentiality")
    together = {"INVISIBLE_PATIENT", "MASQUE_PS"} <= set(codes)
    allowed = rules.settings.allow_invisible_and_masked or not together
    need(allowed, "INVISIBLE_PATIENT et MASQUE_PS ne se cumulent pas", "document.masks")
    hidden = not rules.vihf.secret or "INVISIBLE_REPRESENTANTS_LEGAUX" in codes
    need(hidden, "connexion secrète : INVISIBLE_REPRESENTANTS_LEGAUX attendu", "document.secret_connection")


def _check_against_cda(document: RegistryObject, cda: CdaFacts, rules: Rules) -> None:
    need = rules.problems.require
    unique_id = document.external_id(names.DOC_UNIQUE_ID)
    need(unique_id == cda.unique_id, "uniqueId différent de ClinicalDocument/id", "cda.unique_id")
    patient = parse_cx(rules.vihf.patient, rules.settings.ins_oids)
    same_patient = patient is not None and (patient.oid, patient.matricule) in cda.patient_ids
    need(same_patient, "recordTarget sans l'INS du lot", "cda.patient", code="XDSPatientIdDoesNotMatch")
    pairs = {
        "typeCode": (_code(document, names.DOC_TYPE), cda.type_code),
        "title": (" ".join(document.name.split()), cda.title),
        "creationTime": (document.slot("creationTime"), cda.creation_time),
        "languageCode": (document.slot("languageCode"), cda.language),
        "serviceStartTime": (document.slot("serviceStartTime"), cda.service_start),
        "serviceStopTime": (document.slot("serviceStopTime"), cda.service_stop),
    }
    for name, (written, expected) in pairs.items():
        need(written == expected, f"{name} différent du CDA", f"cda.{name}")
    info = document.slots.get("sourcePatientInfo", [])
    fields = dict(line.split("|", 1) for line in info if "|" in line)
    need(bool(fields.get("PID-5", "").split("^")[0]), "sourcePatientInfo PID-5", "document.sourcePatientInfo")
    need(fields.get("PID-7") == cda.birth_date, "sourcePatientInfo PID-7", "document.sourcePatientInfo")
    gender = {"UN": {"U", "UN", "O"}}.get(cda.gender, {cda.gender})
    need(fields.get("PID-8") in gender, "sourcePatientInfo PID-8", "document.sourcePatientInfo")
    expected_format = PDF_FORMAT if cda.pdf_body else IMAGING_FORMAT
    need(cda.pdf_body or cda.structured_body, "corps du CDA", "cda.body", code="InvalidDocumentContent")
    need(_code(document, names.DOC_FORMAT) == expected_format, "formatCode différent du corps", "document.formatCode")


def _code(document: RegistryObject, scheme: str) -> str:
    found = document.codes.get(scheme, [])
    return found[0].code if found else ""


def check_signature_entry(document: RegistryObject, content: bytes, rules: Rules) -> None:
    """The fiche of the lot signature: the fixed values of §6.9."""
    need = rules.problems.require
    _check_common(document, content, rules)
    for name, (scheme, code, system) in _SIGNATURE_CODES.items():
        found = [(item.code, item.system) for item in document.codes.get(scheme, [])]
        need(found == [(code, system)], f"signature : {name} {code} attendu", f"signature.{name}")
    masks = {item.code for item in document.codes.get(names.DOC_CONFIDENTIALITY, [])}
    need(masks == {"N", "MASQUE_PS", "INVISIBLE_PATIENT"}, "signature : confidentialityCode", "signature.masks")
    need(document.slot("languageCode") == "art", "signature : languageCode art attendu", "signature.language")
    need(document.name == "Source", "signature : title Source attendu", "signature.title")
    need(document.slot("sourcePatientId") == rules.vihf.patient, "signature : sourcePatientId", "signature.patient")
    need(bool(document.authors.get(names.DOC_AUTHOR)), "signature : author absent", "signature.author")


def is_signature(document: RegistryObject) -> bool:
    """Whether the fiche is the one of a lot signature."""
    return _code(document, names.DOC_FORMAT) == names.DS


def check_membership(submission: Submission, problems: Problems) -> None:
    """Each fiche is a member of the lot by one HasMember with SubmissionSetStatus Original."""
    package_id = submission.package.object_id
    members = [item for item in submission.associations if item.kind == names.HAS_MEMBER]
    targets = sorted(item.target for item in members)
    problems.require(targets == sorted(submission.documents), "HasMember de chaque fiche attendu", "lot.members")
    for item in members:
        original = item.source == package_id and item.slots.get("SubmissionSetStatus") == ["Original"]
        problems.require(original, "HasMember : source et SubmissionSetStatus", "lot.members")
