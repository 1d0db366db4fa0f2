"""ITI-41 Provide and Register: the whole way from XOP parts to stored entries (spec/dmp.md §6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

from lxml import etree

from navette_sandbox.simulators.dmp import names
from navette_sandbox.simulators.dmp.cda import CdaFacts, read_cda
from navette_sandbox.simulators.dmp.certificates import Authority
from navette_sandbox.simulators.dmp.ebrim import Submission, read_submission
from navette_sandbox.simulators.dmp.errors import DmpFaultError, Problems
from navette_sandbox.simulators.dmp.lot_signature import check_lot_signature
from navette_sandbox.simulators.dmp.metadata import (
    Rules,
    check_document,
    check_membership,
    check_package,
    check_signature_entry,
    is_signature,
)
from navette_sandbox.simulators.dmp.mime import Part
from navette_sandbox.simulators.dmp.names import q
from navette_sandbox.simulators.dmp.registry import Entry, Registry, element_bytes, new_uuid
from navette_sandbox.simulators.dmp.settings import DmpSettings
from navette_sandbox.simulators.dmp.soap import Envelope
from navette_sandbox.simulators.dmp.vihf import Vihf
from navette_sandbox.simulators.dmp.xml import XmlError, attribute, children


@dataclass(frozen=True, slots=True)
class ProvideContext:
    """Everything ITI-41 needs besides the message."""

    settings: DmpSettings
    registry: Registry
    authority: Authority
    patient_states: dict[str, str]


def _contents(
    request: etree._Element, parts: list[Part], submission: Submission, problems: Problems
) -> dict[str, bytes]:
    by_id = {part.content_id: part for part in parts}
    contents: dict[str, bytes] = {}
    for element in children(request, q(names.XDSB, "Document")):
        document_id = attribute(element, "id")
        include = element.find(q(names.XOP, "Include"))
        href = attribute(include, "href")
        part = by_id.get(unquote(href.removeprefix("cid:"))) if href.startswith("cid:") else None
        if part is None:
            problems.add("XDSRepositoryError", "xop:Include sans partie correspondante", "mtom.include")
        elif part.headers.get("content-type", "").split(";")[0].strip().lower() != "text/xml":
            problems.add("XDSRepositoryMetadataError", "partie text/xml attendue", "mtom.content_type")
        else:
            contents[document_id] = part.content
        if document_id not in submission.documents:
            problems.add("XDSMissingDocumentMetadata", f"{document_id} sans fiche", "mtom.document_id")
    for document_id in submission.documents:
        if document_id not in contents:
            problems.add("XDSMissingDocument", f"{document_id} sans document", "mtom.document_id")
    return contents


def _unwrap(body: etree._Element) -> etree._Element:
    request = body.find(q(names.LCM, "SubmitObjectsRequest"))
    if body.tag != q(names.XDSB, "ProvideAndRegisterDocumentSetRequest") or request is None:
        raise DmpFaultError("soap.body", "InvalidBody", "ProvideAndRegisterDocumentSetRequest attendu")
    return request


def _check_patient(vihf: Vihf, context: ProvideContext, problems: Problems) -> None:
    state = context.settings.patient_state(vihf.matricule, context.patient_states)
    message = {"closed": "Le DMP du patient est fermé", "none": "Pas de DMP pour cet INS"}.get(state)
    if message is not None:
        problems.add("XDSUnknownPatientId", message, f"patient.{state}")


def _read_report(content: bytes, problems: Problems) -> CdaFacts | None:
    try:
        facts = read_cda(content)
    except XmlError as error:
        problems.add("InvalidDocumentContent", f"CDA : {error}", "cda.xml")
        return None
    if facts is None:
        problems.add("InvalidDocumentContent", "ClinicalDocument attendu", "cda.root")
    return facts


def _check_unique_ids(submission: Submission, registry: Registry, problems: Problems) -> None:
    lot = submission.package.external_id(names.SET_UNIQUE_ID)
    ids = [document.external_id(names.DOC_UNIQUE_ID) for document in submission.documents.values()]
    if len({lot, *ids}) != len(ids) + 1:
        problems.add("XDSRepositoryDuplicateUniqueIdInMessage", "uniqueId en double", "unique_id.in_message")
    if registry.lot_known(lot):
        problems.add("XDSDuplicateUniqueIdInRegistry", lot, "unique_id.lot")
    for unique_id in ids:
        if unique_id in registry.entries:
            problems.add("XDSDuplicateUniqueIdInRegistry", unique_id, "unique_id.document")


def _replaced(
    submission: Submission, document_id: str, facts: CdaFacts, vihf: Vihf, registry: Registry, problems: Problems
) -> str | None:
    targets = [
        item.target for item in submission.associations if item.kind == names.RPLC and item.source == document_id
    ]
    if not targets:
        if facts.parents:
            problems.add("XDSReplaceFailed", "relatedDocument RPLC sans association RPLC", "replace.association")
        return None
    parent = registry.by_uuid(targets[0]) if len(targets) == 1 else None
    if parent is None or parent.status == names.DELETED:
        problems.add("UnresolvedReferenceException", "fiche à remplacer inconnue", "replace.target")
        return None
    if parent.patient != vihf.matricule:
        problems.add("XDSPatientIdDoesNotMatch", "fiche d'un autre patient", "replace.patient")
    if parent.status != names.APPROVED:
        problems.add("XDSRegistryDeprecatedDocumentError", "fiche déjà remplacée", "replace.deprecated")
    if parent.unique_id not in facts.parents:
        problems.add("XDSReplaceFailed", "relatedDocument ne désigne pas la version remplacée", "replace.cda")
    if facts.set_id and parent.set_id != facts.set_id:
        problems.add("XDSReplaceFailed", "setId différent de la version remplacée", "replace.set_id")
    return parent.unique_id


def provide(envelope: Envelope, parts: list[Part], vihf: Vihf, context: ProvideContext, now: datetime) -> list[Entry]:
    """Check and store one lot; returns the new entries. Raises `RegistryRefusalError` or `DmpFaultError`."""
    problems = Problems()
    request = _unwrap(envelope.body)
    _check_patient(vihf, context, problems)
    problems.raise_if_any()
    submission = read_submission(request, problems)
    if submission is None:
        problems.raise_if_any()
        raise DmpFaultError("soap.body", "InvalidBody", "Lot illisible")
    contents = _contents(envelope.body, parts, submission, problems)
    problems.raise_if_any()
    for document_id, content in contents.items():
        if len(content) > context.settings.max_document_bytes:
            problems.add("InvalidDocumentContent", f"{document_id} : taille maximale dépassée", "document.too_big")
    problems.raise_if_any()
    rules = Rules(context.settings, vihf, problems)
    check_package(submission.package, rules)
    check_membership(submission, problems)
    _check_unique_ids(submission, context.registry, problems)
    entries = _check_documents(submission, contents, rules, context, now)
    _check_signature(submission, contents, rules, context, now)
    problems.raise_if_any()
    lot = submission.package.external_id(names.SET_UNIQUE_ID)
    context.registry.add_lot(lot, envelope.message_id, "provide", [entry.unique_id for entry in entries])
    context.registry.store(entries, etree.tostring(envelope.root, xml_declaration=True, encoding="UTF-8"))
    return entries


def _check_documents(
    submission: Submission,
    contents: dict[str, bytes],
    rules: Rules,
    context: ProvideContext,
    now: datetime,
) -> list[Entry]:
    entries: list[Entry] = []
    reports = 0
    for document_id, document in submission.documents.items():
        content = contents[document_id]
        signature = is_signature(document)
        replaces, set_id = None, ""
        if signature:
            check_signature_entry(document, content, rules)
        else:
            reports += 1
            facts = _read_report(content, rules.problems)
            if facts is None:
                continue
            check_document(document, content, facts, rules)
            set_id = facts.set_id
            replaces = _replaced(submission, document_id, facts, rules.vihf, context.registry, rules.problems)
        entry_uuid = new_uuid()
        entries.append(
            Entry(
                unique_id=document.external_id(names.DOC_UNIQUE_ID),
                entry_uuid=entry_uuid,
                logical_id=entry_uuid,
                patient=rules.vihf.matricule,
                structure=rules.vihf.structure,
                status=names.APPROVED,
                element=element_bytes(document),
                content=content,
                set_id=set_id,
                submission_unique_id=submission.package.external_id(names.SET_UNIQUE_ID),
                submitted_at=now,
                replaces=replaces,
                signature=signature,
            )
        )
    rules.problems.require(reports > 0, "aucun document dans le lot", "lot.empty")
    return entries


def _check_signature(
    submission: Submission,
    contents: dict[str, bytes],
    rules: Rules,
    context: ProvideContext,
    now: datetime,
) -> None:
    signatures = [key for key, document in submission.documents.items() if is_signature(document)]
    problems = rules.problems
    if not signatures:
        wanted = context.settings.lot_signature == "required"
        problems.require(not wanted, "signature du lot attendue", "signature.absent")
        return
    signs = [(item.source, item.target) for item in submission.associations if item.kind == names.SIGNS]
    expected = [(signatures[0], submission.package.object_id)]
    problems.require(len(signatures) == 1 and signs == expected, "association signs", "signature.association")
    signed = {
        document.external_id(names.DOC_UNIQUE_ID): contents[key]
        for key, document in submission.documents.items()
        if key not in signatures
    }
    lot = submission.package.external_id(names.SET_UNIQUE_ID)
    check_lot_signature(contents[signatures[0]], signed, lot, context.authority, rules.vihf.structure, now, problems)
