"""Rights on routes: each declares one right of the table, and every refusal is on record (RIS.INS.03 to RIS.INS.06)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import Depends, Request
from navette_chassis import Service, UnitOfWork
from navette_chassis.auth import Principal, require
from navette_chassis.problem import ProblemError

from navette_ins.domain.policy import Policy
from navette_ins.domain.rights import Right

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOBODY = "-"


class AccessRefused(ProblemError):  # noqa: N818 - the access is refused
    """403, or 404 for an object out of sight, and what the audit stream says of it."""

    def __init__(self, caller: Caller, site_id: str | None, *, out_of_sight: bool = False) -> None:
        told = ProblemError.not_found() if out_of_sight else ProblemError.forbidden(_SENTENCES[caller.right])
        super().__init__(told.status, told.code, told.detail)
        self.caller = caller
        self.site_id = site_id


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-on person on a route that asks for a right. The right counts at the site of the identity."""

    principal: Principal
    right: Right
    policy: Policy

    @property
    def subject(self) -> str:
        """Who the person is, for the trace."""
        return self.principal.subject

    @property
    def rpps(self) -> str | None:
        """National number of the professional, from the sign-on."""
        return self.principal.rpps

    @property
    def sites(self) -> frozenset[str]:
        """Sites of the person where the right is held."""
        return frozenset(one for one in self.principal.sites if self.may_act_for(one))

    def may_act_for(self, site_id: str) -> bool:
        """Whether the person works at the site and has the right there."""
        held = self.policy.allows(self.right, self.principal.roles, site_id)
        return held and self.principal.may_act_for(site_id)

    def require_site(self, site_id: str) -> None:
        """Raise AccessRefused unless the person has the right at the site."""
        if not self.may_act_for(site_id):
            raise AccessRefused(self, site_id)

    def require_sight(self, site_id: str) -> None:
        """Raise AccessRefused unless the person may see an object of the site and has the right there.

        Whoever does not work for the site gets the answer for what does not exist: a 403 would tell which ids exist.
        """
        if not self.principal.may_act_for(site_id):
            raise AccessRefused(self, site_id, out_of_sight=True)
        self.require_site(site_id)

    def also(self, right: Right) -> Caller:
        """The same person asked for another right."""
        return replace(self, right=right)


def guarded(service: Service, policy: Policy) -> Any:
    """The router dependency under which `may` works: it knows the policy, and records each refusal once."""

    async def guard(request: Request) -> AsyncIterator[None]:
        request.state.policy = policy
        try:
            yield
        except AccessRefused as refused:
            await service.transact(_record, refused, request)
            raise

    return Depends(guard)


def may(right: Right) -> Any:
    """A route parameter `Annotated[Caller, may(right)]`: the person, who has this right at one site at least."""
    return Depends(_May(right))


@dataclass(frozen=True, slots=True)
class _May:
    right: Right

    async def __call__(self, request: Request, principal: Annotated[Principal, require()]) -> Caller:
        policy: Policy = request.state.policy
        caller = Caller(principal, self.right, policy)
        if not policy.allows_somewhere(self.right, principal.roles):
            raise AccessRefused(caller, None)
        return caller


async def _record(uow: UnitOfWork, refused: AccessRefused, request: Request) -> None:
    caller = refused.caller
    asked = str(request.path_params.get("patient_id", _NOBODY))
    # What a stranger puts in a path stays out of the audit stream unless it has the form of an id.
    known = asked if _ID.fullmatch(asked) else "unknown"
    await uow.record_access(caller.subject, caller.right.value, "patient", known, refused.site_id, "refused")


_SENTENCES = {
    Right.READ: "Vous n’avez pas accès aux identités de ce site.",
    Right.EDIT: "Vous n’êtes pas habilité à enregistrer ou modifier une identité sur ce site.",
    Right.SEE_INS: "Vous n’êtes pas habilité à consulter l’INS sur ce site.",
    Right.CALL_INSI: "Vous n’êtes pas habilité à appeler INSi pour ce site.",
    Right.QUALIFY: "Vous n’êtes pas habilité à valider une identité sur ce site.",
    Right.SUPERVISE: "Cette opération est réservée à la cellule d’identitovigilance du site.",
}

Reader = Annotated[Caller, may(Right.READ)]
Editor = Annotated[Caller, may(Right.EDIT)]
InsReader = Annotated[Caller, may(Right.SEE_INS)]
InsiCaller = Annotated[Caller, may(Right.CALL_INSI)]
Qualifier = Annotated[Caller, may(Right.QUALIFY)]
Supervisor = Annotated[Caller, may(Right.SUPERVISE)]
