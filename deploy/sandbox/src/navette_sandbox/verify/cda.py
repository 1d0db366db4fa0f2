"""What the checks need from a CDA R2 document with a PDF inside: the body itself (N1), or attached to it (N3)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from navette_sandbox.verify.xml import only, parse, values

_NS = {"h": "urn:hl7-org:v3"}
_PLAIN_BODY = "h:component/h:nonXMLBody/h:text"
INS_OIDS = frozenset(f"1.2.250.1.213.1.4.{number}" for number in (8, 9, 10, 11))
"""Assigning authorities of a matricule INS (NIR, NIA, and the two of the test environments)."""


@dataclass(frozen=True)
class Cda:
    """The facts of one document."""

    data: bytes
    unique_id: str
    """`root`, or `root^extension`."""
    set_id: str
    version_number: int
    type_code: str
    patient_ids: tuple[tuple[str, str], ...]
    """(OID, value) of every identifier of the patient."""
    replaces: str | None
    author_id: str
    pdf: bytes
    structured: bool
    """Whether the body is structured (N3) and the PDF its readable copy."""

    @property
    def ins(self) -> tuple[str, str] | None:
        """(OID, matricule) when the document carries an INS."""
        return next((each for each in self.patient_ids if each[0] in INS_OIDS), None)

    @property
    def sha1(self) -> str:
        """SHA-1 of the document in hexadecimal: the `hash` of XDS metadata."""
        return hashlib.sha1(self.data, usedforsecurity=False).hexdigest()


def _instance(root: str, extension: str) -> str:
    return f"{root}^{extension}" if extension else root


def read_cda(data: bytes) -> Cda:
    """Read a document. Raises ValueError naming what is missing or double."""
    root = parse(data)
    if root.tag != "{urn:hl7-org:v3}ClinicalDocument":
        raise ValueError("the root is not ClinicalDocument")

    def instance(path: str) -> str:
        extension = values(root, f"string({path}/@extension)", _NS)[0]
        return _instance(only(root, f"{path}/@root", _NS), extension)

    structured = root.find("h:component/h:structuredBody", _NS) is not None
    body = "h:component/h:structuredBody//h:observationMedia/h:value" if structured else _PLAIN_BODY
    if only(root, f"{body}/@mediaType", _NS) != "application/pdf":
        raise ValueError("the body is not a PDF")
    pdf = base64.b64decode("".join(only(root, f"{body}/text()", _NS).split()), validate=True)
    patients = root.findall("h:recordTarget/h:patientRole/h:id", _NS)
    parent = "h:relatedDocument[@typeCode='RPLC']/h:parentDocument/h:id"
    return Cda(
        data=data,
        unique_id=instance("h:id"),
        set_id=instance("h:setId"),
        version_number=int(only(root, "h:versionNumber/@value", _NS)),
        type_code=only(root, "h:code/@code", _NS),
        patient_ids=tuple((each.get("root", ""), each.get("extension", "")) for each in patients),
        replaces=instance(parent) if values(root, f"{parent}/@root", _NS) else None,
        author_id=values(root, "string(h:author[1]/h:assignedAuthor/h:id/@extension)", _NS)[0],
        pdf=pdf,
        structured=structured,
    )
