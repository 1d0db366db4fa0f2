"""Small pieces of HL7 v3: elements, coded values, names, addresses, telecoms."""

from __future__ import annotations

import re

from lxml import etree
from navette_documents.codes import CCAM, LOINC, Code
from navette_documents.sites import Address

from navette_report.domain.imaging import Act

HL7 = "urn:hl7-org:v3"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
DICOM = "urn:dicom-org:ps3-20"
NSMAP: dict[str | None, str] = {None: HL7, "xsi": XSI, "ps3-20": DICOM}

Element = etree._Element

_HOUSE = re.compile(r"^(\d+(?:\s?(?:bis|ter|quater|[A-Z]))?),?\s+(\S.*)$")


def root_element(tag: str) -> Element:
    """The root, with the namespaces of an imaging document declared once."""
    return etree.Element(f"{{{HL7}}}{tag}", nsmap=NSMAP)  # type: ignore[arg-type] # stubs forget the default one


def add(parent: Element, tag: str, text: str | None = None, /, **attributes: str | None) -> Element:
    """A child of the HL7 namespace; attributes whose value is None are left out."""
    child = etree.SubElement(parent, f"{{{HL7}}}{tag}")
    for name, value in attributes.items():
        if value is not None:
            child.set(name, value)
    child.text = text
    return child


def add_code(parent: Element, tag: str, code: Code) -> Element:
    """A coded value with its label and the name of its system."""
    return add(
        parent,
        tag,
        code=code.code,
        displayName=code.display,
        codeSystem=code.system,
        codeSystemName=code.system_name,
    )


def add_qualified(parent: Element, code: Code, qualifier: Code) -> Element:
    """A translation that says by its qualifier what it translates to (modality, region)."""
    translation = add_code(parent, "translation", code)
    add_code(add(translation, "qualifier"), "name", qualifier)
    return translation


def loinc_of(act: Act) -> Code:
    """The LOINC code of an act."""
    return Code(act.loinc_code, act.loinc_label, LOINC)


def add_act_code(parent: Element, act: Act, *, anchor: str | None = None) -> Element:
    """The code of an act, with its CCAM translation; `anchor` is its place in a narrative."""
    code = add_code(parent, "code", loinc_of(act))
    if anchor is not None:
        add(add(code, "originalText"), "reference", value=f"#{anchor}")
    if act.ccam_code is not None and act.ccam_label is not None:
        add_code(code, "translation", Code(act.ccam_code, act.ccam_label, CCAM))
    return code


def add_phone(parent: Element, number: str, *, use: str | None = None) -> None:
    """A telephone number, digits and plus sign only."""
    add(parent, "telecom", value="tel:" + re.sub(r"[^\d+]", "", number), use=use)


def add_mail(parent: Element, address: str) -> None:
    """An MSSanté address."""
    add(parent, "telecom", value=f"mailto:{address}")


def add_address(parent: Element, address: Address) -> None:
    """A postal address in structured parts; street lines and parts may not be mixed (spec/cda.md §4.2)."""
    element = add(parent, "addr")
    house = _HOUSE.match(address.street)
    if house:
        add(element, "houseNumber", house.group(1))
        add(element, "streetName", house.group(2))
    else:
        add(element, "streetName", address.street)
    add(element, "postalCode", address.postal_code)
    add(element, "city", address.city)


def add_person_name(
    parent: Element,
    *,
    family: str,
    given: str | None = None,
    civility: str | None = None,
    title: str | None = None,
) -> None:
    """Name of a professional: civility in prefix, title in suffix (spec/cda.md §4.3)."""
    name = add(parent, "name")
    if civility is not None:
        add(name, "prefix", civility)
    if given is not None:
        add(name, "given", given)
    add(name, "family", family)
    if title is not None:
        add(name, "suffix", title)
