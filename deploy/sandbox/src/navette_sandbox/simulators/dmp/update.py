"""ITI-57 Update Document Set: delete, archive, unarchive, masks (spec/dmp.md §9)."""

from __future__ import annotations

from navette_sandbox.simulators.dmp import names
from navette_sandbox.simulators.dmp.ebrim import Association, RegistryObject, Submission, read_object, read_submission
from navette_sandbox.simulators.dmp.errors import Problems
from navette_sandbox.simulators.dmp.metadata import Rules, check_masks, check_package
from navette_sandbox.simulators.dmp.queries import denied
from navette_sandbox.simulators.dmp.registry import Entry, Registry, element_bytes, new_uuid
from navette_sandbox.simulators.dmp.settings import DmpSettings
from navette_sandbox.simulators.dmp.soap import Envelope
from navette_sandbox.simulators.dmp.vihf import Vihf

TRANSITIONS = {
    (names.APPROVED, names.DELETED),
    (names.ARCHIVED, names.DELETED),
    (names.APPROVED, names.ARCHIVED),
    (names.ARCHIVED, names.APPROVED),
}
_UNCHANGED_IDS = (names.DOC_UNIQUE_ID, names.DOC_PATIENT_ID)


def update(envelope: Envelope, vihf: Vihf, registry: Registry, settings: DmpSettings) -> list[str]:
    """Apply one ITI-57 message; returns the uniqueIds touched. Raises like `provide.provide`."""
    problems = Problems()
    submission = read_submission(envelope.body, problems)
    problems.raise_if_any()
    if submission is None:
        return []
    check_package(submission.package, Rules(settings, vihf, problems))
    lot = submission.package.external_id(names.SET_UNIQUE_ID)
    if registry.lot_known(lot):
        problems.add("XDSDuplicateUniqueIdInRegistry", lot, "unique_id.lot")
    problems.raise_if_any()
    statuses = [item for item in submission.associations if item.kind == names.UPDATE_STATUS]
    if bool(statuses) == bool(submission.documents):
        problems.add("XDSMetadataUpdateOperationError", "un changement d'état ou une fiche", "update.operation")
        problems.raise_if_any()
    touched = (
        _change_statuses(submission, statuses, vihf, registry, problems)
        if statuses
        else _change_masks(submission, vihf, registry, Rules(settings, vihf, problems))
    )
    registry.add_lot(lot, envelope.message_id, "update", touched)
    return touched


def _own_entry(entry: Entry | None, vihf: Vihf, problems: Problems) -> Entry:
    known = entry is not None and entry.patient == vihf.matricule and entry.status != names.DELETED
    problems.require(known, "fiche inconnue", "update.target", code="UnresolvedReferenceException")
    problems.raise_if_any()
    if entry is None or entry.structure != vihf.structure:
        raise denied("other_structure")
    return entry


def _change_statuses(
    submission: Submission,
    statuses: list[Association],
    vihf: Vihf,
    registry: Registry,
    problems: Problems,
) -> list[str]:
    changes: list[tuple[Entry, str]] = []
    for item in statuses:
        original, new = item.slots.get("OriginalStatus", [""])[0], item.slots.get("NewStatus", [""])[0]
        entry = _own_entry(registry.by_uuid(item.target), vihf, problems)
        if vihf.mode == "INDIRECTE" and new != names.DELETED:
            raise denied("archive")
        from_lot = item.source == submission.package.object_id
        problems.require(from_lot, "source : lot attendu", "update.source", code="XDSMetadataUpdateError")
        allowed = original == entry.status and (original, new) in TRANSITIONS
        problems.require(allowed, "état d'origine ou transition", "update.status", code="XDSMetadataUpdateError")
        changes.append((entry, new))
    problems.raise_if_any()
    for entry, new in changes:
        entry.status = new
        entry.entry_uuid = new_uuid()
    return [entry.unique_id for entry, _ in changes]


def _change_masks(submission: Submission, vihf: Vihf, registry: Registry, rules: Rules) -> list[str]:
    if vihf.mode == "INDIRECTE":
        raise denied("masks")
    touched: list[str] = []
    for document_id, document in submission.documents.items():
        unique_id = document.external_id(names.DOC_UNIQUE_ID)
        entry = _own_entry(registry.entries.get(unique_id), vihf, rules.problems)
        need = rules.problems.require
        need(document.element.get("lid") == entry.logical_id, "lid", "update.lid", code="XDSMetadataIdentifierError")
        members = [
            item for item in submission.associations if item.kind == names.HAS_MEMBER and item.target == document_id
        ]
        previous = [item.slots.get("PreviousVersion") for item in members]
        need(previous == [[str(entry.version)]], "PreviousVersion", "update.version", code="XDSMetadataVersionError")
        check_masks(document, rules)
        same = _unchangeable(document) == _unchangeable_of(entry)
        need(same, "seules les confidentialités changent", "update.unchanged", code="UnmodifiableMetadataError")
        rules.problems.raise_if_any()
        entry.element = element_bytes(document)
        entry.version += 1
        entry.entry_uuid = new_uuid()
        touched.append(unique_id)
    return touched


def _unchangeable(document: RegistryObject) -> dict[str, object]:
    slots = {key: value for key, value in document.slots.items() if key != "repositoryUniqueId"}
    codes = {key: value for key, value in document.codes.items() if key != names.DOC_CONFIDENTIALITY}
    external = {key: document.external.get(key) for key in _UNCHANGED_IDS}
    return {"slots": slots, "codes": codes, "authors": document.authors, "ids": external, "name": document.name}


def _unchangeable_of(entry: Entry) -> dict[str, object]:
    return _unchangeable(read_object(entry.fiche(), Problems()))
