"""What the use cases need of the outside, each met by one adapter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from navette_documents.xds import Submission

from navette_dmp.domain.outcomes import Verdict
from navette_dmp.domain.signer import Signer
from navette_dmp.domain.vihf import VihfSubject


class DocumentMissing(Exception):  # noqa: N818 - what happened, not an error of ours
    """The document store does not know the document."""


class DocumentsUnavailable(Exception):  # noqa: N818 - as above
    """The document store did not answer; asking again later may work."""


class QueryFailed(Exception):  # noqa: N818 - as above
    """The DMP did not say which entries it has; `verdict` is what it said instead."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.code)
        self.verdict = verdict


class DocumentSource(Protocol):
    """Where composed documents are."""

    async def fetch_cda(self, document_id: str) -> bytes:
        """Bytes of the CDA. Raises DocumentMissing or DocumentsUnavailable."""
        ...


class Dmp(Protocol):
    """The DMP, as far as publications and withdrawals need it."""

    async def submit(
        self, submission: Submission, files: Mapping[str, bytes], subject: VihfSubject, signer: Signer
    ) -> Verdict:
        """TD2.1: submit the lot, with the file of each sheet by object id."""
        ...

    async def update(self, submission: Submission, subject: VihfSubject, signer: Signer) -> Verdict:
        """TD3.3c: change the status of an entry."""
        ...

    async def entries_of(self, unique_id: str, subject: VihfSubject, signer: Signer) -> tuple[str, ...]:
        """TD3.1b: entryUUIDs of the document with this uniqueId. Raises QueryFailed."""
        ...


class Seals(Protocol):
    """The seal of the structure, which may be renewed while the service runs."""

    def current(self) -> Signer:
        """The seal to sign with now. Raises InvalidValue when there is no valid one."""
        ...


class PublicationStates(Protocol):
    """What became of our publications."""

    async def status_of(self, unique_id: str) -> str | None:
        """Status of the publication of a document, None when we never had to publish it."""
        ...
