"""What a draft may hold."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from fontTools.ttLib import TTFont
from navette_report.adapters.pdf.compiler import _FONTS
from navette_report.domain.repertoire import PRINTABLE, clean
from pydantic import ValidationError


def problems(error: ValidationError) -> str:
    return str(error)


def test_a_complete_draft_is_accepted(samples):
    assert samples.content().requester.display_name == "Dr Camille EXEMPLE-MARTIN"


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("title", "  ", "empty"),
        ("title", "IRM \u0007", "unprintable_character"),
        ("findings", "漢字", "unprintable_character"),
        ("conclusion", "rien à signaler 🙂", "unprintable_character"),
    ],
)
def test_text_that_could_not_be_printed_is_refused_when_written(samples, field, value, rule):
    with pytest.raises(ValidationError) as refused:
        samples.content(**{field: value})
    assert rule in str(refused.value)
    assert value.strip() not in str(refused.value) or not value.strip()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"modality": "ZZ"}, "unknown_modality"),
        ({"region": "1"}, "unknown_region"),
        ({"ccam_code": "ACQN001", "ccam_label": None}, "ccam_code_and_label_go_together"),
        ({"loinc_code": "abc"}, "loinc: format"),
        ({"loinc_code": "36813-5"}, "loinc: key"),
        ({"loinc_code": "36183-4"}, "loinc: key"),  # two digits exchanged
        ({"unknown": 1}, "unknown"),
    ],
)
def test_an_act_with_a_wrong_code_is_refused(samples, change, rule):
    with pytest.raises(ValidationError, match=rule):
        samples.content(acts=(samples.act(**change),))


def test_a_code_of_six_digits_is_one(samples):
    assert samples.content(acts=(samples.act(loinc_code="100655-0"),)).acts[0].loinc_code == "100655-0"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"rpps": "99700001012"}, "rpps: key"),
        ({"rpps": None, "finess": None}, "rpps_or_finess_required"),
        ({"role": "patient"}, "role_of_a_professional"),
        ({"recipient_id": "patient"}, "reserved"),
        ({"mss_address": "not-an-address"}, "mss_address"),
    ],
)
def test_a_correspondent_that_cannot_be_reached_is_refused(samples, change, rule):
    with pytest.raises(ValidationError, match=rule):
        samples.content(correspondents=(samples.requester(**change),))


def test_two_requesters_or_the_same_recipient_twice_are_refused(samples):
    first = samples.requester()
    with pytest.raises(ValidationError, match="recipient_ids_must_differ"):
        samples.content(correspondents=(first, first))
    with pytest.raises(ValidationError, match="one_requester_at_most"):
        samples.content(correspondents=(first, samples.requester(recipient_id="corr-2")))


def test_an_exam_that_ends_before_it_starts_or_without_time_zone_is_refused(samples):
    exam = samples.content().exam.model_dump()
    with pytest.raises(ValidationError, match="ended_before_it_started"):
        samples.content(exam=exam | {"ended_at": datetime(2020, 1, 1, tzinfo=UTC)})
    with pytest.raises(ValidationError, match="timezone"):
        samples.content(exam=exam | {"started_at": "2026-11-20T09:25:00"})
    with pytest.raises(ValidationError, match="study_instance_uid: oid"):
        samples.content(exam=exam | {"study_instance_uid": "1.02.3"})


def test_invisible_characters_of_word_processors_are_taken_away():
    assert clean("l\u00adésion\r\nde\u20113\u200b mm e\u0301") == "lésion\nde-3 mm é"


def test_every_character_a_report_may_hold_has_a_glyph_in_every_weight_used():
    for weight in ("Regular", "Bold", "Semibold"):
        cmap = TTFont(str(_FONTS / f"SourceSansPro-{weight}.ttf")).getBestCmap()
        missing = {char for char in PRINTABLE if ord(char) not in cmap}
        assert missing == set(), weight
