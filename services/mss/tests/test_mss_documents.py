"""A document goes to several recipients: it is asked for once, checked each time it comes, and soon forgotten."""

from __future__ import annotations

import asyncio
import hashlib

import httpx
import pytest
from navette_mss.adapters import documents
from navette_mss.adapters.documents import KEPT_SECONDS, ReportDocuments
from navette_mss.use_cases.ports import DocumentRefusedError, DocumentUnavailableError

CONTENT = b"<ClinicalDocument/>"


class Report:
    """The report service, as far as documents go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.content: bytes | None = CONTENT
        self.now = 0.0
        self.status = 200

    async def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        await asyncio.sleep(0)
        return httpx.Response(self.status, content=self.content)

    def documents(self) -> ReportDocuments:
        http = httpx.AsyncClient(transport=httpx.MockTransport(self.answer), base_url="http://report")
        return ReportDocuments(http, monotonic=lambda: self.now)


async def fetch(reader: ReportDocuments, document_id: str = "d1", content: bytes = CONTENT, kind: str = "cda") -> bytes:
    return await reader.fetch(document_id, kind, hashlib.sha256(content).hexdigest(), len(content))


async def test_recipients_served_at_the_same_time_share_one_answer() -> None:
    report = Report()
    reader = report.documents()
    assert await asyncio.gather(*(fetch(reader) for _ in range(5))) == [CONTENT] * 5
    assert report.asked == ["/internal/documents/d1/cda"]
    await fetch(reader, kind="pdf")
    await fetch(reader, "d2")
    assert len(report.asked) == 3


async def test_after_a_minute_it_is_asked_for_again() -> None:
    report = Report()
    reader = report.documents()
    await fetch(reader)
    report.now = KEPT_SECONDS - 1
    await fetch(reader)
    assert len(report.asked) == 1
    report.now = KEPT_SECONDS
    await fetch(reader)
    assert len(report.asked) == 2


async def test_what_was_refused_or_not_given_is_not_kept() -> None:
    report = Report()
    reader = report.documents()
    report.content = CONTENT + b" "
    with pytest.raises(DocumentRefusedError):
        await fetch(reader)
    report.status = 503
    for outcome in await asyncio.gather(*(fetch(reader) for _ in range(2)), return_exceptions=True):
        assert isinstance(outcome, DocumentUnavailableError)
    report.status, report.content = 200, CONTENT
    assert await fetch(reader) == CONTENT
    assert len(report.asked) == 4


async def test_another_content_of_the_same_document_is_not_taken_for_it() -> None:
    """What an event promised is what its recipients get, whatever is kept."""
    report = Report()
    reader = report.documents()
    await fetch(reader)
    with pytest.raises(DocumentRefusedError):
        await fetch(reader, content=b"something else")


async def test_no_more_is_kept_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "KEPT_BYTES", 2 * len(CONTENT))
    report = Report()
    reader = report.documents()
    for name in ("d1", "d2", "d3", "d4"):
        await fetch(reader, name)
    await fetch(reader, "d4")
    assert len(report.asked) == 4
    await fetch(reader, "d1")
    assert len(report.asked) == 5, "the oldest made room"
