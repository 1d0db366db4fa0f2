"""INSi's answer becomes part of the record, or a case when another record says otherwise (RIS.INS.13)."""

from __future__ import annotations

from navette_chassis import UnitOfWork
from navette_documents.identifiers.nir import INS_NIA, INS_NIR

from navette_ins.adapters.searches import SearchRepository
from navette_ins.domain.cases import CaseKind
from navette_ins.domain.comparison import Comparison, compare, traits_taken_over
from navette_ins.domain.errors import Forbidden
from navette_ins.domain.facts import FormerIns, Recovery, TrustCheck
from navette_ins.domain.identity import Identity
from navette_ins.domain.insi.reply import Individual
from navette_ins.domain.search import Search, SearchState
from navette_ins.domain.traits import Traits
from navette_ins.domain.transitions import Act
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.open_case import open_case


async def accept_insi_answer(
    uow: UnitOfWork,
    desk: Desk,
    search: Search,
    identity: Identity,
    found: Individual,
    *,
    by: str,
    renewed: TrustCheck | None = None,
) -> SearchState:
    """Take the answer over, unless another record carries this matricule: then a duplicate case is opened.

    `renewed` is the document held again when the record was recovered before and INSi now says otherwise.
    """
    identities = desk.identities(uow)
    holder_id = await identities.other_with(found.matricule, found.oid, than=identity.patient_id)
    holder = None if holder_id is None else await identities.get(holder_id)
    if holder is not None:
        await open_case(uow, CaseKind.DUPLICATE, (holder, identity), reason="same_ins", by=by)
        return await _ended(uow, search, SearchState.DUPLICATE, who="secretary")
    former = tuple(FormerIns(matricule=one.value, oid=one.oid) for one in found.history)
    recovery = Recovery(
        matricule=found.matricule,
        oid=found.oid,
        search_id=search.search_id,
        at=uow.now,
        accepted_by=by,
        channel="AV" if search.by_app else "CV" if search.by_card else "INSI",
    )
    traits = traits_taken_over(identity.traits, found)
    try:
        if search.by_app:
            act = Act.APP_VITALE
            after: Identity | None = identity.identified_by_app(recovery, traits, former, by=by, at=uow.now)
        else:
            act, after = _next(identity, recovery, traits, former, renewed, at=uow)
    except Forbidden:
        return await _ended(uow, search, SearchState.OUTDATED, who="secretary")
    if after is not None:
        await identities.save(identity, after, act=act, by=by)
        await _former_number_of(uow, desk, after, by=by)
    differences = compare(identity.traits, found).differences
    decided = search.model_copy(update={"differences": differences, "decided_by": by, "decided_at": uow.now})
    return await _ended(uow, decided, SearchState.ACCEPTED, who="nobody")


def differences_to_decide(identity: Identity, found: Individual, said: Comparison) -> tuple[str, ...]:
    """What a person has to look at before the answer is taken over, field by field."""
    differences = said.differences + (("matricule_key",) if said.matricule_suspect else ())
    held = identity.recovery
    if held is not None and (held.matricule, held.oid) != (found.matricule, found.oid):
        differences += ("matricule",)
    return differences


def says_otherwise(identity: Identity, found: Individual) -> bool:
    """Whether INSi now gives a recovered identity another number or other traits: a person decides that."""
    held = identity.recovery
    if held is None:
        return False
    other_number = (held.matricule, held.oid) != (found.matricule, found.oid)
    return other_number or identity.changes_strict(traits_taken_over(identity.traits, found))


def _next(
    identity: Identity,
    recovery: Recovery,
    traits: Traits,
    former: tuple[FormerIns, ...],
    renewed: TrustCheck | None,
    *,
    at: UnitOfWork,
) -> tuple[Act, Identity | None]:
    held = identity.recovery
    if held is None:
        return Act.INS_ACCEPTED, identity.recovered(recovery, traits, former, at=at.now)
    after = identity.recovered_again(recovery, traits, former, at=at.now, renewed=renewed)
    if held.ins == recovery.ins:
        return Act.TRAITS_RENEWED, after if identity.changes_strict(traits) else None
    replaced = (held.oid, recovery.oid) == (INS_NIA, INS_NIR)
    return (Act.NIA_REPLACED if replaced else Act.RENUMBERED), after


async def _former_number_of(uow: UnitOfWork, desk: Desk, identity: Identity, *, by: str) -> None:
    """Another record carries a number that INSi calls a former one of this person: the same person (spec §6)."""
    identities = desk.identities(uow)
    for one in identity.former_ins:
        other_id = await identities.other_with(one.matricule, one.oid, than=identity.patient_id)
        other = None if other_id is None else await identities.get(other_id)
        if other is not None:
            await open_case(uow, CaseKind.DUPLICATE, (identity, other), reason="former_ins", by=by)


async def _ended(uow: UnitOfWork, search: Search, state: SearchState, *, who: str) -> SearchState:
    update = {"state": state, "code": "00", "who_must_act": who}
    await SearchRepository(uow).save(search.model_copy(update=update))
    return state
