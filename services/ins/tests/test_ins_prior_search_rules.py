"""Which records a prior search means, and by which blind tokens it finds them (R17)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_ins.adapters.search_tokens import SearchTokens, candidates_query
from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.identity import Identity
from navette_ins.domain.prior_search import PriorSearch, prior_search

TOKENS = SearchTokens(b"k" * 32)
MOMENT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
MATRICULE, FORMER = "290100608891779", "190100608831750"


@pytest.fixture
def person(identity: Callable[..., Any], traits: Callable[..., Any]) -> Identity:
    made: Identity = identity(
        traits=traits(
            birth_name="d’Étreval--Le Goff",
            first_birth_given_name="Anne-Zoé",
            birth_given_names="Anne-Zoé Ingrid Œnone",
            birth_date="1990-10-20",
            used_name="Martin",
            used_given_name="Zora",
            local_id="IPP-42",
        ),
        recovery={
            "matricule": MATRICULE,
            "oid": "1.2.250.1.213.1.4.8",
            "search_id": "s",
            "at": MOMENT,
            "accepted_by": "user-1",
        },
        former_ins=({"matricule": FORMER, "oid": "1.2.250.1.213.1.4.8"},),
    )
    return made


def found(search: PriorSearch, identity: Identity) -> bool:
    """Found means both: a token leads there, and the opened record is an answer."""
    assert (TOKENS.asked(search) in TOKENS.of(identity)) >= search.matches(identity), "an answer no token leads to"
    return TOKENS.asked(search) in TOKENS.of(identity) and search.matches(identity)


@pytest.mark.dsr("RIS.INS.07", "RIS.INS.09", "RIS.INS.10")
@pytest.mark.parametrize(
    "letters",
    [
        {},
        {"name": "d"},
        {"name": "DÉ"},
        {"name": "D'Etr"},
        {"name": "d etreval le"},
        {"name": "détreval-le-goff"},
        {"name": "etreval"},
        {"name": "legoff"},
        {"name": "MAR"},
        {"given_name": "annezoe"},
        {"given_name": "Anne Zoé"},
        {"given_name": "zoe"},
        {"given_name": "ing"},
        {"given_name": "oe"},
        {"given_name": "zor"},
        {"given_name": "Anne-Zoé Ingrid"},
        {"name": "martin", "given_name": "ingrid"},
    ],
)
def test_a_birth_date_and_the_first_letters_of_any_name_find_the_person(
    person: Identity, letters: dict[str, str]
) -> None:
    assert found(prior_search(birth_date="1990-10-20", **letters), person)


@pytest.mark.parametrize(
    ("date", "letters"),
    [
        ("1990-10-21", {}),
        ("1990-10-20", {"name": "treval"}),
        ("1990-10-20", {"name": "ingrid"}),
        ("1990-10-20", {"given_name": "martin"}),
        ("1990-10-20", {"name": "martin", "given_name": "ingrida"}),
    ],
)
def test_another_date_or_other_letters_do_not(person: Identity, date: str, letters: dict[str, str]) -> None:
    assert not found(prior_search(birth_date=date, **letters), person)


_NAME = st.text(st.sampled_from("AbÉœ -'Z"), min_size=1, max_size=12).filter(lambda name: name.strip(" -'"))


@given(name=_NAME, cut=st.integers(1, 12))
def test_every_beginning_of_a_name_finds_it(traits: Callable[..., Any], name: str, cut: int) -> None:
    identity = Identity.model_validate(
        {"patient_id": "p", "site_id": "lilas", "revision": 1, "created_at": MOMENT, "updated_at": MOMENT}
        | {"traits": traits(birth_name=name)}
    )
    letters = name.strip(" -'")[:cut]
    assert found(prior_search(birth_date="1968-04-17", name=letters), identity)


def test_the_date_of_the_document_finds_a_completed_date(identity: Callable[..., Any], traits: Any) -> None:
    known = identity(
        traits=traits(birth_date="1968-12-31", birth_date_completed=True, birth_date_on_document="1968-00-00")
    )
    assert found(prior_search(birth_date="1968-00-00"), known)
    assert found(prior_search(birth_date="1968-12-31", name="duv"), known)


@pytest.mark.dsr("RIS.INS.08")
def test_a_matricule_finds_its_person_also_when_it_is_a_former_one(person: Identity) -> None:
    assert found(prior_search(matricule=MATRICULE), person)
    assert found(prior_search(matricule="1 90 10 06 088 317 50"), person)
    assert found(prior_search(local_id="IPP-42"), person)
    assert not found(prior_search(local_id="IPP-4"), person)


@pytest.mark.dsr("RIS.INS.08")
@pytest.mark.parametrize(
    ("asked", "field", "rule"),
    [
        ({"matricule": MATRICULE[:13]}, "matricule", "length"),
        ({"matricule": MATRICULE[:-1] + "8"}, "matricule", "key"),
        ({"matricule": "5" + MATRICULE[1:]}, "matricule", "format"),
        ({}, "search", "one_criterion"),
        ({"matricule": MATRICULE, "local_id": "1"}, "search", "one_criterion"),
        ({"name": "DUV", "local_id": "1"}, "name", "needs_birth_date"),
        ({"birth_date": "20/10/1990"}, "birth_date", "format"),
        ({"birth_date": "1990-10-20", "name": "- '"}, "name", "empty"),
        ({"birth_date": "1990-10-20", "given_name": "Z0"}, "given_name", "character"),
        ({"local_id": "1 OR 1"}, "local_id", "format"),
    ],
)
def test_a_question_that_is_no_question_is_refused_before_anything_is_looked_for(
    asked: dict[str, str], field: str, rule: str
) -> None:
    with pytest.raises(RuleBroken) as refused:
        prior_search(**asked)
    assert (refused.value.field, refused.value.rule) == (field, rule)


def test_tokens_tell_nothing_and_do_not_mix_criteria(person: Identity) -> None:
    tokens = TOKENS.of(person)
    assert all(len(token) == 16 for token in tokens)
    assert not set(tokens) & set(SearchTokens(b"j" * 32).of(person))
    assert SearchTokens(b"k" * 32).local_id(MATRICULE) not in tokens
    assert "1990" not in repr(prior_search(birth_date="1990-10-20"))


def test_three_letters_are_asked_rather_than_one() -> None:
    by_name = TOKENS.asked(prior_search(birth_date="1990-10-20", name="MARTIN"))
    assert by_name == TOKENS.asked(prior_search(birth_date="1990-10-20", name="MAR", given_name="ZORA"))
    by_given = TOKENS.asked(prior_search(birth_date="1990-10-20", given_name="ZORA"))
    assert by_given == TOKENS.asked(prior_search(birth_date="1990-10-20", name="M", given_name="ZOR"))
    assert candidates_query(by_name, {"b", "a"}) == {"search": by_name, "site_id": {"$in": ["a", "b"]}}
    assert candidates_query(by_name, None) == {"search": by_name}
