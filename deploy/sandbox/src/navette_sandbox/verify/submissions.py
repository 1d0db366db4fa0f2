"""The submissions that the DMP received, from the files its double kept: what was sent, not its opinion of it."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from navette_sandbox.verify.deliveries import DmpDocument
from navette_sandbox.verify.xml import parse, values

_RIM = {"r": "urn:oasis:names:tc:ebxml-regrep:xsd:rim:3.0"}
_UNIQUE_ID = "urn:uuid:2e82c1f6-a085-4c72-9da3-8640a32e42ab"
_PATIENT_ID = "urn:uuid:58a6f841-87b3-4a3e-92fd-a8ffeff98427"
_FORMAT = "urn:uuid:a09d5840-386c-46f2-b5ad-9c3699a4309d"
_SIGNATURE_FORMAT = "http://www.w3.org/2000/09/xmldsig#"


def read_submissions(folder: Path) -> list[DmpDocument]:
    """Every report of every accepted lot below `folder`; a lot that was sent twice counts twice.

    Raises ValueError when a document that the metadata announce was not kept.
    """
    found: list[DmpDocument] = []
    for envelope in sorted(folder.glob("*/envelope.xml")):
        entries = parse(envelope.read_bytes()).iterfind(".//r:ExtrinsicObject", _RIM)
        found += [_document(entry, envelope.parent) for entry in entries if not _is_signature(entry)]
    return found


def _is_signature(entry: etree._Element) -> bool:
    formats = f"r:Classification[@classificationScheme='{_FORMAT}']/@nodeRepresentation"
    return _SIGNATURE_FORMAT in values(entry, formats, _RIM)


def _document(entry: etree._Element, lot: Path) -> DmpDocument:
    def external(scheme: str) -> str:
        return values(entry, f"string(r:ExternalIdentifier[@identificationScheme='{scheme}']/@value)", _RIM)[0]

    def slot(name: str) -> str:
        return values(entry, f"string(r:Slot[@name='{name}']/r:ValueList/r:Value)", _RIM)[0]

    unique_id = external(_UNIQUE_ID)
    content = lot / f"{unique_id}.xml"
    if not content.exists():
        raise ValueError("a submission without its document")
    return DmpDocument(
        unique_id=unique_id,
        hash=slot("hash"),
        size=int(slot("size") or -1),
        patient_id=external(_PATIENT_ID),
        content=content.read_bytes(),
        lot=lot.name,
    )
