"""The assertions of `wsse:Security`: one that a reader builds from a card, one of a professional (spec/ins.md §2.3).

What an assertion of a carte Vitale holds is not public. What the double wants of it beside the SAML 2.0 schema is
its own: the insured's number as NameID under `NameQualifier="VITALE"`, and at most twenty minutes of age.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from lxml import etree

from navette_sandbox.simulators.insi.faults import Refusal

WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
SAML = "urn:oasis:names:tc:SAML:2.0:assertion"
CARD_LASTS = timedelta(minutes=20)
SKEW = timedelta(minutes=5)
_CODE = "desir_9007"


@dataclass(frozen=True)
class Assertion:
    """What one assertion says."""

    name_id: str
    qualifier: str
    issued_at: datetime
    attributes: dict[str, str]


def read_all(header: etree._Element, now: datetime) -> list[Assertion]:
    """The assertions of a header, in order; none without `wsse:Security`. Raises `Refusal`."""
    found = header.findall(f"{{{WSSE}}}Security")
    if not found:
        return []
    if len(found) > 1:
        raise Refusal(_CODE, "wsse:Security is present once")
    children = [child for child in found[0] if isinstance(child.tag, str)]
    if not children or any(child.tag != f"{{{SAML}}}Assertion" for child in children):
        raise Refusal(_CODE, "wsse:Security holds saml:Assertion only")
    return [_read(child, now) for child in children]


def check_card(assertions: list[Assertion], insured_number: str, now: datetime) -> None:
    """A search by card carries one fresh assertion of that very card (acceptance tests 1.02 and 1.03)."""
    cards = [one for one in assertions if one.qualifier == "VITALE"]
    if len(cards) != 1:
        raise Refusal(_CODE, "a search by card carries the assertion of the card")
    if now - cards[0].issued_at >= CARD_LASTS:
        raise Refusal(_CODE, "the assertion of the card is less than twenty minutes old")
    if cards[0].name_id != insured_number:
        raise Refusal(_CODE, "the assertion is of the card that is searched with")


def professional(assertions: list[Assertion]) -> str:
    """NameID of the professional of a call without client certificate. Raises `Refusal`."""
    found = [one for one in assertions if one.qualifier == "PSC"]
    if len(found) != 1:
        raise Refusal("desir_560", "a call without certificate carries the assertion of a professional")
    if not re.fullmatch(r"8\d{11}", found[0].name_id):
        raise Refusal(_CODE, "NameID is the national identifier of the professional")
    if not re.fullmatch(r"\d{9}|\d{14}", found[0].attributes.get("identifiantFacturation", "")):
        raise Refusal(_CODE, "identifiantFacturation is a FINESS or a SIRET")
    specialty = found[0].attributes.get("codeSpecialiteAMO")
    if specialty is not None and not re.fullmatch(r"\d{2}", specialty):
        raise Refusal(_CODE, "codeSpecialiteAMO is two digits")
    return found[0].name_id


def _read(element: etree._Element, now: datetime) -> Assertion:
    if element.get("Version") != "2.0" or not element.get("ID"):
        raise Refusal(_CODE, "assertion is SAML 2.0 and has an ID")
    if not (element.findtext(f"{{{SAML}}}Issuer") or "").strip():
        raise Refusal(_CODE, "assertion has an Issuer")
    subject = element.find(f"{{{SAML}}}Subject/{{{SAML}}}NameID")
    if subject is None or not (subject.text or "").strip():
        raise Refusal(_CODE, "assertion has a Subject with a NameID")
    issued_at = _instant(element.get("IssueInstant"), "IssueInstant")
    if issued_at > now + SKEW:
        raise Refusal(_CODE, "assertion was issued in the past")
    conditions = element.find(f"{{{SAML}}}Conditions")
    if conditions is None:
        raise Refusal(_CODE, "assertion has Conditions")
    if not _instant(conditions.get("NotBefore"), "NotBefore") <= now:
        raise Refusal(_CODE, "assertion is valid already")
    if not now < _instant(conditions.get("NotOnOrAfter"), "NotOnOrAfter"):
        raise Refusal(_CODE, "assertion is valid still")
    attributes = {
        one.get("Name", ""): (one.findtext(f"{{{SAML}}}AttributeValue") or "").strip()
        for one in element.iterfind(f"{{{SAML}}}AttributeStatement/{{{SAML}}}Attribute")
    }
    return Assertion((subject.text or "").strip(), subject.get("NameQualifier", ""), issued_at, attributes)


def _instant(text: str | None, name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        raise Refusal(_CODE, f"{name} is an instant") from None
    if moment.tzinfo is None:
        raise Refusal(_CODE, f"{name} names its time zone")
    return moment
