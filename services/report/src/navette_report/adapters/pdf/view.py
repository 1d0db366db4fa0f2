"""What the template is given: French texts ready to print, as plain JSON values.

Every text is data for typst, never source: a `#` or a `$` in a report prints as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Set
from datetime import datetime, tzinfo
from typing import Any

from navette_contracts.events import Audience, RecipientRole
from navette_documents.errors import InvalidValue
from ppf.datamatrix import DataMatrix

from navette_report.adapters.pdf.details import act_line, images, remote_rows, sections
from navette_report.domain.content import Correspondent
from navette_report.domain.document import DocumentModel
from navette_report.domain.identity import PatientIdentity
from navette_report.domain.ins_datamatrix import NATURE, grouped, payload
from navette_report.domain.repertoire import clean, is_printable
from navette_report.domain.typography import NBSP, blocks, french

MONTHS = (
    "janvier", "février", "mars", "avril", "mai", "juin",
    "juillet", "août", "septembre", "octobre", "novembre", "décembre",
)  # fmt: skip
SEX = {"M": "Masculin", "F": "Féminin", "I": "Indéterminé"}
UNQUALIFIED = "Identité non qualifiée : document établi sans identité nationale de santé (INS)."
_QUIET = 2
"""Modules of quiet zone printed around the code; the specification asks for one at least."""


def long_date(moment: datetime, zone: tzinfo) -> str:
    """ "20 novembre 2026"."""
    local = moment.astimezone(zone)
    day = "1er" if local.day == 1 else str(local.day)
    return f"{day}{NBSP}{MONTHS[local.month - 1]}{NBSP}{local.year}"


def long_moment(moment: datetime, zone: tzinfo) -> str:
    """ "20 novembre 2026 à 14 h 32"."""
    local = moment.astimezone(zone)
    return f"{long_date(moment, zone)} à {local.hour}{NBSP}h{NBSP}{local.minute:02d}"


_HEAD_TITLE = 70
"""Characters of a title at the head of a page."""


def pdf_view(document: DocumentModel, notice: str) -> dict[str, Any]:
    """Values of the template for one edition.

    Raises InvalidValue (field "pdf", rule "unprintable_character") when a name or a setting has a character
    without glyph: a hole in a medical document would go unnoticed.
    """
    content, signature, zone = document.content, document.signature, document.zone
    view = {
        "title": french(content.title),
        "site": _site(document),
        "patient": _patient(document.patient, document.site.paper_traits),
        "exam": _exam(document),
        "sections": sections(document),
        "conclusion": blocks(content.conclusion),
        "banner": _banner(document),
        "withdrawn": _withdrawn(document),
        "short_title": _shortened(french(content.title)),
        "validated": {
            "on": long_moment(signature.signed_at, zone),
            "by": signature.signatory.display_name,
            "rpps": signature.signatory.rpps,
        },
        "recipients": _recipients(document),
        "images": images(document),
        "notice": french(notice),
        "continued": _continued(document.patient),
    }
    printable: dict[str, Any] = _printable(view)
    return printable


def _withdrawn(document: DocumentModel) -> str:
    """Across the copy shown of a report that was withdrawn; empty in every document that leaves."""
    if document.withdrawn_at is None:
        return ""
    when = long_moment(document.withdrawn_at, document.zone)
    return f"RETIRÉ le {when}{NBSP}: ce compte rendu ne doit plus être utilisé"


def _shortened(title: str) -> str:
    """The title for the head of the pages that follow the first."""
    return title if len(title) <= _HEAD_TITLE else title[: _HEAD_TITLE - 1].rstrip() + "…"


def _banner(document: DocumentModel) -> str:
    """What this document annuls, or that it repeats an earlier edition; empty for a first one."""
    if document.former is not None:
        return f"Annule et remplace la version {document.former.number} du " + long_date(
            document.former.signed_at, document.zone
        )
    if document.replaces_unique_id is not None:
        return f"Édition n°{NBSP}{document.version_number} du même compte rendu, contenu inchangé"
    return ""


def _printable(value: Any) -> Any:
    """The same value with its texts in composed form; raises InvalidValue for a character without glyph."""
    if isinstance(value, str):
        text = clean(value)
        if not is_printable(text):
            raise InvalidValue("pdf", "unprintable_character")
        return text
    if isinstance(value, dict):
        return {key: _printable(one) for key, one in value.items()}
    # The pixels of the datamatrix are by far the longest list, and hold no text.
    if isinstance(value, list) and not (value and isinstance(value[0], int)):
        return [_printable(one) for one in value]
    return value


def _site(document: DocumentModel) -> dict[str, Any]:
    site = document.site
    return {
        "name": site.name,
        "legal_name": site.legal_name,
        "finess": site.finess,
        "street": site.address.street,
        "city": f"{site.address.postal_code} {site.address.city}",
        "phone": _phone(site.phone),
        "color": site.letterhead_color,
        "lines": [french(line) for line in site.lines],
    }


def _phone(number: str) -> str:
    """A French number in pairs, another one as it is written."""
    digits = re.sub(r"[ .]", "", number)
    if re.fullmatch(r"0\d{9}", digits):
        return NBSP.join(digits[start : start + 2] for start in range(0, 10, 2))
    return number.replace(" ", NBSP)


def _french_date(value: str) -> str:
    year, month, day = value.split("-")
    return f"{day}/{month}/{year}"


def _patient(patient: PatientIdentity, further: Set[str]) -> dict[str, Any]:
    traits = patient.traits
    others = {
        "given_names": traits.birth_given_names,
        "used_name": " ".join(filter(None, (traits.used_given_name, traits.used_name))),
        "birth_place": traits.birth_place_code,
        "local_id": traits.local_id or "",
    }
    view: dict[str, Any] = {name: value if name in further else "" for name, value in others.items()} | {
        "birth_name": traits.birth_name,
        "first_given": traits.first_birth_given_name,
        "birth_date": _french_date(traits.birth_date),
        "sex": SEX[traits.sex],
        "ins": None,
        "unqualified": french(UNQUALIFIED),
    }
    if patient.qualified and patient.ins is not None:
        matrix = DataMatrix(payload(patient)).matrix
        side = len(matrix) + 2 * _QUIET
        blank = [255] * side
        edge = [255] * _QUIET
        rows = [blank] * _QUIET + [edge + [0 if bit else 255 for bit in row] + edge for row in matrix]
        pixels = [value for row in rows + [blank] * _QUIET for value in row]
        view["ins"] = {
            "text": grouped(patient.ins.matricule).replace(" ", NBSP),
            "nature": NATURE.get(patient.ins.oid, "INS"),
            "pixels": pixels,
            "side": side,
        }
    return view


def _exam(document: DocumentModel) -> list[dict[str, str]]:
    content, zone = document.content, document.zone
    exam, requester = content.exam, content.requester
    rows = [("Examen du", long_moment(exam.started_at, zone))]
    if requester is not None:
        rows.append(("Demandé par", _named(requester)))
    rows += [
        ("Acte" if len(content.acts) == 1 else f"Acte {n}", act_line(act)) for n, act in enumerate(content.acts, 1)
    ]
    if content.screening:
        rows.append(("Contexte", "Examen de dépistage"))
    rows += remote_rows(document)
    rows.append(("N° d’examen", ", ".join(exam.accession_numbers)))
    if exam.order_placer_numbers:
        rows.append(("N° de demande", ", ".join(exam.order_placer_numbers)))
    return [{"label": label, "value": value} for label, value in rows]


def _named(one: Correspondent) -> str:
    return french(one.display_name) + (f", {french(one.organization)}" if one.organization else "")


def _recipients(document: DocumentModel) -> list[str]:
    lines = []
    if Audience.PROFESSIONALS in document.announced_parties:
        for one in document.content.correspondents:
            role = " (médecin demandeur)" if one.role is RecipientRole.REQUESTER else ""
            lines.append(f"{_named(one)}{role} – MSSanté")
    if Audience.DMP in document.announced_parties:
        lines.append("Dossier médical partagé du patient (Mon espace santé)")
    if Audience.PATIENT in document.announced_parties:
        lines.append("Patient – messagerie de Mon espace santé")
    return lines or ["Aucun envoi prévu"]


def _continued(patient: PatientIdentity) -> str:
    traits = patient.traits
    return f"{traits.birth_name} {traits.first_birth_given_name} – {_french_date(traits.birth_date)}"
