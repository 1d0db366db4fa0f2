"""An IHE_XDM.zip: layout, and metadata that agree with the files (spec/mss.md §3)."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from dataclasses import dataclass

from lxml import etree

from navette_sandbox.verify.xml import parse

_RIM = {"r": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"}
_UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
_PATIENT_ID = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
_ISO_9660 = re.compile(r"[A-Z0-9_]{1,8}(?:\.[A-Z0-9_]{1,3})?")


@dataclass(frozen=True)
class XdmDocument:
    """One document of the archive, as its metadata describe it."""

    uri: str
    unique_id: str
    patient_id: str
    sha1: str
    size: int
    data: bytes


@dataclass(frozen=True)
class Xdm:
    """An archive that was read, and the rules it breaks."""

    documents: tuple[XdmDocument, ...]
    files: dict[str, bytes]
    problems: tuple[str, ...]


def read_xdm(data: bytes) -> Xdm:
    """Read an archive. Raises ValueError when it is no ZIP or has no metadata."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if archive.testzip() is not None:
                raise ValueError("a member of the archive is damaged")
            files = {info.filename: archive.read(info) for info in archive.infolist() if not info.is_dir()}
    except zipfile.BadZipFile as error:
        raise ValueError("not a ZIP archive") from error
    problems = _layout(files)
    documents: list[XdmDocument] = []
    for name, content in files.items():
        if re.fullmatch(r"IHE_XDM/[^/]+/METADATA\.XML", name):
            folder = name.rsplit("/", 1)[0]
            documents += [_document(entry, folder, files, problems) for entry in _entries(content)]
    if not documents:
        raise ValueError("no document is described in IHE_XDM/*/METADATA.XML")
    return Xdm(tuple(documents), files, tuple(problems))


def _layout(files: dict[str, bytes]) -> list[str]:
    problems = [f"{name} is missing" for name in ("INDEX.HTM", "README.TXT") if name not in files]
    problems += [
        f"{name} is not an ISO 9660 level 1 name"
        for name in files
        if not all(_ISO_9660.fullmatch(part) for part in name.split("/"))
    ]
    return problems


def _entries(metadata: bytes) -> list[etree._Element]:
    return list(parse(metadata).iterfind(".//r:ExtrinsicObject", _RIM))


def _slot(entry: etree._Element, name: str) -> str:
    return str(entry.xpath(f"string(r:Slot[@name='{name}']/r:ValueList/r:Value)", namespaces=_RIM))


def _external(entry: etree._Element, scheme: str) -> str:
    return str(entry.xpath(f"string(r:ExternalIdentifier[@identificationScheme='{scheme}']/@value)", namespaces=_RIM))


def _document(entry: etree._Element, folder: str, files: dict[str, bytes], problems: list[str]) -> XdmDocument:
    uri = _slot(entry, "URI")
    content = files.get(f"{folder}/{uri}")
    if content is None:
        problems.append(f"{folder}/{uri} is described but missing")
        content = b""
    found = XdmDocument(
        uri=f"{folder}/{uri}",
        unique_id=_external(entry, _UNIQUE_ID),
        patient_id=_external(entry, _PATIENT_ID),
        sha1=_slot(entry, "hash").lower(),
        size=int(_slot(entry, "size") or -1),
        data=content,
    )
    if found.sha1 != hashlib.sha1(content, usedforsecurity=False).hexdigest():
        problems.append(f"hash of {found.uri} differs from the file")
    if found.size != len(content):
        problems.append(f"size of {found.uri} differs from the file")
    return found
