"""What leaves with a professional who changes software: the documents they validated, and their history (PORT.01)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from navette_documents.sites import Site

from navette_report.domain.report import Edition, Report, Version

Row = dict[str, Any]

COLUMNS = (
    "date_validation",
    "finess",
    "compte_rendu",
    "version",
    "version_document",
    "etat",
    "titre",
    "numero_examen",
    "numero_demande",
    "etude_dicom",
    "date_examen",
    "ins_qualifiee",
    "niveau_cda",
    "identifiant_unique",
    "identifiant_lot_de_versions",
    "remplace",
    "compose_le",
    "fichier_pdf",
    "sha256_pdf",
    "fichier_cda",
    "sha256_cda",
)

README = """Export de portabilité des comptes rendus d'imagerie
====================================================

Cette archive contient les documents qu'un professionnel a validés pendant une période, et leur historique.

LISEZ-MOI.txt                       ce texte
index.csv                           une ligne par document (séparateur « ; », UTF-8)
index.json                          les mêmes données, avec les envois de chaque document
documents/<compte rendu>/v<n>.pdf   le compte rendu lisible (PDF/A-1b)
documents/<compte rendu>/v<n>.xml   le même au format CDA R2 (IMG-CR-IMG), <n> = version_document

Colonnes de index.csv
  date_validation                instant de la validation par le professionnel (ISO 8601)
  finess                         FINESS géographique du site
  compte_rendu, version          identifiant du compte rendu et numéro de la version validée
  version_document               versionNumber du CDA ; le document porte le même setId d'une version à l'autre
  etat                           état de cette version (composed : en vigueur ; withdrawn : annulée...)
  titre, numero_examen, numero_demande, etude_dicom, date_examen
                                 titre, Accession Number, Order Placer Number, Study Instance UID, début de l'examen ;
                                 plusieurs numéros sont séparés par une espace ; une apostrophe est ajoutée devant un
                                 texte qui commence par = + - @ (il serait calculé par un tableur), pas dans index.json
  ins_qualifiee                  oui si le document porte l'identité nationale de santé (INS)
  niveau_cda                     N1 (PDF seul) ou N3 (corps structuré)
  identifiant_unique             ClinicalDocument/id
  identifiant_lot_de_versions    ClinicalDocument/setId
  remplace                       ClinicalDocument/id du document annulé et remplacé, vide s'il n'y en a pas
  compose_le                     instant de l'établissement du document
  fichier_pdf, sha256_pdf, fichier_cda, sha256_cda
                                 chemins dans l'archive et empreintes SHA-256

Dans index.json, « envois » dit pour chaque document le canal (dmp, mss), le destinataire, l'objet (report : le
compte rendu ; withdrawal : l'annulation ; release : la levée de l'invisibilité), l'état et depuis quand.

Une archive dont la fin manque (fichier zip refusé par votre logiciel) a été interrompue : demandez-la de nouveau.
Les documents reçus d'autres professionnels ne sont pas conservés par ce service et ne figurent pas ici.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """Whose documents, validated from `start` (included) to `end` (excluded), at which sites."""

    rpps: str
    start: datetime
    end: datetime
    sites: Mapping[str, Site]


@dataclass(frozen=True, slots=True, repr=False)
class Exported:
    """One document that leaves."""

    report: Report
    version: Version
    edition: Edition

    @property
    def _stem(self) -> str:
        return f"documents/{self.report.report_id}/v{self.edition.reference.version_number}"

    @property
    def pdf_name(self) -> str:
        """Path of the PDF in the archive."""
        return f"{self._stem}.pdf"

    @property
    def cda_name(self) -> str:
        """Path of the CDA in the archive."""
        return f"{self._stem}.xml"


def exported_of(report: Report, request: Request) -> Iterator[Exported]:
    """The documents of a report that were asked for: other versions may be somebody else's."""
    for version in report.versions:
        signature = version.signature
        if signature is None or signature.signatory.rpps != request.rpps:
            continue
        if request.start <= signature.signed_at < request.end:
            for edition in version.editions:
                yield Exported(report, version, edition)


def row_of(one: Exported, site: Site, lines: Sequence[Mapping[str, str]]) -> Row:
    """What the index says about a document."""
    exam, reference, signature = one.version.content.exam, one.edition.reference, one.version.signature
    return {
        "date_validation": signature.signed_at.isoformat() if signature else "",
        "finess": site.finess,
        "compte_rendu": one.report.report_id,
        "version": one.version.number,
        "version_document": reference.version_number,
        "etat": one.version.state.value,
        "titre": one.version.content.title,
        "numero_examen": " ".join(exam.accession_numbers),
        "numero_demande": " ".join(exam.order_placer_numbers),
        "etude_dicom": " ".join(one.version.content.studies),
        "date_examen": exam.started_at.isoformat(),
        "ins_qualifiee": "oui" if one.edition.ins_qualified else "non",
        "niveau_cda": reference.level,
        "identifiant_unique": reference.unique_id,
        "identifiant_lot_de_versions": reference.set_id,
        "remplace": one.edition.replaces_unique_id or "",
        "compose_le": one.edition.composed_at.isoformat(),
        "fichier_pdf": one.pdf_name,
        "sha256_pdf": reference.pdf_sha256,
        "fichier_cda": one.cda_name,
        "sha256_cda": reference.cda_sha256,
        "envois": list(lines),
    }
