"""The search with a carte Vitale and the assertion of a professional on the wire (spec/ins.md §2.3, §2.5)."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.insi.assertion import PscAssertion, national_id, psc_assertion
from navette_ins.domain.insi.card import (
    Beneficiary,
    CardQuery,
    CardReading,
    card_assertion,
    card_query,
    check_reading,
    picked,
)
from navette_ins.domain.insi.plan import Query
from navette_ins.domain.insi.request import Caller, MessageIds, Software, search_request

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
CONFORMANCE = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", "../shared/conformance")) / "insi/wsdl/xsd"
official = pytest.mark.skipif(not CONFORMANCE.is_dir(), reason="official INSi data not found: NAVETTE_CONFORMANCE_DIR")
SOFTWARE = Software("NAV-TEST-1", "Navette", "0.1.0", str(uuid.uuid4()))
ASSERTION = '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Version="2.0" ID="_1"/>'
VIT = "{http://www.cnamts.fr/INSiRecVit}"
BAM = "{urn:siram:bam:ctxbam}"
WSSE = "{http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd}"


def reading(*beneficiaries: Beneficiary, **changes: Any) -> CardReading:
    values: dict[str, Any] = {
        "read_at": NOW,
        "insured_number": "2880976540999",
        "insured_birth_name": "JUMEAU-EXEMPLE",
        "beneficiaries": beneficiaries or (child(),),
        "assertion": ASSERTION,
    }
    return CardReading.model_validate(values | changes)


def child(**changes: Any) -> Beneficiary:
    return Beneficiary.model_validate({"birth_date": "2018-11-30", "birth_rank": "2"} | changes)


def envelope(query: Query | CardQuery, caller: Caller | None = None) -> etree._Element:
    ids = MessageIds(str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4()))
    return etree.fromstring(search_request(query, SOFTWARE, caller or Caller("1990000001"), ids, at=NOW))


def assert_valid(element: etree._Element | None, schema: str) -> None:
    assert element is not None
    etree.XMLSchema(etree.parse(CONFORMANCE / schema)).assertValid(etree.fromstring(etree.tostring(element)))


@official
@pytest.mark.conformance
@pytest.mark.dsr("RIS.INS.50")
@pytest.mark.parametrize("own_number", [None, "1181176540922"])
def test_a_card_search_is_valid_for_the_official_schemas(own_number: str | None) -> None:
    one = child(own_number=own_number, bearer="1")
    found = envelope(card_query(reading(one), one))
    assert_valid(found.find(f".//{VIT}RECVITALE"), "ServiceIdentiteCertifiee/INSi_RECVITALE_INS.xsd")
    assert_valid(found.find(f".//{BAM}ContexteBAM"), "CTX/ROOT_ctxbam_CTXBAM_V01_02.xsd")


def test_cover_and_search_say_the_same_of_the_beneficiary() -> None:
    one = child(own_number="1181176540922", bearer="3")
    found = envelope(card_query(reading(one), one))
    cover = found.find(f".//{BAM}COUVERTURE")
    search = found.find(f".//{VIT}RECVITALE")
    assert cover is not None
    assert search is not None
    pairs = {
        f"{BAM}ASSURE/{BAM}Id/{BAM}Num": f"{VIT}MatriculeOD/{VIT}NumIdentifiant",
        f"{BAM}BENEFICIAIRE/{BAM}Nir/{BAM}Num": f"{VIT}MatriculeIndividu/{VIT}NumIdentifiant",
        f"{BAM}BENEFICIAIRE/{BAM}DateNai": f"{VIT}DateNaissance",
        f"{BAM}BENEFICIAIRE/{BAM}Rang": f"{VIT}RangNaissance",
    }
    for there, here in pairs.items():
        assert cover.findtext(there) == search.findtext(here) is not None
    assert cover.findtext(f"{BAM}BENEFICIAIRE/{BAM}Porteur") == "3"


def test_a_card_without_the_beneficiarys_own_number_searches_with_the_insured_alone() -> None:
    found = envelope(card_query(reading(), child()))
    assert found.find(f".//{VIT}MatriculeIndividu") is None
    assert found.find(f".//{BAM}Nir") is None
    assert found.findtext(f".//{VIT}NomNaissance") == "JUMEAU-EXEMPLE"


def test_the_name_of_the_beneficiary_goes_before_the_insureds_and_in_the_alphabet_of_insi() -> None:
    found = envelope(card_query(reading(), child(birth_name="Été-Fictif")))
    assert found.findtext(f".//{VIT}NomNaissance") == "ETE-FICTIF"


def test_a_card_with_several_people_waits_for_a_person_to_pick() -> None:
    first, second = child(birth_rank="1"), child()
    with pytest.raises(RuleBroken) as refused:
        picked(reading(first, second), None)
    assert (refused.value.field, refused.value.rule) == ("beneficiary", "choose_beneficiary")
    assert picked(reading(first, second), 1) == second
    assert picked(reading(first), None) == first
    with pytest.raises(RuleBroken, match="unknown_beneficiary"):
        picked(reading(first, second), 2)


@pytest.mark.parametrize(
    ("one", "changes", "field"),
    [
        (child(), {"insured_number": "288097654099X"}, "insured_number"),
        (child(own_number="118117654092"), {}, "own_number"),
        (child(birth_date="30/11/2018"), {}, "birth_date"),
        (child(birth_rank="x"), {}, "birth_rank"),
        (child(bearer="12"), {}, "bearer"),
        (child(birth_name="Петров"), {}, "birth_name"),
        (child(), {"insured_birth_name": None}, "birth_name"),
    ],
)
def test_what_a_reader_misread_is_refused_by_field_and_never_quoted(
    one: Beneficiary, changes: dict[str, Any], field: str
) -> None:
    card = reading(one, **changes)
    with pytest.raises(RuleBroken) as refused:
        card_query(card, one)
    assert refused.value.field == field
    assert str(refused.value).startswith(f"{field}: ")
    assert "2880976540999" not in repr(card)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"read_at": NOW - timedelta(minutes=20)}, "old_reading"),
        ({"read_at": NOW + timedelta(minutes=2)}, "future_reading"),
        ({"assertion": None}, "card_assertion_missing"),
        ({"assertion": "<a>"}, "card_assertion"),
        ({"assertion": "<a/>"}, "card_assertion"),
        ({"assertion": ASSERTION.replace("2.0", "1.1", 1).replace('"2.0"', '"1.1"')}, "card_assertion"),
        ({"assertion": '<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>'}, "card_assertion"),
    ],
)
def test_a_reading_too_old_or_without_its_assertion_is_refused(changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(RuleBroken) as refused:
        check_reading(reading(**changes), at=NOW, assertion_required=True)
    assert refused.value.rule == rule


def test_a_reading_of_now_with_its_assertion_is_taken() -> None:
    check_reading(reading(), at=NOW + timedelta(minutes=19), assertion_required=True)
    check_reading(reading(assertion=None), at=NOW, assertion_required=False)


def test_a_certificate_alone_sends_no_security_header() -> None:
    assert envelope(Query("A", "B", "F", "1968-04-17")).find(f".//{WSSE}Security") is None


@official
@pytest.mark.conformance
def test_both_assertions_travel_in_one_security_header_valid_for_the_official_schema() -> None:
    fixed = PscAssertion("https://imagerie-fictive.example", "990000002", "06")
    professional = psc_assertion(fixed, "99700001003", str(uuid.uuid4()), at=NOW)
    caller = Caller(national_id("99700001003"), (professional,))
    found = envelope(Query("A", "B", "F", "1968-04-17"), caller)
    assert_valid(found.find(f".//{WSSE}Security"), "WSSE/Security.xsd")
    both = envelope(card_query(reading(), child()), Caller("8", (professional, card_assertion(ASSERTION))))
    security = both.find(f".//{WSSE}Security")
    assert security is not None
    assert len(security) == 2


def test_the_assertion_of_a_professional_is_unsigned_and_names_psc() -> None:
    fixed = PscAssertion("https://imagerie-fictive.example", "990000002", None)
    text = etree.tostring(psc_assertion(fixed, "99700001003", "1", at=NOW)).decode()
    assert 'NameQualifier="PSC">899700001003<' in text
    assert "identifiantFacturation" in text
    assert "codeSpecialiteAMO" not in text
    assert "Signature" not in text
