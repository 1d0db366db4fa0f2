"""Makes and checks the documents of an edition in threads of its own, so that the event loop never waits."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import structlog
from navette_documents.errors import InvalidValue

from navette_report.adapters.ans_kit import AnsKit
from navette_report.adapters.pdf import CompositionFailed, PdfCompiler
from navette_report.domain.cda import build_cda
from navette_report.domain.checks import check_document
from navette_report.domain.document import DocumentModel
from navette_report.domain.report import Finding

log = structlog.get_logger("navette.report")


@dataclass(frozen=True, slots=True, repr=False)
class Made:
    """The two files of an edition, and why they may not leave (empty: they may)."""

    pdf: bytes
    cda: bytes
    findings: tuple[Finding, ...]


def _nothing(finding: Finding) -> Made:
    return Made(b"", b"", (finding,))


class Workshop:
    """PDF, CDA, own checks, and the rules of the ANS when there is a kit.

    `production` refuses the INS authorities of test environments.
    """

    def __init__(self, *, notice: str, production: bool, threads: int = 2, kit: AnsKit | None = None) -> None:
        self._pdf = PdfCompiler(notice=notice)
        self._production = production
        self._kit = kit
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="compose")

    def make(self, document: DocumentModel) -> Made:
        """Compose and check, in this thread. What cannot be made becomes a finding, not an exception."""
        try:
            pdf = self._pdf.compose(document)
            cda = build_cda(document, pdf)
            findings = check_document(document, cda, pdf, production=self._production)
            # What our own checks refuse needs no second opinion.
            if not findings and self._kit is not None:
                findings = self._kit.check(cda, structured=document.site.cda_level == "N3")
        except InvalidValue as refused:
            return _nothing(Finding(rule=refused.rule, path=refused.field))
        except CompositionFailed as failure:
            return _nothing(Finding(rule=f"composition_{failure}", path="pdf"))
        except Exception as error:  # noqa: BLE001 - one report must not stop those behind it: it is held, visibly
            log.error("document.composition_failed", error=type(error).__name__)  # noqa: TRY400 - a traceback quotes
            return _nothing(Finding(rule="composition_error", path=type(error).__name__))
        return Made(pdf, cda, findings)

    async def print(self, document: DocumentModel) -> bytes:
        """The PDF alone, to be shown and not sent. Raises CompositionFailed, InvalidValue."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._pdf.compose, document)

    async def run(self, document: DocumentModel) -> Made:
        """`make` in a worker thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self.make, document)

    async def __aenter__(self) -> Self:
        if self._kit is not None:
            await asyncio.to_thread(self._kit.warm)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self._pool.shutdown)
        if self._kit is not None:
            await asyncio.to_thread(self._kit.close)
