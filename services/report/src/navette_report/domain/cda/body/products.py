"""Products given to the patient: contrast media and radiopharmaceuticals."""

from __future__ import annotations

from navette_documents.imaging_codes import ATC, CIP, INTRAVENOUS, RADIOPHARMACEUTICAL

from navette_report.domain.cda.body.pen import Pen, refer
from navette_report.domain.cda.tree import Element, add, add_code
from navette_report.domain.imaging import Contrast, Product, Radiopharmaceutical, Route
from navette_report.domain.wording import amount


def add_contrast(section: Element, pen: Pen, product: Contrast, anchor: str) -> None:
    """FR-DICOM-Administration-produit-de-sante of a contrast medium."""
    given = pen.entry(section, "substanceAdministration", "SBADM", "1.2.840.10008.9.13", "1.2.250.1.213.1.1.3.151")
    pen.identify(given)
    refer(given, "text", anchor)
    add(given, "statusCode", code="completed")
    _add_route(given, product.route)
    if product.volume_ml is not None:
        low = add(add(given, "doseQuantity"), "low", value=amount(product.volume_ml), unit="mL")
        refer(add(low, "translation"), "originalText", anchor)
    _add_product(add(given, "consumable"), product, anchor)


def add_radiopharmaceutical(section: Element, pen: Pen, product: Radiopharmaceutical, anchor: str) -> None:
    """FR-DICOM-Administration-radiopharmaceutique, with the activity in MBq."""
    # Its templateId alone: the one of contrast media would call the rules of the other entry.
    given = pen.entry(section, "substanceAdministration", "SBADM", "1.2.250.1.213.1.1.3.173")
    add_code(given, "code", RADIOPHARMACEUTICAL)
    _add_route(given, product.route)
    dose = add(given, "doseQuantity", value=amount(product.activity_mbq), unit="MBq")
    refer(add(dose, "translation"), "originalText", anchor)
    _add_product(add(given, "consumable", typeCode="CSM"), product, anchor)


def _add_route(given: Element, route: Route) -> None:
    """The route, coded where the specification names the code; the narrative says it in any case."""
    if route is Route.INTRAVENOUS:
        code = INTRAVENOUS
        add(
            given,
            "routeCode",
            code=code.code,
            displayName=code.display,
            codeSystem=code.system,
            codeSystemName="EDQM",
        )


def _add_product(consumable: Element, product: Product, anchor: str) -> None:
    """The product: its code has no system of its own, CIP and ATC are translations (spec/cda.md §6)."""
    material = add(add(consumable, "manufacturedProduct", classCode="MANU"), "manufacturedMaterial")
    code = add(material, "code")
    refer(code, "originalText", anchor)
    if product.cip_code is not None:
        add(
            code,
            "translation",
            code=product.cip_code,
            displayName=product.name,
            codeSystem=CIP,
            codeSystemName="CIP",
        )
    if product.atc_code is not None:
        add(
            code,
            "translation",
            code=product.atc_code,
            displayName=product.atc_label,
            codeSystem=ATC,
            codeSystemName="ATC",
        )
    add(material, "name", product.name)
    if product.lot_number is not None:
        add(material, "lotNumberText", product.lot_number)
