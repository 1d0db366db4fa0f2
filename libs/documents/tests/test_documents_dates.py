"""HL7 timestamps around the change of hour, and the precision they keep."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_documents.errors import InvalidValue
from navette_documents.hl7dates import format_date, format_local, format_utc, parse_ts, to_utc


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("20260105101200+0100", "20260105091200"),
        ("20260705101200+0200", "20260705081200"),
        ("20260329015959+0100", "20260329005959"),  # last second of winter time
        ("20260329030000+0200", "20260329010000"),  # the next second
        ("20261025023000+0200", "20261025003000"),  # 02:30 happens twice that night
        ("20261025023000+0100", "20261025013000"),
        ("20260101003000+0100", "20251231233000"),  # another year in UTC
        ("20260105101200.123+0100", "20260105091200"),
    ],
)
def test_local_times_become_utc(local: str, utc: str) -> None:
    assert to_utc(local) == utc


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026", "2026"),
        ("202601", "202601"),
        ("20260105", "20260105"),
        ("2026010510+0100", "2026010509"),
        ("202601051012+0100", "202601050912"),
        ("2026010510+0530", "202601050430"),
    ],
)
def test_the_precision_of_the_document_is_kept(text: str, utc: str) -> None:
    assert to_utc(text) == utc


def test_a_time_without_offset_is_local_time() -> None:
    assert to_utc("20260705101200") == "20260705081200"
    assert to_utc("20260105101200") == "20260105091200"


def test_moments_are_written_with_their_offset_in_cda_and_in_utc_in_metadata() -> None:
    summer = datetime(2026, 7, 5, 8, 12, tzinfo=UTC)
    assert format_local(summer) == "20260705101200+0200"
    assert format_local(summer + timedelta(days=183)) == "20270104091200+0100"
    assert format_utc(summer.astimezone(timezone(timedelta(hours=2)))) == "20260705081200"
    assert format_date(date(1979, 3, 28)) == "19790328"


@given(st.integers(-1_800_000_000, 4_100_000_000))
def test_writing_then_reading_gives_the_same_second(timestamp: int) -> None:
    moment = datetime.fromtimestamp(timestamp, UTC)
    assert parse_ts(format_local(moment)) == moment
    assert to_utc(format_local(moment)) == format_utc(moment)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "format"),
        ("2026-01-05", "format"),
        ("202601051", "format"),
        ("20260230", "calendar"),
        ("20260105250000+0100", "calendar"),
        ("20260105100000+9900", "offset"),
    ],
)
def test_what_is_no_timestamp_is_refused(text: str, rule: str) -> None:
    with pytest.raises(InvalidValue, match=f"^timestamp: {rule}$"):
        to_utc(text)


def test_a_moment_without_zone_is_refused() -> None:
    naive = datetime.now(UTC).replace(tzinfo=None)
    with pytest.raises(InvalidValue, match="naive"):
        format_utc(naive)
    with pytest.raises(InvalidValue, match="naive"):
        format_local(naive)
