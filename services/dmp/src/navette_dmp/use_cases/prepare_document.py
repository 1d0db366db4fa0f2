"""What an attempt needs before it can talk to the DMP: site, seal, and a document that passed the checks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from navette_chassis.deliveries import Outcome
from navette_contracts.events import WhoMustAct
from navette_documents.errors import InvalidValue
from navette_documents.sites import Site
from navette_documents.xml import XmlRefused

from navette_dmp.domain.outcomes import safe_code
from navette_dmp.domain.publication import Publication
from navette_dmp.domain.refusals import who_acts_on
from navette_dmp.domain.signer import Signer
from navette_dmp.domain.submission import Document, SubmissionRules, check_document, lot_unique_id
from navette_dmp.use_cases.ports import DocumentMissing, DocumentSource, DocumentsUnavailable, Seals


class Ended(Exception):  # noqa: N818 - carries an outcome, good or bad
    """The attempt ends here."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.code)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document ready to be submitted, for its site, with the seal to sign with."""

    document: Document
    site: Site
    signer: Signer

    @property
    def unique_id(self) -> str:
        """uniqueId of the document."""
        return self.document.entry.unique_id

    def delivered(self, code: str, **remote_ids: str) -> Outcome:
        """The outcome once the DMP has it."""
        lot = lot_unique_id(self.site, self.unique_id)
        return Outcome.delivered(code, submission_unique_id=lot, **remote_ids)


async def prepare_document(
    publication: Publication,
    *,
    documents: DocumentSource,
    seals: Seals,
    sites: Mapping[str, Site],
    rules: SubmissionRules,
    must_query: bool,
) -> Prepared:
    """Fetch the document and check it. Raises Ended when it cannot be sent, now or ever."""
    site = sites.get(publication.site_id)
    if site is None:
        raise Ended(Outcome.permanent("unknown-site", WhoMustAct.ADMINISTRATOR))
    try:
        signer = seals.current()
    except InvalidValue:
        raise Ended(_not_now("seal-unusable", must_query=must_query)) from None
    try:
        cda = await documents.fetch_cda(publication.document_id)
    except DocumentMissing:
        raise Ended(Outcome.permanent("document-missing", WhoMustAct.OPERATOR)) from None
    except DocumentsUnavailable:
        raise Ended(_not_now("report-unavailable", must_query=must_query)) from None
    try:
        document = await asyncio.to_thread(
            check_document, cda, publication, site, rules, signer_structure=signer.structure
        )
    except (InvalidValue, XmlRefused) as refusal:
        code = safe_code(str(refusal).replace(": ", ":").replace(" ", "-"), "refused:")
        raise Ended(Outcome.permanent(code, who_acts_on(refusal))) from None
    return Prepared(document, site, signer)


def _not_now(code: str, *, must_query: bool) -> Outcome:
    """Nothing was sent this time, but an earlier doubt stays a doubt."""
    return Outcome.ambiguous(code) if must_query else Outcome.transient(code)
