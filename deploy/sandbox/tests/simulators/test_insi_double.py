"""The INSi double answers as the teleservice does, and refuses what it refuses."""

from __future__ import annotations

import os
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree
from navette_sandbox.simulators.insi import assertions, envelope, people, replies, search
from navette_sandbox.simulators.insi.faults import FAULTS, OWN_CODES, Refusal

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
CALLER = envelope.Caller("INSI-AUTO", "1990000001")
TRAITS = "urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecTraitsIdentite"
CARD = "urn:ServiceIdentiteCertifiee:1.0.0:rechercherInsAvecCarteVitale"
PEOPLE = people.load(people.DEFAULT_FILE)
RESULT = "{http://www.cnamts.fr/INSiResultat}"

SEARCH = """<rec:RECSANSVITALE xmlns:rec="http://www.cnamts.fr/INSiRecSans"><rec:NomNaissance>ADRUN</rec:NomNaissance>\
<rec:Prenom>ZOE</rec:Prenom><rec:Sexe>F</rec:Sexe><rec:DateNaissance>1975-12-31</rec:DateNaissance>\
<rec:LieuNaissance>63220</rec:LieuNaissance></rec:RECSANSVITALE>"""
COVER = """<bam:COUVERTURE><bam:ASSURE><bam:Id><bam:Num>2880976540999</bam:Num></bam:Id></bam:ASSURE>\
<bam:BENEFICIAIRE><bam:DateNai>2018-11-30</bam:DateNai><bam:Rang>2</bam:Rang></bam:BENEFICIAIRE></bam:COUVERTURE>"""
CARD_SEARCH = """<vit:RECVITALE xmlns:vit="http://www.cnamts.fr/INSiRecVit"><vit:MatriculeOD>\
<vit:NumIdentifiant>2880976540999</vit:NumIdentifiant></vit:MatriculeOD>\
<vit:NomNaissance>JUMEAU-EXEMPLE</vit:NomNaissance><vit:DateNaissance>2018-11-30</vit:DateNaissance>\
<vit:RangNaissance>2</vit:RangNaissance></vit:RECVITALE>"""


def assertion(
    name: str = "2880976540999",
    qualifier: str = "VITALE",
    *,
    issued: str = "2026-11-22T19:50:00Z",
    until: str = "2026-11-22T20:10:00Z",
    attributes: str = "",
) -> str:
    """A `wsse:Security` with one assertion."""
    return f"""<wsse:Security xmlns:wsse="{assertions.WSSE}"><saml:Assertion xmlns:saml="{assertions.SAML}" ID="_1"
 IssueInstant="{issued}" Version="2.0"><saml:Issuer>Lecteur</saml:Issuer><saml:Subject>\
<saml:NameID NameQualifier="{qualifier}">{name}</saml:NameID></saml:Subject>\
<saml:Conditions NotBefore="{issued}" NotOnOrAfter="{until}"/>{attributes}</saml:Assertion></wsse:Security>"""


def request(
    action: str = TRAITS, cover: str = "<bam:COUVERTURE/>", payload: str = SEARCH, security: str | None = None
) -> str:
    """A request that obeys every rule at `NOW`."""
    security = security if security is not None else (assertion() if action == CARD else "")
    temps = "2026-11-22T20:00:00.000Z"
    return f"""<soap:Envelope xmlns:soap="http://www.w3.org/2003/05/soap-envelope"
 xmlns:wsa="http://www.w3.org/2005/08/addressing" xmlns:bam="urn:siram:bam:ctxbam" xmlns:lps="urn:siram:lps:ctxlps">
<soap:Header><wsa:Action>{action}</wsa:Action><wsa:MessageID>uuid:{uuid.uuid4()}</wsa:MessageID>{security}
<bam:ContexteBAM Nature="CTXBAM" Version="01_02"><bam:Id>{uuid.uuid4()}</bam:Id><bam:Temps>{temps}</bam:Temps>\
<bam:Emetteur>1990000001</bam:Emetteur>{cover}</bam:ContexteBAM>
<lps:ContexteLPS Nature="CTXLPS" Version="01_00"><lps:Id>{uuid.uuid4()}</lps:Id><lps:Temps>{temps}</lps:Temps>\
<lps:Emetteur>1990000001</lps:Emetteur><lps:LPS><lps:IDAM R="4">NAV-TEST-1</lps:IDAM><lps:Version>1.0.0</lps:Version>\
<lps:Instance>{uuid.uuid4()}</lps:Instance><lps:Nom>urn:lps:Essai:1.0.0</lps:Nom></lps:LPS></lps:ContexteLPS>
</soap:Header><soap:Body>{payload}</soap:Body></soap:Envelope>"""


def content_type(action: str = TRAITS) -> str:
    return f'application/soap+xml; charset=utf-8; action="{action}"'


def read(text: str, header: str | None = None, caller: envelope.Caller = CALLER) -> envelope.Request:
    return envelope.read(text.encode(), header or content_type(), caller, NOW)


def found(text: str) -> list[str]:
    return [person.id for person in search.by_traits(read(text).payload, PEOPLE)]


def swapped(text: str, first: str, second: str) -> str:
    """`text` with the elements `first` and `second` exchanged."""
    pattern = re.compile(rf"(<{first}[ >].*?</{first}>)(.*?)(<{second}[ >].*?</{second}>)", re.DOTALL)
    assert pattern.search(text)
    return pattern.sub(r"\3\2\1", text, count=1)


def test_a_correct_search_finds_the_one_person() -> None:
    assert found(request()) == ["T01"]


@pytest.mark.parametrize("common_name", ["insi-auto", "INSI_AUTO", "Centre A", ""])
def test_a_certificate_of_another_name_has_no_rights(common_name: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(request(), caller=envelope.Caller(common_name, "1990000001"))
    assert refused.value.code == "desir_560"


def test_the_manual_certificate_is_accepted() -> None:
    read(request(), caller=envelope.Caller("INSI-MANU", "1990000001"))


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("text/xml; charset=utf-8", "desir_9001"),
        (f'application/soap+xml; action="{TRAITS}"', "desir_9001"),
        ("application/soap+xml; charset=utf-8", "desir_9002"),
        (f'application/soap+xml; charset=utf-8; action="{CARD}"', "desir_9002"),
    ],
)
def test_a_content_type_without_charset_or_the_same_action_is_refused(header: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(request(), header)
    assert refused.value.code == code


BAM_ID = r"<bam:Id>[^<]*</bam:Id>"
HEADER_DEFECTS = {
    "two addressing actions": (r"(<wsa:Action>.*?</wsa:Action>)", r"\1\1", "desir_9002"),
    "header after body": (r"(<soap:Header>.*</soap:Header>)(<soap:Body>.*</soap:Body>)", r"\2\1", "desir_9001"),
    "no addressing action": (r"<wsa:Action>.*?</wsa:Action>", "", "desir_9002"),
    "unknown action": (r"rechercherInsAvecTraitsIdentite", "autreChose", "desir_9002"),
    "message id without uuid": (r"uuid:[0-9a-f-]+", "message-1", "desir_9002"),
    "message id of another form": (r"<wsa:MessageID>uuid:", "<wsa:MessageID>urn:uuid:", "desir_9002"),
    "BAM version": ('Version="01_02"', 'Version="01_01"', "desir_9003"),
    "BAM nature": ('Nature="CTXBAM"', 'Nature="CTXLPS"', "desir_9003"),
    "BAM id not a uuid": (BAM_ID, "<bam:Id>1</bam:Id>", "desir_9003"),
    "BAM without cover": ("<bam:COUVERTURE/>", "", "desir_9003"),
    "cover not empty for traits": ("<bam:COUVERTURE/>", COVER, "desir_9003"),
    "stale time": ("<bam:Temps>2026-11-22T20", "<bam:Temps>2026-11-22T19", "desir_9003"),
    "local time": (r"<bam:Temps>[^<]*", "<bam:Temps>2026-11-22T21:00:00+01:00", "desir_9003"),
    "sender is not the OU": ("<bam:Emetteur>1990000001", "<bam:Emetteur>1990000002", "desir_9003"),
    "foreign element in BAM": ("<bam:COUVERTURE/>", "<bam:Autre/><bam:COUVERTURE/>", "desir_9003"),
    "LPS version": ('Version="01_00"', 'Version="01_02"', "desir_9004"),
    "LPS sender is not the OU": ("<lps:Emetteur>1990000001", "<lps:Emetteur>0", "desir_9004"),
    "LPS stale time": ("<lps:Temps>2026", "<lps:Temps>2025", "desir_9004"),
    "LPS instance not a uuid": (
        r"<lps:Instance>[^<]*</lps:Instance>",
        "<lps:Instance>poste-1</lps:Instance>",
        "desir_9004",
    ),
    "LPS name form": ("urn:lps:Essai:1.0.0", "Essai 1.0.0", "desir_9004"),
    "no CNDA number": ("NAV-TEST-1", "", "desir_550"),
    "CNDA number of another kind": ('<lps:IDAM R="4">', '<lps:IDAM R="3">', "desir_550"),
    "empty body": (re.escape(SEARCH), "", "desir_9005"),
    "payload of the other operation": (re.escape(SEARCH), CARD_SEARCH, "desir_9005"),
    "SOAP 1.1": ("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/", "desir_9001"),
}


@pytest.mark.parametrize("defect", HEADER_DEFECTS)
def test_each_defect_of_the_headers_is_refused(defect: str) -> None:
    pattern, replacement, code = HEADER_DEFECTS[defect]
    broken = re.sub(pattern, replacement, request(), flags=re.DOTALL)
    with pytest.raises(Refusal) as refused:
        read(broken)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("first", "second", "code"),
    [
        ("bam:Id", "bam:Temps", "desir_9003"),
        ("bam:Temps", "bam:Emetteur", "desir_9003"),
        ("lps:Temps", "lps:Emetteur", "desir_9004"),
        ("lps:IDAM", "lps:Version", "desir_9004"),
        ("lps:Instance", "lps:Nom", "desir_9004"),
    ],
)
def test_children_out_of_schema_order_are_refused(first: str, second: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(swapped(request(), first, second))
    assert refused.value.code == code


@pytest.mark.parametrize(
    "document",
    [
        "not xml",
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e "x">]>' + request(),
        request() + "trailing",
        "<Envelope/>",
    ],
)
def test_what_is_not_a_soap_envelope_is_refused(document: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(document)
    assert refused.value.code == "desir_9001"


SEARCH_DEFECTS = {
    "lower case": ("ADRUN", "Adrun", "insi_9001"),
    "accent": ("ZOE", "ZOÉ", "insi_9002"),
    "ligature": ("ADRUN", "CŒUR", "insi_9001"),
    "digit": ("ADRUN", "ADRUN1", "insi_9001"),
    "typographic apostrophe": ("ADRUN", "D’ADRUN", "insi_9001"),
    "leading space": ("<rec:NomNaissance>", "<rec:NomNaissance> ", "insi_9001"),
    "leading hyphen": ("ADRUN", "-ADRUN", "insi_9001"),
    "doubled space": ("ADRUN", "DE  ADRUN", "insi_9001"),
    "space beside apostrophe": ("ADRUN", "D' ADRUN", "insi_9001"),
    "double hyphen in a given name": ("ZOE", "ZOE--ANNE", "insi_9002"),
    "given name ending with a hyphen": ("ZOE", "ZOE-", "insi_9002"),
    "no given name": ("<rec:Prenom>ZOE</rec:Prenom>", "", "insi_9002"),
    "no birth name": ("<rec:NomNaissance>ADRUN</rec:NomNaissance>", "", "insi_9001"),
    "empty sex": ("<rec:Sexe>F", "<rec:Sexe>", "insi_24"),
    "no sex": ("<rec:Sexe>F</rec:Sexe>", "", "insi_24"),
    "undetermined sex": ("<rec:Sexe>F", "<rec:Sexe>I", "insi_24"),
    "French date": ("1975-12-31", "31/12/1975", "insi_9003"),
    "compact date": ("1975-12-31", "19751231", "insi_9003"),
    "empty place": (">63220<", "><", "insi_9004"),
    "place of three digits": (">63220<", ">632<", "insi_9004"),
    "element of another namespace": ("<rec:Sexe>F</rec:Sexe>", "<Sexe>F</Sexe>", "desir_9005"),
    "two dates": (
        "</rec:DateNaissance>",
        "</rec:DateNaissance><rec:DateNaissance>1975-12-31</rec:DateNaissance>",
        "desir_9005",
    ),
    "key name of the qualification environment": ("ADRUN", "ADRUN-DOES-NOT-EXIST", "insi_102"),
}


@pytest.mark.parametrize("defect", SEARCH_DEFECTS)
def test_each_defect_of_the_traits_is_refused(defect: str) -> None:
    old, new, code = SEARCH_DEFECTS[defect]
    with pytest.raises(Refusal) as refused:
        found(request(payload=SEARCH.replace(old, new)))
    assert refused.value.code == code


def test_traits_out_of_schema_order_are_refused() -> None:
    with pytest.raises(Refusal) as refused:
        found(swapped(request(), "rec:Sexe", "rec:DateNaissance"))
    assert refused.value.code == "desir_9005"


def traits(name: str, given: str, sex: str, born: str, place: str | None = None) -> str:
    cog = f"<rec:LieuNaissance>{place}</rec:LieuNaissance>" if place else ""
    return request(
        payload='<rec:RECSANSVITALE xmlns:rec="http://www.cnamts.fr/INSiRecSans">'
        f"<rec:NomNaissance>{name}</rec:NomNaissance><rec:Prenom>{given}</rec:Prenom><rec:Sexe>{sex}</rec:Sexe>"
        f"<rec:DateNaissance>{born}</rec:DateNaissance>{cog}</rec:RECSANSVITALE>"
    )


def test_homonyms_born_the_same_day_are_several_until_a_trait_separates_them() -> None:
    assert found(traits("HOMONYME-FICTIF", "LEA", "F", "1985-02-14")) == ["P19", "P20"]
    assert found(traits("HOMONYME-FICTIF", "LEA CHLOE", "F", "1985-02-14")) == ["P20"]
    assert found(traits("HOMONYME-FICTIF", "LEA", "F", "1985-02-14", "54395")) == ["P19"]


def test_only_a_beginning_of_the_list_of_given_names_finds_the_person() -> None:
    assert found(traits("BELLA-FICTIF", "OLA", "F", "1936-06-21")) == []
    assert found(traits("BELLA-FICTIF", "CATARINA", "F", "1936-06-21")) == ["P23"]
    assert found(traits("BELLA-FICTIF", "BELLA", "F", "1936-06-21")) == []


def test_another_place_of_birth_finds_nobody() -> None:
    assert found(traits("ADRUN", "ZOE", "F", "1975-12-31", "75112")) == []


def by_card(cover: str, payload: str, security: str | None = None) -> list[str]:
    asked = read(request(CARD, cover, payload, security), content_type(CARD))
    return [one.id for one in search.by_card(asked.payload, PEOPLE, asked.covered_number, asked.cover)]


def test_the_rank_of_birth_tells_twins_on_a_card() -> None:
    assert by_card(COVER, CARD_SEARCH) == ["P22"]
    first = COVER.replace("<bam:Rang>2", "<bam:Rang>1")
    assert by_card(first, CARD_SEARCH.replace("<vit:RangNaissance>2", "<vit:RangNaissance>1")) == ["P21"]


@pytest.mark.parametrize(
    ("cover", "payload"),
    [
        (COVER.replace("2880976540999", "2620225056924"), CARD_SEARCH),
        (COVER, re.sub(r"<vit:MatriculeOD>.*</vit:MatriculeOD>", "", CARD_SEARCH)),
        (COVER, CARD_SEARCH.replace("2880976540999", "28809765409")),
        (COVER.replace("2880976540999", "28809"), CARD_SEARCH),
        ("<bam:COUVERTURE/>", CARD_SEARCH),
        (COVER.replace("2018-11-30", "30/11/2018"), CARD_SEARCH),
        (COVER.replace("</bam:BENEFICIAIRE>", "<bam:Porteur>oui</bam:Porteur></bam:BENEFICIAIRE>"), CARD_SEARCH),
        (COVER, CARD_SEARCH.replace("JUMEAU", "Jumeau")),
        (COVER, CARD_SEARCH.replace("2018-11-30", "2018")),
        (COVER, CARD_SEARCH.replace("<vit:RangNaissance>2", "<vit:RangNaissance>deux")),
        (COVER.replace("<bam:Rang>2", "<bam:Rang>deux"), CARD_SEARCH),
        (COVER.replace("<bam:Rang>2", "<bam:Rang>1"), CARD_SEARCH),
        (COVER.replace("2018-11-30", "2018-11-29"), CARD_SEARCH),
        (
            COVER.replace("<bam:DateNai>", "<bam:Nir><bam:Num>1181176540922</bam:Num></bam:Nir><bam:DateNai>"),
            CARD_SEARCH,
        ),
    ],
)
def test_a_card_search_with_a_wrong_or_missing_insured_number_is_refused(cover: str, payload: str) -> None:
    with pytest.raises(Refusal):
        by_card(cover, payload)


OTHER_DEFECTS = {
    "no assertion": "",
    "assertion of another card": assertion("2620225056924"),
    "assertion of a professional only": assertion("899700001003", "PSC"),
    "assertion twenty minutes old": assertion(issued="2026-11-22T19:40:00Z"),
    "assertion no longer valid": assertion(until="2026-11-22T19:59:00Z"),
    "assertion of the future": assertion(issued="2026-11-22T20:30:00Z"),
    "assertion without a time zone": assertion(issued="2026-11-22T19:50:00"),
    "assertion without an instant": assertion(issued="hier"),
    "assertion of another version": assertion().replace('Version="2.0"', 'Version="1.1"'),
    "assertion without issuer": assertion().replace("Lecteur", ""),
    "assertion without subject": re.sub(r"<saml:Subject>.*</saml:Subject>", "", assertion()),
    "assertion without conditions": re.sub(r"<saml:Conditions[^>]*/>", "", assertion()),
    "empty security": f'<wsse:Security xmlns:wsse="{assertions.WSSE}"/>',
    "security twice": assertion() * 2,
    "something else in security": assertion().replace("saml:Assertion", "saml:Autre"),
}


@pytest.mark.parametrize("defect", OTHER_DEFECTS)
def test_a_card_search_needs_one_fresh_assertion_of_that_card(defect: str) -> None:
    with pytest.raises(Refusal) as refused:
        by_card(COVER, CARD_SEARCH, OTHER_DEFECTS[defect])
    assert refused.value.code == "desir_9007"


BILLING = """<saml:AttributeStatement><saml:Attribute Name="identifiantFacturation"><saml:AttributeValue>990000002\
</saml:AttributeValue></saml:Attribute><saml:Attribute Name="codeSpecialiteAMO"><saml:AttributeValue>06\
</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>"""
PROFESSIONAL = assertion("899700001003", "PSC", attributes=BILLING)
NOBODY = envelope.Caller("", "", anonymous=True)


def as_professional(security: str, sender: str = "899700001003") -> list[str]:
    text = request(security=security).replace(">1990000001<", f">{sender}<")
    asked = read(text, caller=NOBODY)
    return [one.id for one in search.by_traits(asked.payload, PEOPLE)]


def test_without_a_certificate_the_assertion_of_a_professional_opens_the_search() -> None:
    assert as_professional(PROFESSIONAL) == ["T01"]


@pytest.mark.parametrize(
    ("security", "sender", "code"),
    [
        ("", "899700001003", "desir_560"),
        (assertion("899700001003", "CPS", attributes=BILLING), "899700001003", "desir_560"),
        (PROFESSIONAL.replace("899700001003", "99700001003"), "99700001003", "desir_9007"),
        (assertion("899700001003", "PSC"), "899700001003", "desir_9007"),
        (PROFESSIONAL.replace(">06", ">radiologue"), "899700001003", "desir_9007"),
        (PROFESSIONAL, "899700001011", "desir_9003"),
    ],
)
def test_an_assertion_that_names_no_professional_properly_is_refused(security: str, sender: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        as_professional(security, sender)
    assert refused.value.code == code


def test_the_data_file_holds_enough_people_with_valid_keys() -> None:
    assert len(PEOPLE) >= 25
    alone = [one for one in PEOPLE if not one.birth_name.startswith("HOMONYME")]
    assert len(alone) >= 8
    assert {one.active.oid[-2:] for one in PEOPLE} == {".8", ".9"}
    assert {one.birth_place_code[:2] for one in PEOPLE} >= {"2A", "2B", "97", "99"}


def test_a_wrong_key_in_a_data_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "people.json"
    good = people.DEFAULT_FILE.read_text(encoding="utf-8")
    file.write_text(good.replace('"key": "19"', '"key": "18"', 1), encoding="utf-8")
    with pytest.raises(ValueError, match="wrong key"):
        people.load(file)


def test_replies_follow_the_schema_of_the_teleservice() -> None:
    folder = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", "../shared/conformance"))
    schema_file = folder / "insi/wsdl/xsd/ServiceIdentiteCertifiee/INSi_RESULTAT_INS.xsd"
    if not schema_file.exists():
        pytest.skip("no conformance data: set NAVETTE_CONFORMANCE_DIR")
    schema = etree.XMLSchema(etree.parse(schema_file))
    for group in ([], PEOPLE[:2], *([person] for person in PEOPLE)):
        document = etree.fromstring(replies.result(group, replies.Style()))
        schema.assertValid(next(document.iter(f"{RESULT}RESULTAT")))


def test_prefixes_and_order_of_the_history_vary_on_demand() -> None:
    changed = [one for one in PEOPLE if len(one.history) == 2]
    usual = etree.fromstring(replies.result(changed, replies.Style()))
    varied = etree.fromstring(replies.result(changed, replies.Style(True, True)))
    assert [usual.prefix, usual[0].prefix] == ["soap", "env"]
    assert [varied.prefix, varied[0].prefix] == ["soap", "soap"]
    first = next(varied.iter(f"{RESULT}INSHISTO"))
    assert etree.QName(first[0]).localname == "DateDeb"
    assert len(list(varied.iter(f"{RESULT}INSHISTO"))) == 2


@pytest.mark.parametrize("code", sorted(FAULTS))
def test_a_fault_carries_role_subcode_detail_and_the_message_id(code: str) -> None:
    document = etree.fromstring(replies.fault(code, "uuid:1", replies.Style()))
    error = next(document.iter("{urn:siram}Erreur"))
    values = [one.text or "" for one in document.iter("{http://www.w3.org/2003/05/soap-envelope}Value")]
    assert (error.get("code"), error.get("messageID")) == (code, "uuid:1")
    assert values == [f"s:{FAULTS[code].role}", f"s:{FAULTS[code].subcode}"]


def test_codes_of_the_double_itself_are_marked_as_such() -> None:
    assert "insi_24" not in OWN_CODES
    assert "insi_9001" in OWN_CODES
