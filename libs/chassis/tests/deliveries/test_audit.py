"""The audit stream is written with what it is about, or not at all."""

from __future__ import annotations

import pytest
from navette_chassis import audit
from pydantic import ValidationError


async def test_a_line_is_kept_here_and_promised_to_the_sink_in_the_same_transaction(office):
    await office.transact(
        lambda uow: uow.record_access("user-1", "report.sign", "report", "report-1", "site-1", "granted")
    )
    line = await office.database[audit.AUDIT].find_one({})
    assert (line["actor"], line["action"], line["object_id"], line["outcome"]) == (
        "user-1",
        "report.sign",
        "report-1",
        "granted",
    )
    assert line["correlation_id"] == "correlation-1"
    [promised] = await office.database["outbox"].find({}).to_list()
    assert promised["topic"] == "access.recorded"


async def test_nothing_is_audited_of_what_did_not_happen(office):
    async def use_case(uow):
        await uow.record_access("user-1", "report.sign", "report", "report-1", None, "granted")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await office.transact(use_case)
    assert await office.database[audit.AUDIT].count_documents({}) == 0
    assert await office.database["outbox"].count_documents({}) == 0


@pytest.mark.parametrize(
    "line",
    [
        ("user-1", "report.sign", "patient", "184057512345678", None, "granted"),
        ("user-1", "a sign by DUPONT", "report", "r1", None, "granted"),
        ("user-1", "report.sign", "report", "r1", None, "maybe"),
    ],
)
async def test_an_identity_or_a_sentence_cannot_become_a_line(office, line):
    with pytest.raises(ValidationError) as refused:
        await office.transact(lambda uow: uow.record_access(*line))
    assert "184057512345678" not in str(refused.value)
    assert "DUPONT" not in str(refused.value)
