"""A person who saw both sides accepts or refuses INSi's answer (spec/ins.md §4.3)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from navette_chassis import UnitOfWork

from navette_ins.adapters.searches import SearchRepository
from navette_ins.domain.comparison import DECISIVE
from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.facts import TrustCheck
from navette_ins.domain.identity import Identity
from navette_ins.domain.search import Search, SearchState
from navette_ins.use_cases.accept_insi_answer import accept_insi_answer
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.settle_insi_search import individual_of


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says of an answer."""

    accepted: bool
    confirmed: Collection[str] = ()
    """Decisive traits that differ and were looked at."""
    document_kind: str | None = None
    """Document held again for an identity that was qualified with other traits."""


async def decide_insi_result(uow: UnitOfWork, desk: Desk, *, search_id: str, word: Word, by: str) -> Search | None:
    """Record the decision; None when there is no such search.

    Raises Forbidden when nothing is to be decided or a decisive difference was not confirmed, RuleBroken for a document
    that proves nothing.
    """
    searches = SearchRepository(uow)
    search = await searches.get(search_id)
    if search is None:
        return None
    identity = await desk.identities(uow).get(search.patient_id)
    if search.state is not SearchState.TO_DECIDE or identity is None:
        raise Forbidden("nothing_to_decide")
    found = await individual_of(uow, desk, search)
    if found is None or identity.revision != search.revision:
        raise Forbidden("identity_changed")
    if word.accepted:
        if not (DECISIVE | {"matricule"}) & set(search.differences) <= set(word.confirmed):
            raise Forbidden("differences_to_confirm")
        renewed = _held_again(uow, desk, identity, word, by=by)
        await accept_insi_answer(uow, desk, search, identity, found, by=by, renewed=renewed)
    else:
        update = {"state": SearchState.REFUSED, "who_must_act": "secretary", "decided_by": by, "decided_at": uow.now}
        await searches.save(search.model_copy(update=update))
    await uow.record_access(by, "insi.decide", "patient", search.patient_id, search.site_id, "granted")
    return await searches.get(search_id)


def _held_again(uow: UnitOfWork, desk: Desk, identity: Identity, word: Word, *, by: str) -> TrustCheck | None:
    if word.document_kind is None or identity.recovery is None:
        return None
    proof = desk.policy.proofs(identity.site_id).get(word.document_kind)
    if proof is None:
        raise RuleBroken("document_kind", "unknown_document")
    if not proof.high_trust:
        raise RuleBroken("document_kind", "not_high_trust")
    return TrustCheck(document_kind=proof.code, at=uow.now, by=by)
