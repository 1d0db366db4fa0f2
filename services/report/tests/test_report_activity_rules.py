"""What counts in the activity figures, and when."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from navette_contracts.events import Audience, RecipientRole
from navette_report.domain.activity import DashboardBuilder, Deed, Period, Place, Tally, done_at, failed_at, spans
from navette_report.domain.journey import Channel, Fact, LineKind, LineState, open_line

PARIS = ZoneInfo("Europe/Paris")
PLACE = Place("999900016", None)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def deed(report="r1", version=1, party=Audience.DMP, qualified=True, done=NOON, failed=None):
    return Deed(report, version, "999900016", "99700000001", party, qualified, done, failed)


def counted(*deeds):
    covered = spans(date(2026, 11, 22), PARIS)
    builder = DashboardBuilder(covered, [])
    for one in deeds:
        builder.add(one)
    return {period: tallies.get(PLACE, Tally()) for period, tallies in builder.dashboard.items()}


@pytest.mark.dsr("RIS.TBB.01")
def test_a_period_begins_at_local_midnight():
    before, after = datetime(2025, 12, 31, 22, 59, tzinfo=UTC), datetime(2025, 12, 31, 23, 1, tzinfo=UTC)
    tallies = counted(deed("old", done=before), deed("new", done=after))
    assert tallies[Period.PREVIOUS_YEAR].documents(Audience.DMP).total == 1
    assert tallies[Period.YEAR].documents(Audience.DMP).total == 1
    assert tallies[Period.MONTH].documents(Audience.DMP).total == 0


def test_december_ends_with_the_year():
    covered = spans(date(2026, 12, 31), PARIS)
    assert covered[Period.MONTH].end == covered[Period.YEAR].end == datetime(2027, 1, 1, tzinfo=PARIS)


@pytest.mark.dsr("RIS.TBB.01")
def test_a_document_counts_once_whoever_many_receive_it_and_each_version_for_itself():
    sent = [deed(party=Audience.PROFESSIONALS, qualified=False)] * 3
    tally = counted(*sent, deed(version=2, party=Audience.PROFESSIONALS))[Period.MONTH]
    count = tally.documents(Audience.PROFESSIONALS)
    assert (count.total, count.qualified, count.unqualified) == (2, 1, 1)
    assert tally.files(Audience.PROFESSIONALS) == 1


@pytest.mark.dsr("RIS.TBB.01")
def test_a_file_has_all_three_only_when_each_party_was_reached():
    parties = (Audience.DMP, Audience.PROFESSIONALS, Audience.PATIENT)
    full = [deed("full", party=party) for party in parties]
    tally = counted(*full, deed("half"), deed("half", party=Audience.PATIENT))[Period.MONTH]
    assert tally.files(*parties) == 1
    assert tally.files(Audience.DMP) == 2


@pytest.mark.dsr("RIS.TBB.03")
def test_failures_of_mails_and_of_the_dmp_are_counted_apart():
    tally = counted(
        deed(done=None, failed=NOON),
        deed("r2", party=Audience.PATIENT, done=None, failed=NOON),
        deed("r3", party=Audience.PROFESSIONALS, failed=NOON),
    )[Period.MONTH]
    assert (tally.dmp_failures, tally.mss_failures) == (1, 2)
    assert tally.documents(Audience.PROFESSIONALS).total == 1


def line(*facts, kind=LineKind.REPORT, channel=Channel.MSS):
    opened = open_line("r", 1, channel, "x", RecipientRole.COPY, Fact(state=LineState.WAITING, at=NOON))
    opened = opened.model_copy(update={"kind": kind})
    for fact in facts:
        opened = opened.fold(fact)
    return opened


def test_the_first_time_counts_and_a_decision_not_to_send_is_no_failure():
    later = NOON.replace(hour=15)
    both = line(Fact(state=LineState.DELIVERED, at=later), Fact(state=LineState.SENT, at=NOON))
    assert done_at(both) == NOON
    assert failed_at(line(Fact(state=LineState.CANCELLED, at=NOON))) is None
    assert failed_at(line(Fact(state=LineState.REFUSED, at=NOON), Fact(state=LineState.SENT, at=later))) == NOON
    assert done_at(line(Fact(state=LineState.SENT, at=NOON), channel=Channel.DMP)) is None


def test_a_notice_of_withdrawal_is_not_a_report_sent():
    notice = line(Fact(state=LineState.SENT, at=NOON), kind=LineKind.WITHDRAWAL)
    assert done_at(notice) is None
