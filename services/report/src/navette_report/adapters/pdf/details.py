"""What the template prints beside the prose: products, dose, history, who read from where, the way to the images."""

from __future__ import annotations

from typing import Any

import segno
from navette_documents.codes import MODALITIES, REGIONS
from navette_documents.imaging_codes import CONTRAINDICATIONS

from navette_report.domain.document import DocumentModel
from navette_report.domain.imaging import Act, Pregnancy
from navette_report.domain.typography import NBSP, blocks, french
from navette_report.domain.wording import PREGNANCIES, SIDES, measure_line, product_line, site_line

_QUIET = 4
"""Modules of quiet zone around a QR code (ISO/IEC 18004)."""


def sections(document: DocumentModel) -> list[dict[str, Any]]:
    """The parts of the report before its conclusion, those that say something, in the order they are read."""
    content = document.content
    parts = [
        ("Indication", blocks(content.indication)),
        ("Antécédents et contre-indications", _history(document)),
        ("Technique", blocks(content.technique)),
        ("Produits administrés", _items(_products(content.acts))),
        ("Exposition aux rayonnements", _items(_exposures(content.acts))),
        ("Complications", [block for act in content.acts for block in blocks(act.complications)]),
        ("Examens de comparaison", blocks(content.comparison)),
        ("Résultats", blocks(content.findings)),
    ]
    return [{"title": title, "blocks": parts} for title, parts in parts if parts]


def _items(lines: list[str]) -> list[dict[str, object]]:
    return [{"kind": "list", "items": [french(line) for line in lines]}] if lines else []


def _history(document: DocumentModel) -> list[dict[str, object]]:
    content = document.content
    forbidding = [CONTRAINDICATIONS[code].display for code in content.contraindications]
    return [*blocks(content.medical_history), *blocks(content.surgical_history), *_items(forbidding)]


def _products(acts: tuple[Act, ...]) -> list[str]:
    given = [product for act in acts for product in act.contrast]
    radioactive = [product for act in acts if act.exposure for product in act.exposure.radiopharmaceuticals]
    return [product_line(product) for product in (*given, *radioactive)]


def _exposures(acts: tuple[Act, ...]) -> list[str]:
    """One line per measure; the site is named when more than one act was irradiating."""
    exposed = [act for act in acts if act.exposure is not None]
    lines = []
    for act in exposed:
        if act.exposure is None:
            continue
        where = f" ({site_line(act)})" if len(exposed) > 1 else ""
        lines += [measure_line(measure) + where for measure in act.exposure.measures]
    irradiating = len(exposed) + sum(act.dose_unavailable for act in acts)
    lines += [
        f"Dose{NBSP}: non disponible" + (f" ({site_line(act)})" if irradiating > 1 else "")
        for act in acts
        if act.dose_unavailable
    ]
    pregnancies = {act.exposure.pregnancy for act in exposed if act.exposure} - {Pregnancy.NOT_APPLICABLE}
    return lines + [f"Grossesse{NBSP}: {PREGNANCIES[one]}" for one in sorted(pregnancies)]


def act_line(act: Act) -> str:
    """ "Tomodensitométrie – poumon entier, côté gauche – CCAM ZBQK001"."""
    place = site_line(act) if act.body_site else REGIONS[act.region].display
    if not act.body_site and act.laterality is not None:
        place += f", {SIDES[act.laterality]}"
    words = [MODALITIES[act.modality].display, place]
    if act.ccam_code is not None:
        words.append(f"CCAM{NBSP}{act.ccam_code}")
    return " – ".join(words)


def remote_rows(document: DocumentModel) -> list[tuple[str, str]]:
    """In teleradiology: who read from where, and who answers on site."""
    remote = document.content.teleradiology
    if remote is None:
        return []
    return [
        ("Lu à distance", f"{document.signature.signatory.display_name}, {french(remote.reader_organization)}"),
        ("Responsable", f"{remote.responsible.display_name} – RPPS{NBSP}{remote.responsible.rpps}"),
    ]


def images(document: DocumentModel) -> list[dict[str, Any]]:
    """The links to the images, one per study, each with its QR code as pixels; none when the site offers no link."""
    return [{"url": url, **_qr_code(url)} for url in document.image_urls]


def _qr_code(url: str) -> dict[str, Any]:
    rows = [[0 if module else 255 for module in row] for row in segno.make(url, error="m", micro=False).matrix]
    side, edge = len(rows) + 2 * _QUIET, [255] * _QUIET
    blank = [255] * side
    framed = [blank] * _QUIET + [edge + row + edge for row in rows] + [blank] * _QUIET
    return {"pixels": [value for row in framed for value in row], "side": side}
