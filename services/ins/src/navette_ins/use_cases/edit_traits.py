"""Correct traits by hand: locked ones by a super-user only, and the INS goes with them (RIS.INS.29 to RIS.INS.36)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from navette_chassis import UnitOfWork

from navette_ins.domain.birth_dates import completed_date
from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.identity import Identity
from navette_ins.domain.traits import Traits, check_traits
from navette_ins.domain.transitions import Act
from navette_ins.use_cases.create_patient import TraitsRefused
from navette_ins.use_cases.desk import Desk


async def edit_traits(
    uow: UnitOfWork,
    desk: Desk,
    *,
    identity: Identity,
    changes: Mapping[str, Any],
    check_holds: bool,
    confirmed: bool,
    unlock: Callable[[str], None],
    by: str,
    reason: str | None = None,
) -> Identity:
    """Save the changed traits.

    `unlock` is called with the site before a locked trait changes, and raises for whoever is not a super-user there.
    A change that costs a fact is saved only when `confirmed`. Raises TraitsRefused, RuleBroken, Forbidden, and what
    `unlock` raises.
    """
    traits = Traits.model_validate(identity.traits.model_dump() | dict(changes) | dict(_completed(changes)))
    broken = check_traits(traits, today=uow.now.date())
    if broken:
        raise TraitsRefused(broken)
    strict = identity.changes_strict(traits)
    if strict and identity.strict_traits_locked:
        unlock(identity.site_id)
    edited = identity.edited(traits, check_holds=check_holds, at=uow.now)
    if edited.status is not identity.status and not confirmed:
        raise Forbidden("downgrade_to_confirm")
    await desk.identities(uow).save(identity, edited, act=_act(identity, traits, strict=strict), by=by, reason=reason)
    await uow.record_access(by, "identity.edit", "patient", identity.patient_id, identity.site_id, "granted")
    return edited


def _completed(changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the rule makes of a date the document does not know, when no date was given beside it."""
    said = changes.get("birth_date_on_document")
    if said is None or "birth_date" in changes:
        return {}
    date = completed_date(said)
    if date is None:
        raise RuleBroken("birth_date", "required")
    return {"birth_date": date, "birth_date_completed": True}


def _act(identity: Identity, traits: Traits, *, strict: bool) -> Act:
    if traits.birth_date_completed and not identity.traits.birth_date_completed:
        return Act.BIRTH_DATE_COMPLETED
    return Act.STRICT_TRAITS_EDITED if strict else Act.COMPLEMENTARY_EDITED
