"""The assertion of a professional signed on with Pro Santé Connect (spec/ins.md §2.3).

**Unverified**: seen second-hand from the official example of SEL-MP-043 v05.00.01. It is not signed, names the
professional under `NameQualifier="PSC"` and carries `codeSpecialiteAMO` and `identifiantFacturation`; how the
PSC token travels is not public. An option of the settings, to be tried in qualification before any use.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from lxml import etree

from navette_ins.domain.insi.names import SAML
from navette_ins.domain.insi.request import instant

LASTS = timedelta(hours=1)
_EARLIER = timedelta(minutes=5)
_URI = "urn:oasis:names:tc:SAML:2.0:attrname-format:basic"


@dataclass(frozen=True, slots=True)
class PscAssertion:
    """What every assertion of this installation says beside the professional."""

    issuer: str
    billing_number: str
    """identifiantFacturation: FINESS of the establishment, else its SIRET."""
    specialty: str | None
    """codeSpecialiteAMO, two digits; required for physicians."""


def national_id(rpps: str) -> str:
    """PS_IdNat of a professional: 8 followed by the RPPS."""
    return f"8{rpps}"


def psc_assertion(fixed: PscAssertion, rpps: str, assertion_id: str, *, at: datetime) -> etree._Element:
    """`saml:Assertion` 2.0, not signed. `assertion_id` is a fresh UUID."""
    moment = instant(at)
    assertion = etree.Element(
        f"{{{SAML}}}Assertion", nsmap={"saml": SAML}, ID=f"_{assertion_id}", IssueInstant=moment, Version="2.0"
    )
    _text(assertion, "Issuer", fixed.issuer)
    subject = etree.SubElement(assertion, f"{{{SAML}}}Subject")
    _text(subject, "NameID", national_id(rpps)).set("NameQualifier", "PSC")
    etree.SubElement(
        assertion, f"{{{SAML}}}Conditions", NotBefore=instant(at - _EARLIER), NotOnOrAfter=instant(at + LASTS)
    )
    context = etree.SubElement(
        etree.SubElement(assertion, f"{{{SAML}}}AuthnStatement", AuthnInstant=moment), f"{{{SAML}}}AuthnContext"
    )
    _text(context, "AuthnContextClassRef", "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified")
    statement = etree.SubElement(assertion, f"{{{SAML}}}AttributeStatement")
    _attribute(statement, "identifiantFacturation", fixed.billing_number)
    if fixed.specialty is not None:
        _attribute(statement, "codeSpecialiteAMO", fixed.specialty)
    return assertion


def _attribute(statement: etree._Element, name: str, value: str) -> None:
    attribute = etree.SubElement(statement, f"{{{SAML}}}Attribute", Name=name, NameFormat=_URI)
    _text(attribute, "AttributeValue", value)


def _text(parent: etree._Element, name: str, value: str) -> etree._Element:
    child = etree.SubElement(parent, f"{{{SAML}}}{name}")
    child.text = value
    return child
