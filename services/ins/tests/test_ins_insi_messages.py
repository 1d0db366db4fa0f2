"""What goes to INSi and what comes back: official schemas, official replies, every fault (spec/ins.md §2-§4)."""

from __future__ import annotations

import csv
import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree
from navette_ins.domain.comparison import compare, traits_taken_over
from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.insi.faults import Remedy, remedy_of
from navette_ins.domain.insi.plan import Asked, Query, final_code, next_query
from navette_ins.domain.insi.reply import FaultReply, Individual, Result, Unreadable, read_reply
from navette_ins.domain.insi.request import Caller, MessageIds, Software, search_request
from navette_ins.domain.traits import Traits
from navette_ins.domain.wire_names import comparison_key, to_wire

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
CONFORMANCE = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", "../shared/conformance")) / "insi"
official = pytest.mark.skipif(not CONFORMANCE.is_dir(), reason="official INSi data not found: NAVETTE_CONFORMANCE_DIR")
SOFTWARE = Software("NAV-TEST-1", "Navette", "0.1.0", str(uuid.uuid4()))
CALLER = Caller("1990000001")


def ids() -> MessageIds:
    return MessageIds(str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4()))


def rows(name: str) -> list[dict[str, str]]:
    if not CONFORMANCE.is_dir():
        return []
    with (CONFORMANCE / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@official
@pytest.mark.conformance
@pytest.mark.parametrize("row", rows("normalisation_cases.csv"), ids=lambda row: row["why"][:40])
def test_names_go_on_the_wire_as_the_vectors_say(row: dict[str, str]) -> None:
    field = "birth_name" if row["field"] == "nom" else "given_name"
    if row["valid_for_insi"] == "yes":
        assert to_wire(row["input"], field) == row["expected"]
    else:
        with pytest.raises(RuleBroken) as refused:
            to_wire(row["input"], field)
        assert not row["input"].strip() or row["input"] not in str(refused.value)


def test_spellings_of_one_name_compare_equal() -> None:
    assert comparison_key("D\u2019Été--Léger") == comparison_key("D ETE LEGER")
    assert comparison_key("Martin2") != comparison_key("Martin")


@official
@pytest.mark.conformance
@pytest.mark.dsr("RIS.INS.50")
def test_the_request_is_valid_for_the_official_schemas() -> None:
    query = Query("DUVAL-FICTIF", "CAMILLE", "F", "1968-04-17", "38185")
    envelope = etree.fromstring(search_request(query, SOFTWARE, CALLER, ids(), at=NOW))
    for tag, schema in {
        "{urn:siram:bam:ctxbam}ContexteBAM": "CTX/ROOT_ctxbam_CTXBAM_V01_02.xsd",
        "{urn:siram:lps:ctxlps}ContexteLPS": "CTX/ROOT_ctxlps_CTXLPS_V01_00.xsd",
        "{http://www.cnamts.fr/INSiRecSans}RECSANSVITALE": "ServiceIdentiteCertifiee/INSi_RECSANS_INS.xsd",
    }.items():
        found = CONFORMANCE / "wsdl" / "xsd" / schema
        element = envelope.find(f".//{tag}")
        assert element is not None
        etree.XMLSchema(etree.parse(found)).assertValid(etree.fromstring(etree.tostring(element)))


def test_an_absent_birth_place_is_left_out_rather_than_sent_empty() -> None:
    body = search_request(Query("A", "B", "F", "1968-04-17"), SOFTWARE, CALLER, ids(), at=NOW)
    assert b"LieuNaissance" not in body


@official
@pytest.mark.conformance
@pytest.mark.parametrize(
    "path", sorted((CONFORMANCE / "responses").glob("*.xml")) if CONFORMANCE.is_dir() else [], ids=lambda p: p.name
)
def test_every_official_reply_is_read_even_those_that_break_their_own_schema(path: Path) -> None:
    reply = read_reply(path.read_bytes())
    assert isinstance(reply, Result)
    assert (reply.code == "00") == (reply.individual is not None)
    if reply.individual is not None:
        assert len(reply.individual.matricule) == 15
        assert reply.individual.given_names


@official
@pytest.mark.conformance
def test_two_former_matricules_and_a_compound_first_name_are_kept() -> None:
    reply = read_reply((CONFORMANCE / "responses" / "TEST_2.04_cas2.xml").read_bytes())
    assert isinstance(reply, Result)
    assert reply.individual is not None
    assert len(reply.individual.history) == 2
    assert reply.individual.given_names.split(" ")[0] == "PIERRE-ALAIN"


@official
@pytest.mark.conformance
@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("siram_100_desir_550.xml", Remedy.ADMINISTRATOR),
        ("siram_40_desir_1020.xml", Remedy.LATER),
        ("siram_40_insi_102.xml", Remedy.LATER),
    ],
)
def test_official_faults_are_decided_on_their_codes(name: str, remedy: Remedy) -> None:
    reply = read_reply((CONFORMANCE / "faults" / name).read_bytes())
    assert isinstance(reply, FaultReply)
    assert remedy_of(reply) is remedy


@pytest.mark.parametrize(
    ("fault", "remedy"),
    [
        (FaultReply("", "desir_560"), Remedy.ADMINISTRATOR),
        (FaultReply("", "insi_24"), Remedy.SECRETARY),
        (FaultReply("", "insi_999"), Remedy.SECRETARY),
        (FaultReply("siram_77", "xyz"), Remedy.OPERATOR),
        (FaultReply("", ""), Remedy.OPERATOR),
    ],
)
def test_other_faults_name_who_must_act(fault: FaultReply, remedy: Remedy) -> None:
    assert remedy_of(fault) is remedy


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"<html>", "syntax"),
        (b"<html></html>", "no_result"),
        (b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>', "dtd"),
        (b"<a>" * 200 + b"</a>" * 200, "depth"),
        (
            b"<RESULTAT xmlns='http://www.cnamts.fr/INSiResultat'><CR><CodeCR>07</CodeCR></CR></RESULTAT>",
            "unknown_code",
        ),
        (
            b"<RESULTAT xmlns='http://www.cnamts.fr/INSiResultat'><CR><CodeCR>00</CodeCR></CR></RESULTAT>",
            "no_individual",
        ),
    ],
)
def test_what_is_not_an_answer_is_said_to_be_none(data: bytes, why: str) -> None:
    assert read_reply(data) == Unreadable(why)


def play(one: Traits, answers: dict[str, str]) -> list[Asked]:
    """The calls of a search when the teleservice answers by given name (and place)."""
    asked: list[Asked] = []
    while (query := next_query(one, asked)) is not None:
        key = query.given_name + (f"@{query.birth_place_code}" if query.birth_place_code else "")
        asked.append(Asked(query, answers.get(key, "01")))
    return asked


def test_given_names_are_tried_one_by_one_and_the_search_stops_at_the_first_found(
    traits: Callable[..., Traits],
) -> None:
    one = traits(first_birth_given_name="OLA", birth_given_names="OLA CATARINA BELLA")
    asked = play(one, {"CATARINA": "00"})
    assert [call.query.given_name for call in asked] == ["OLA", "CATARINA"]
    assert final_code(asked) == "00"


def test_three_given_names_that_nobody_has_make_four_calls_and_no_more(traits: Callable[..., Traits]) -> None:
    one = traits(first_birth_given_name="PIERRE", birth_given_names="PIERRE PAUL JACQUES")
    asked = play(one, {})
    assert [call.query.given_name for call in asked] == ["PIERRE", "PAUL", "JACQUES", "PIERRE PAUL JACQUES"]
    assert final_code(asked) == "01"


def test_several_answers_add_given_names_then_the_birth_place_and_never_pick(traits: Callable[..., Traits]) -> None:
    one = traits(first_birth_given_name="LEA", birth_given_names="LEA MARIE", birth_place_code="54395")
    asked = play(one, {"LEA": "02", "LEA MARIE": "02"})
    assert [(c.query.given_name, c.query.birth_place_code) for c in asked] == [
        ("LEA", None),
        ("LEA MARIE", None),
        ("LEA MARIE", "54395"),
    ]
    assert final_code(asked) == "02"


def test_a_search_never_makes_more_than_six_calls(traits: Callable[..., Traits]) -> None:
    one = traits(first_birth_given_name="A", birth_given_names="A B C D E F G H")
    assert len(play(one, {})) == 6


def test_an_unknown_place_and_the_used_name_are_never_asked_with(traits: Callable[..., Traits]) -> None:
    one = traits(birth_place_code="99999", used_name="AUTRE")
    asked = play(one, {"CAMILLE": "02", "CAMILLE ROSE": "02"})
    assert all(call.query.birth_place_code is None and call.query.birth_name == "DUVAL-FICTIF" for call in asked)


def found(**changes: str) -> Individual:
    values = {
        "matricule": "268043818590119",
        "oid": "1.2.250.1.213.1.4.8",
        "birth_name": "DUVAL-FICTIF",
        "given_names": "CAMILLE ROSE",
        "sex": "F",
        "birth_date": "1968-04-17",
        "birth_place_code": "38185",
    }
    return Individual(**(values | changes), history=())


@pytest.mark.dsr("RIS.INS.13", "RIS.INS.14")
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"birth_name": "AUTRE"}, "birth_name"),
        ({"given_names": "ROSE CAMILLE"}, "first_birth_given_name"),
        ({"birth_date": "1968-04-18"}, "birth_date"),
        ({"sex": "M"}, "sex"),
    ],
)
def test_a_decisive_difference_is_for_a_person_to_decide(
    change: dict[str, str], field: str, traits: Callable[..., Traits]
) -> None:
    said = compare(traits(), found(**change))
    assert field in said.differences
    assert not said.agrees


def test_accents_hyphens_and_further_given_names_do_not_stop_an_acceptance(traits: Callable[..., Traits]) -> None:
    local = traits(birth_name="Duval Fictif", birth_given_names="CAMILLE", birth_place_code="99999")
    said = compare(local, found())
    assert said.agrees
    assert set(said.differences) == {"birth_given_names", "birth_place_code"}


@pytest.mark.dsr("RIS.INS.15", "RIS.INS.16")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"birth_date": "1968-00-17"}, "incomplete_birth_date"),
        ({"birth_date": "1968-04-00"}, "incomplete_birth_date"),
        ({"birth_name": ""}, "missing_trait"),
        ({"given_names": ""}, "missing_trait"),
        ({"sex": ""}, "missing_trait"),
        ({"oid": "1.2.3"}, "unknown_oid"),
        ({"matricule": "2680438185901"}, "matricule_without_key"),
    ],
)
def test_an_incomplete_answer_is_not_taken_over(
    change: dict[str, str], why: str, traits: Callable[..., Traits]
) -> None:
    said = compare(traits(), found(**change))
    assert said.unusable == why
    assert not said.agrees


def test_a_wrong_key_from_insi_is_kept_and_shown_to_a_person(traits: Callable[..., Traits]) -> None:
    said = compare(traits(), found(matricule="268043818590118"))
    assert said.matricule_suspect
    assert not said.agrees


@pytest.mark.dsr("RIS.INS.13", "RIS.INS.31")
def test_taking_over_replaces_strict_traits_and_leaves_the_used_name(traits: Callable[..., Traits]) -> None:
    local = traits(birth_name="Duval Fictif", used_name="MARTIN-FICTIF", birth_place_code="99999")
    taken = traits_taken_over(local, found())
    assert (taken.birth_name, taken.used_name, taken.birth_place_code) == ("DUVAL-FICTIF", "MARTIN-FICTIF", "38185")


@pytest.mark.parametrize(
    ("local", "listed", "kept"),
    [
        ("JEAN", "JEAN CHRISTOPHE PIERRE", "JEAN"),
        ("JEAN CHRISTOPHE", "JEAN CHRISTOPHE PIERRE", "JEAN CHRISTOPHE"),
        ("JEAN-CHRISTOPHE", "JEAN CHRISTOPHE PIERRE", "JEAN CHRISTOPHE"),
        ("PIERRE-ALAIN", "PIERRE-ALAIN MURIEL", "PIERRE-ALAIN"),
    ],
)
def test_the_first_given_name_stays_a_beginning_of_the_list(
    local: str, listed: str, kept: str, traits: Callable[..., Traits]
) -> None:
    one = traits(first_birth_given_name=local, birth_given_names=local)
    assert traits_taken_over(one, found(given_names=listed)).first_birth_given_name == kept
