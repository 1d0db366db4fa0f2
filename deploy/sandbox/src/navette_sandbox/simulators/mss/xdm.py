"""Strict reading of IHE_XDM.zip: layout, names, METADATA against the files (spec/mss.md §3.2, §3.3)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import zipfile
from dataclasses import dataclass

from lxml import etree

from navette_sandbox.simulators.dmp import names
from navette_sandbox.simulators.dmp.ebrim import RegistryObject, Submission, read_submission
from navette_sandbox.simulators.dmp.errors import Problems, RegistryRefusalError
from navette_sandbox.simulators.dmp.formats import is_oid
from navette_sandbox.simulators.dmp.xml import XmlError, attribute, parse

INS_OIDS = {f"1.2.250.1.213.1.4.{arc}" for arc in (8, 9, 10, 11)}
_NAME_83 = re.compile(r"[A-Z0-9_]{1,8}(\.[A-Z0-9_]{1,3})?")
_NS = {"h": names.HL7}
_REQUIRED = {
    "classCode": names.DOC_CLASS,
    "confidentialityCode": names.DOC_CONFIDENTIALITY,
    "formatCode": names.DOC_FORMAT,
    "healthcareFacilityTypeCode": names.DOC_FACILITY,
    "practiceSettingCode": names.DOC_PRACTICE,
    "typeCode": names.DOC_TYPE,
}


class MailRuleError(ValueError):
    """A rule of the mail is broken: ``rule`` is its stable name, the text says what, in French."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Cda:
    """What the mail rules need from the CDA."""

    unique_id: str
    code: str
    display_name: str
    patient_ids: frozenset[tuple[str, str]]
    ins: tuple[str, str] | None
    ins_complete: bool
    birth_name: str
    first_name: str
    birth_date: str
    pdf: bytes | None


def read_cda(content: bytes) -> Cda:
    """Read a CDA. Raises `MailRuleError`."""
    try:
        root = parse(content)
    except XmlError as error:
        raise MailRuleError("cda.xml", f"CDA illisible : {error}") from error
    if root.tag != names.q(names.HL7, "ClinicalDocument"):
        raise MailRuleError("cda.root", "ClinicalDocument attendu")
    role = "h:recordTarget/h:patientRole"
    ids = frozenset(
        (attribute(item, "root"), attribute(item, "extension")) for item in root.iterfind(f"{role}/h:id", _NS)
    )
    ins = next((item for item in ids if item[0] in INS_OIDS), None)
    birth_name = _text(root, f"{role}/h:patient/h:name/h:family[@qualifier='BR']")
    first_name = _text(root, f"{role}/h:patient/h:name/h:given[@qualifier='BR']")
    birth_date = attribute(root.find(f"{role}/h:patient/h:birthTime", _NS), "value")
    gender = attribute(root.find(f"{role}/h:patient/h:administrativeGenderCode", _NS), "code")
    identifier = root.find("h:id", _NS)
    extension = attribute(identifier, "extension")
    return Cda(
        unique_id=attribute(identifier, "root") + (f"^{extension}" if extension else ""),
        code=attribute(root.find("h:code", _NS), "code"),
        display_name=attribute(root.find("h:code", _NS), "displayName"),
        patient_ids=ids,
        ins=ins,
        ins_complete=ins is not None and all((birth_name, first_name, birth_date, gender)),
        birth_name=birth_name,
        first_name=first_name,
        birth_date=birth_date,
        pdf=_pdf(root),
    )


def _text(root: etree._Element, path: str) -> str:
    found = root.find(path, _NS)
    return "" if found is None or found.text is None else found.text.strip()


def _pdf(root: etree._Element) -> bytes | None:
    body = root.find("h:component/h:nonXMLBody/h:text", _NS)
    if body is None or attribute(body, "mediaType") != "application/pdf":
        return None
    try:
        return base64.b64decode("".join((body.text or "").split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MailRuleError("cda.pdf", "PDF du CDA illisible") from error


def _check_layout(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    if len(entries) > 200 or sum(item.file_size for item in entries) > 100_000_000:
        raise MailRuleError("xdm.size", "archive trop grande")
    paths = [item.filename for item in entries if not item.is_dir()]
    if len(set(paths)) != len(paths):
        raise MailRuleError("xdm.layout", "nom en double dans l'archive")
    if not {"INDEX.HTM", "README.TXT"} <= set(paths):
        raise MailRuleError("xdm.layout", "INDEX.HTM et README.TXT attendus à la racine")
    for item in entries:
        parts = item.filename.rstrip("/").split("/")
        if len(parts) > 8 or not all(_NAME_83.fullmatch(part) for part in parts):
            raise MailRuleError("xdm.names", "nom hors ISO 9660 niveau 1")
        if any("." in part for part in parts[:-1]) or (len(parts) > 1 and parts[0] != "IHE_XDM"):
            raise MailRuleError("xdm.layout", "seul IHE_XDM contient des dossiers")
        if item.flag_bits & (0x1 | 0x8 | 0x800):
            raise MailRuleError("xdm.zip", "chiffrement, descripteur ou noms UTF-8 dans le ZIP")
        if item.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise MailRuleError("xdm.zip", "compression non supportée")
    folders = {path.rsplit("/", 1)[0] for path in paths if path.startswith("IHE_XDM/")}
    if not folders or any(f"{folder}/METADATA.XML" not in paths for folder in folders):
        raise MailRuleError("xdm.layout", "METADATA.XML attendu dans chaque dossier de IHE_XDM")


def read_archive(content: bytes) -> list[Cda]:
    """Open, check everything, return the CDA documents. Raises `MailRuleError`."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        _check_layout(archive)
        if archive.testzip() is not None:
            raise MailRuleError("xdm.zip", "archive corrompue")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise MailRuleError("xdm.zip", "archive ZIP illisible") from error
    subsets = [name for name in archive.namelist() if name.startswith("IHE_XDM/") and name.endswith("/METADATA.XML")]
    documents: list[Cda] = []
    for metadata in subsets:
        folder = metadata.rsplit("/", 1)[0]
        submission = _read_metadata(archive.read(metadata))
        documents += [_check_document(archive, folder, item, submission) for item in submission.documents.values()]
        listed = {f"{folder}/{item.slot('URI')}" for item in submission.documents.values()}
        extra = {name for name in archive.namelist() if name.startswith(f"{folder}/") and not name.endswith("/")}
        if extra - listed - {metadata, f"{folder}/STYLE.XSL"}:
            raise MailRuleError("xdm.extra", "fichier absent de METADATA.XML")
    if not documents:
        raise MailRuleError("xdm.empty", "aucun document dans l'archive")
    return documents


def _read_metadata(content: bytes) -> Submission:
    problems = Problems()
    try:
        submission = read_submission(parse(content), problems)
        problems.raise_if_any()
    except XmlError as error:
        raise MailRuleError("xdm.metadata", f"METADATA.XML illisible : {error}") from error
    except RegistryRefusalError as refusal:
        raise MailRuleError("xdm.metadata", refusal.errors[0].context) from refusal
    if submission is None:
        raise MailRuleError("xdm.metadata", "SubmitObjectsRequest attendu")
    package = submission.package
    if not is_oid(package.external_id(names.SET_UNIQUE_ID)) or not is_oid(package.external_id(names.SET_SOURCE_ID)):
        raise MailRuleError("xdm.metadata", "uniqueId ou sourceId du lot")
    if package.nodes != [names.SUBMISSION_SET_NODE] or not package.authors.get(names.SET_AUTHOR):
        raise MailRuleError("xdm.metadata", "nœud ou auteur du lot")
    if not package.codes.get(names.SET_CONTENT_TYPE) or not package.slot("submissionTime"):
        raise MailRuleError("xdm.metadata", "contentTypeCode ou submissionTime du lot")
    members = {item.target for item in submission.associations if item.kind == names.HAS_MEMBER}
    if members != set(submission.documents):
        raise MailRuleError("xdm.metadata", "HasMember de chaque fiche attendu")
    return submission


def _check_document(archive: zipfile.ZipFile, folder: str, document: RegistryObject, submission: Submission) -> Cda:
    uri = document.slot("URI")
    if f"{folder}/{uri}" not in archive.namelist():
        raise MailRuleError("xdm.uri", "URI sans fichier")
    content = archive.read(f"{folder}/{uri}")
    if document.slot("hash").lower() != hashlib.sha1(content).hexdigest():  # noqa: S324 - XDS prescribes SHA-1
        raise MailRuleError("xdm.hash", "hash différent du fichier")
    if document.slot("size") != str(len(content)):
        raise MailRuleError("xdm.size", "size différent du fichier")
    if document.element.get("mimeType") != "text/xml" or document.element.get("objectType") != names.STABLE_DOCUMENT:
        raise MailRuleError("xdm.metadata", "mimeType ou objectType de la fiche")
    for name, scheme in _REQUIRED.items():
        found = document.codes.get(scheme, [])
        if not found or not all(item.code and item.system for item in found):
            raise MailRuleError("xdm.metadata", f"{name} absent")
    if not document.authors.get(names.DOC_AUTHOR):
        raise MailRuleError("xdm.metadata", "author absent")
    cda = read_cda(content)
    if document.external_id(names.DOC_UNIQUE_ID) != cda.unique_id:
        raise MailRuleError("xdm.unique_id", "uniqueId différent de ClinicalDocument/id")
    patient = document.external_id(names.DOC_PATIENT_ID)
    if patient != submission.package.external_id(names.SET_PATIENT_ID):
        raise MailRuleError("xdm.patient_id", "patientId du lot et de la fiche diffèrent")
    _check_patient(patient, cda)
    return cda


def _check_patient(patient: str, cda: Cda) -> None:
    match = re.fullmatch(r"([^\^]+)\^\^\^&([0-9.]+)&ISO\^(NH|PI)", patient)
    if match is None or (match[2], match[1]) not in cda.patient_ids:
        raise MailRuleError("xdm.patient_id", "patientId absent du CDA")
    if cda.ins is not None and (match[2], match[1], match[3]) != (*cda.ins, "NH"):
        raise MailRuleError("xdm.patient_id", "patientId : INS du CDA attendue")
