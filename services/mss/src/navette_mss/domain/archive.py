"""IHE_XDM.zip: one patient, one lot, one CDA (spec/mss.md §3.2). The same input gives the same bytes."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from datetime import datetime
from html import escape
from io import BytesIO

from navette_documents.cda_model import CdaHeader
from navette_documents.codes import CONTENT_TYPE_CONSULTATION
from navette_documents.hl7dates import format_utc
from navette_documents.sites import Site
from navette_documents.xds import Submission, SubmissionSet, author_of, entry_from_cda, metadata_xml, patient_cx
from navette_documents.xds.from_cda import Visibility

FILE_NAME = "IHE_XDM.zip"
FOLDER = "IHE_XDM/SUBSET01/"
DOCUMENT = "DOC0001.XML"


@dataclass(frozen=True, slots=True)
class Software:
    """Name and version written in README.TXT."""

    name: str
    version: str


def build_archive(
    header: CdaHeader,
    cda: bytes,
    *,
    site: Site,
    visibility: Visibility,
    lot_key: str,
    moment: datetime,
    software: Software,
) -> bytes:
    """The archive of one CDA. `lot_key` gives the lot its id; `moment` dates it and every file in it.

    Raises `navette_documents.errors.InvalidValue` when the header lacks what the metadata need.
    """
    submission = Submission(
        lot=SubmissionSet(
            unique_id=site.uids.deterministic("xdm", lot_key),
            source_id=site.oid_root,
            patient_id=patient_cx(header.patient),
            submission_time=format_utc(moment),
            author=author_of(header.authors[0]),
            content_type=CONTENT_TYPE_CONSULTATION,
            title=header.title,
        ),
        entries=(entry_from_cda(header, cda, visibility=visibility, uri=DOCUMENT),),
    )
    files = {
        "INDEX.HTM": _index(header, site),
        "README.TXT": _readme(site, software),
        FOLDER + "METADATA.XML": metadata_xml(submission),
        FOLDER + DOCUMENT: cda,
    }
    return _zip(files, moment)


def _zip(files: dict[str, bytes], moment: datetime) -> bytes:
    out = BytesIO()
    stamp = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, allowZip64=False) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, stamp)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 0  # FAT: no permissions that depend on the machine
            archive.writestr(info, content)
    return out.getvalue()


def _index(header: CdaHeader, site: Site) -> bytes:
    sender = escape(f"{site.legal_name} - {site.name}")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML Basic 1.1//EN" "http://www.w3.org/TR/xhtml-basic/xhtml-basic11.dtd">
<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="fr">
<head><title>{escape(header.title)}</title></head>
<body>
<h1>{sender}</h1>
<p>Émetteur : {sender}, {escape(site.address.street)}, {site.address.postal_code} {escape(site.address.city)}</p>
<p><a href="README.TXT">README.TXT</a></p>
<ul><li><a href="{FOLDER}{DOCUMENT}">{escape(header.title)}</a></li></ul>
</body>
</html>
""".encode()


def _readme(site: Site, software: Software) -> bytes:
    address = f"{site.address.street}, {site.address.postal_code} {site.address.city}"
    return f"""Émetteur
  {site.legal_name} - {site.name}, {address}
Logiciel
  {software.name}, version {software.version}
Contenu
  INDEX.HTM                          page de présentation
  README.TXT                         ce fichier
  {FOLDER}METADATA.XML     description du document
  {FOLDER}{DOCUMENT}      compte rendu au format CDA R2
Utilisation
  Ouvrir l'archive avec un logiciel de professionnel de santé compatible CI-SIS.
""".replace("\n", "\r\n").encode()
