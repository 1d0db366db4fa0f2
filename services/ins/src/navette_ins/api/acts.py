"""What every route on an identity does: find it, check the site, run the use case, tell broken rules in French."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from navette_chassis import Service, UnitOfWork
from navette_chassis.problem import ProblemError

from navette_ins.api import french
from navette_ins.api.rights import Caller
from navette_ins.domain.errors import Forbidden, RuleBroken
from navette_ins.domain.identity import Identity
from navette_ins.domain.rights import Right
from navette_ins.use_cases.create_patient import TraitsRefused
from navette_ins.use_cases.desk import Desk

T = TypeVar("T")


async def change(
    service: Service,
    desk: Desk,
    caller: Caller,
    patient_id: str,
    use_case: Callable[..., Awaitable[T]],
    **arguments: Any,
) -> T:
    """Run a use case on an identity of a site where the caller has the right of the route."""

    async def work(uow: UnitOfWork) -> T:
        identity = visible(await desk.identities(uow).get(patient_id), caller)
        result = await use_case(uow, desk, identity=identity, by=caller.subject, **arguments)
        # The answer to an act shows the INS too: that is an access like any other (RIS.INS.03).
        holds = isinstance(result, Identity) and result.recovery is not None
        if holds and caller.also(Right.SEE_INS).may_act_for(identity.site_id):
            await uow.record_access(caller.subject, "ins.read", "patient", patient_id, identity.site_id, "granted")
        return result

    return await transact(service, work)


async def transact(service: Service, use_case: Callable[..., Awaitable[T]], *args: Any, **kwargs: Any) -> T:
    """Run a use case and tell broken rules as a person reads them."""
    try:
        return await service.transact(use_case, *args, **kwargs)
    except TraitsRefused as refused:
        raise french.invalid(refused.broken) from None
    except RuleBroken as broken:
        raise french.invalid([broken]) from None
    except Forbidden as error:
        raise french.forbidden(error) from None


def visible(identity: Identity | None, caller: Caller) -> Identity:
    """The identity, if there is one and the caller has the right at its site; otherwise the 404 or 403 problem.

    404 too when the caller does not work for its site.
    """
    if identity is None:
        raise ProblemError.not_found()
    caller.require_sight(identity.site_id)
    return identity
