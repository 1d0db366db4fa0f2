"""Which combinations of indicators may be sent: the published matrix, and rules that hold everywhere (T7)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_contracts.events import Audience, WhoMustAct
from navette_report.domain.audience import PARTIES, audience
from navette_report.domain.choices import SignatureChoices, forbidden_combinations
from navette_report.domain.pfi.distribution import Platform
from navette_report.domain.pfi.indicators import (
    Indicators,
    Objection,
    Sending,
    deletion,
    indicators_of,
    line_of,
    objection,
)

BOTH, DOCTOR, PATIENT, NOBODY = (
    Sending.PROFESSIONAL_AND_PATIENT,
    Sending.PROFESSIONAL_ONLY,
    Sending.PATIENT_ONLY,
    Sending.NO_MAIL,
)

# MASQUE_PS, INVISIBLE_PATIENT, INVISIBLE_REP_LEGAUX, CONNEXION_SECRETE, DESTDMP, DESTMSSANTEPS, DESTMSSANTEPAT;
# "*" is N or Y. Copied by hand from the table of the guide.
TABLE = [("NNN**YY", BOTH), ("NYN**YN", DOCTOR), ("*N*NNNY", PATIENT), ("*****NN", NOBODY)]


def indicators(letters: str) -> Indicators:
    flags = [letter == "Y" for letter in letters]
    return Indicators(*flags[:4], visibility_changed=False, to_dmp=flags[4], to_professionals=flags[5],
                      to_patient=flags[6], ack_reception=True, ack_reading=False)  # fmt: skip


@pytest.mark.dsr("RIS.INTRA.01")
def test_every_combination_is_on_the_line_the_guide_gives_it() -> None:
    for letters in map("".join, product("NY", repeat=7)):
        expected = [
            line for pattern, line in TABLE if all(p in ("*", one) for p, one in zip(pattern, letters, strict=True))
        ]
        assert [line_of(indicators(letters))] == (expected or [None]), letters


CHOICES = st.builds(SignatureChoices, **{name: st.booleans() for name in SignatureChoices.model_fields}).filter(
    lambda choices: not forbidden_combinations(choices)
)


@given(choices=CHOICES, qualified=st.booleans(), carried=st.sets(st.sampled_from(PARTIES)), reachable=st.booleans())
def test_no_choice_and_no_audience_gives_fields_that_contradict_each_other(
    choices: SignatureChoices, qualified: bool, carried: set[Audience], reachable: bool
) -> None:
    parties = [party for party in audience(choices, qualified=qualified) if party in carried]
    shared = Audience.DMP in audience(choices, qualified=qualified)
    for kind in ("pfi", "drimbox"):
        platform = Platform.model_validate(
            {"name": "x", "label": "X", "kind": kind, "host": "h", "port": 1, "application": "A", "facility": "F",
             "sending_facility": "S"}
        )  # fmt: skip
        one = indicators_of(
            parties, choices, platform, shared=shared, visibility_changed=False, professionals_reachable=reachable
        )
        # Nothing Navette decides by itself is ever refused by the rules that hold everywhere.
        assert objection(one, choices, qualified=qualified, strict=False) is None
        assert not (one.to_dmp and one.masked_to_professionals and one.invisible_to_patient)
        assert not (one.to_dmp and not qualified)
        assert not (one.to_patient and (one.invisible_to_patient or one.invisible_to_representatives))
        assert not (one.to_professionals and one.masked_to_professionals)
        # And what a strict platform is sent is always on the matrix; what is not says who can change it.
        against = objection(one, choices, qualified=qualified, strict=True)
        assert (against is None) == (line_of(one) is not None)
        assert against is None or against.who is not WhoMustAct.NOBODY


REFUSED: list[tuple[str, dict[str, bool], bool, Objection]] = [
    ("NNNNNYN", {}, False, Objection("matrix_patient_left_out", WhoMustAct.SECRETARY)),
    ("NNNNYYN", {"withheld_from_patient": True}, True, Objection("matrix_patient_left_out", WhoMustAct.RADIOLOGIST)),
    ("NNNNNYN", {}, True, Objection("matrix_patient_left_out", WhoMustAct.ADMINISTRATOR)),
    ("NNYNYYN", {}, True, Objection("matrix_hidden_from_representatives", WhoMustAct.RADIOLOGIST)),
    ("NNNNYNY", {}, True, Objection("matrix_patient_with_dmp", WhoMustAct.ADMINISTRATOR)),
    ("YNNNYNY", {}, True, Objection("matrix_patient_with_dmp", WhoMustAct.ADMINISTRATOR)),
]


@pytest.mark.parametrize(("letters", "choices", "qualified", "expected"), REFUSED)
def test_what_a_strict_platform_would_refuse_says_why_and_who_must_act(
    letters: str, choices: dict[str, bool], qualified: bool, expected: Objection
) -> None:
    one, chosen = indicators(letters), SignatureChoices.model_validate(choices)
    assert objection(one, chosen, qualified=qualified, strict=True) == expected
    assert objection(one, chosen, qualified=qualified, strict=False) is None


@pytest.mark.parametrize(
    ("letters", "qualified", "reason"),
    [
        ("NNNNYNN", False, "ins_not_qualified"),
        ("NYNNNNY", True, "matrix_hidden_from_the_reader"),
        ("NNYNNNY", True, "matrix_hidden_from_the_reader"),
        ("YNNNNYN", True, "matrix_masked_professional"),
    ],
)
def test_what_no_platform_may_be_asked_is_refused_everywhere(letters: str, qualified: bool, reason: str) -> None:
    against = objection(indicators(letters), SignatureChoices(), qualified=qualified, strict=False)
    assert against is not None
    assert against.reason == reason


def test_a_deletion_is_for_everyone_unless_the_matrix_has_no_line_for_that() -> None:
    first, last = indicators("NYNNYYN"), indicators("NNNNYNY")
    assert deletion([first, last], last, strict=False) == indicators("NNNNYYY")
    assert deletion([first, last], last, strict=True) == indicators("NNNNYYY")
    masked = indicators("YYNNYNN")
    assert deletion([first, masked], masked, strict=True) == masked
    assert deletion([first, masked], masked, strict=False) == indicators("YYNNYYN")


@pytest.mark.dsr("RIS.DMP.07")
def test_a_secret_connection_is_told_to_the_platform(make_platform: Callable[..., Any]) -> None:
    choices = SignatureChoices(secret_connection=True, hidden_from_representatives=True)
    parties = audience(choices, qualified=True)
    one = indicators_of(
        parties, choices, make_platform(), shared=True, visibility_changed=False, professionals_reachable=True
    )
    assert (one.secret_connection, one.invisible_to_representatives, one.to_patient) == (True, True, False)


def test_a_drimbox_is_told_what_is_shared_and_asked_to_mail_nobody(make_platform: Callable[..., Any]) -> None:
    box = make_platform(kind="drimbox")
    one = indicators_of(
        (), SignatureChoices(), box, shared=True, visibility_changed=False, professionals_reachable=True
    )
    assert (one.to_dmp, one.mails, one.ack_reception) == (True, False, False)
