"""What the DMP holds: fiches, contents, versions and statuses, in memory and as files for people to look at."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lxml import etree

from navette_sandbox.simulators.dmp import names
from navette_sandbox.simulators.dmp.ebrim import RegistryObject
from navette_sandbox.simulators.dmp.xml import parse


@dataclass(slots=True)
class Entry:
    """One fiche with its content. ``element`` is the fiche as submitted, without what the server adds."""

    unique_id: str
    entry_uuid: str
    logical_id: str
    patient: str
    structure: str
    status: str
    element: bytes
    content: bytes
    set_id: str
    submission_unique_id: str
    submitted_at: datetime
    version: int = 1
    replaces: str | None = None
    signature: bool = False

    def fiche(self) -> etree._Element:
        """A fresh copy of the submitted ExtrinsicObject."""
        return parse(self.element)

    @property
    def masks(self) -> list[str]:
        """Confidentiality codes in order."""
        path = f"{names.q(names.RIM, 'Classification')}[@classificationScheme='{names.DOC_CONFIDENTIALITY}']"
        return [str(item.get("nodeRepresentation")) for item in self.fiche().iterfind(path)]

    def as_json(self) -> dict[str, Any]:
        """What ``GET /state/documents`` shows."""
        return {
            "unique_id": self.unique_id,
            "entry_uuid": self.entry_uuid,
            "logical_id": self.logical_id,
            "patient_id": self.patient,
            "structure": self.structure,
            "hash": hashlib.sha1(self.content).hexdigest(),  # noqa: S324 - XDS prescribes SHA-1
            "sha256": hashlib.sha256(self.content).hexdigest(),
            "size": len(self.content),
            "status": self.status.rsplit(":", 1)[-1],
            "version": self.version,
            "set_id": self.set_id,
            "replaces": self.replaces,
            "confidentiality": self.masks,
            "is_signature": self.signature,
            "submission_unique_id": self.submission_unique_id,
            "submitted_at": self.submitted_at.isoformat(),
        }


class Registry:
    """Entries by uniqueId; accepted lots; files under the state folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.entries: dict[str, Entry] = {}
        self.lots: list[dict[str, Any]] = []

    def clear(self) -> None:
        """Forget entries and lots; files stay."""
        self.entries.clear()
        self.lots.clear()

    def by_uuid(self, entry_uuid: str) -> Entry | None:
        """The entry whose present entryUUID this is."""
        return next((entry for entry in self.entries.values() if entry.entry_uuid == entry_uuid), None)

    def lot_known(self, unique_id: str) -> bool:
        """Whether a lot with this uniqueId was accepted."""
        return any(lot["unique_id"] == unique_id for lot in self.lots)

    def add_lot(self, unique_id: str, message_id: str, operation: str, documents: list[str]) -> None:
        """Note an accepted lot."""
        self.lots.append(
            {
                "unique_id": unique_id,
                "message_id": message_id,
                "operation": operation,
                "documents": documents,
                "at": datetime.now(UTC).isoformat(),
            }
        )

    def store(self, entries: list[Entry], message: bytes) -> None:
        """Add the entries of one lot and write its files; the replaced entries become Deprecated."""
        for entry in entries:
            self.entries[entry.unique_id] = entry
            replaced = self.entries.get(entry.replaces) if entry.replaces else None
            if replaced is not None:
                replaced.status = names.DEPRECATED
                replaced.entry_uuid = new_uuid()
        folder = self._folder / "submissions" / f"{len(self.lots):05d}-{entries[0].submission_unique_id}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "envelope.xml").write_bytes(message)
        for entry in entries:
            name = "signature.xml" if entry.signature else f"{entry.unique_id}.xml"
            (folder / name).write_bytes(entry.content)
        listing = json.dumps([entry.as_json() for entry in entries], ensure_ascii=False, indent=1)
        (folder / "entries.json").write_text(listing, encoding="utf-8")

    def files(self) -> list[str]:
        """Paths of the stored submissions, relative to the state folder."""
        base = self._folder / "submissions"
        return sorted(str(path.relative_to(self._folder)) for path in base.glob("*/*")) if base.is_dir() else []


def new_uuid() -> str:
    """A fresh entryUUID."""
    return f"urn:uuid:{uuid.uuid4()}"


def registered_fiche(entry: Entry, repository: str) -> etree._Element:
    """The fiche as a query returns it: ids, status, version, repository, hash and size set by the server."""
    element = entry.fiche()
    element.set("id", entry.entry_uuid)
    element.set("lid", entry.logical_id)
    element.set("status", entry.status)
    for item in element.iter(names.q(names.RIM, "Classification")):
        item.set("classifiedObject", entry.entry_uuid)
    for item in element.iter(names.q(names.RIM, "ExternalIdentifier")):
        item.set("registryObject", entry.entry_uuid)
    for old in element.findall(names.q(names.RIM, "VersionInfo")):
        element.remove(old)
    position = 0
    for index, item in enumerate(element):
        if item.tag in {names.q(names.RIM, name) for name in ("Slot", "Name", "Description")}:
            position = index + 1
    version = etree.Element(names.q(names.RIM, "VersionInfo"))
    version.set("versionName", str(entry.version))
    element.insert(position, version)
    if not any(item.get("name") == "repositoryUniqueId" for item in element):
        slot = etree.Element(names.q(names.RIM, "Slot"))
        slot.set("name", "repositoryUniqueId")
        values = etree.SubElement(slot, names.q(names.RIM, "ValueList"))
        etree.SubElement(values, names.q(names.RIM, "Value")).text = repository
        element.insert(0, slot)
    return element


def element_bytes(document: RegistryObject) -> bytes:
    """The fiche as submitted, on its own."""
    return etree.tostring(document.element, with_tail=False)
