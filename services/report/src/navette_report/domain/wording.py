"""French words for what an act was made of, the same in the PDF and in the narrative of the CDA."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from navette_documents.imaging_codes import DOSE_QUANTITIES

from navette_report.domain.imaging import (
    Act,
    Contrast,
    DoseMeasure,
    Laterality,
    Pregnancy,
    Product,
    Radiopharmaceutical,
    Route,
)
from navette_report.domain.typography import NBSP

SIDES: Mapping[Laterality, str] = {
    Laterality.LEFT: "côté gauche",
    Laterality.RIGHT: "côté droit",
    Laterality.BILATERAL: "bilatéral",
}
ROUTES: Mapping[Route, str] = {
    Route.INTRAVENOUS: "voie intraveineuse",
    Route.ORAL: "voie orale",
    Route.RECTAL: "voie rectale",
    Route.INTRA_ARTICULAR: "voie intra-articulaire",
    Route.INTRATHECAL: "voie intrathécale",
    Route.INTRA_ARTERIAL: "voie intra-artérielle",
}
PREGNANCIES: Mapping[Pregnancy, str] = {
    Pregnancy.NONE: "absence de grossesse",
    Pregnancy.PREGNANT: "enceinte",
    Pregnancy.UNKNOWN: "inconnu",
    Pregnancy.NOT_APPLICABLE: "Sans objet",
}


def amount(value: Decimal) -> str:
    """ "1140.26": digits and a point, without exponent or useless zeros, as HL7 writes numbers."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def french_amount(value: Decimal) -> str:
    """ "1140,26"."""
    return amount(value).replace(".", ",")


def measure_value(measure: DoseMeasure) -> str:
    """ "1140,26 mGy.cm"; a number alone for a count."""
    unit = DOSE_QUANTITIES[measure.quantity].unit
    return french_amount(measure.value) + (f"{NBSP}{unit}" if unit else "")


def measure_line(measure: DoseMeasure) -> str:
    """ "PDL Total : 1140,26 mGy.cm" with the short name of the quantity, "Dose efficace (E)" for a bare letter."""
    short, _, name = DOSE_QUANTITIES[measure.quantity].code.display.partition(" : ")
    return f"{f'{name} ({short})' if len(short) == 1 else short}{NBSP}: {measure_value(measure)}"


def product_line(product: Product) -> str:
    """ "XENETIX 350, 150 mL, voie intraveineuse, lot 0002034"."""
    words = [product.name]
    if isinstance(product, Contrast) and product.volume_ml is not None:
        words.append(f"{french_amount(product.volume_ml)}{NBSP}mL")
    if isinstance(product, Radiopharmaceutical):
        words.append(f"{french_amount(product.activity_mbq)}{NBSP}MBq")
    words.append(ROUTES[product.route])
    if product.lot_number is not None:
        words.append(f"lot {product.lot_number}")
    return ", ".join(words)


def site_line(act: Act) -> str:
    """Where an act was done, with its side."""
    return act.site.display + (f", {SIDES[act.laterality]}" if act.laterality is not None else "")
