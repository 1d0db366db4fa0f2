"""Who is asking: a person signed on through Pro Santé Connect, or another service."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal

from navette_chassis.problem import OutOfSightError, ProblemError


class Role(StrEnum):
    """Roles of a site (psc-auth's local role table)."""

    RADIOLOGIST = "radiologist"
    SECRETARY = "secretary"
    TECHNOLOGIST = "technologist"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"
    IDENTITY_SUPERVISOR = "identity-supervisor"
    """Cellule d'identitovigilance: the super-user of identities."""

    @property
    def label(self) -> str:
        """What a person reads."""
        return _LABELS[self]


_LABELS: Final = {
    Role.RADIOLOGIST: "Radiologue",
    Role.SECRETARY: "Secrétaire",
    Role.TECHNOLOGIST: "Manipulateur en électroradiologie",
    Role.OPERATOR: "Exploitant",
    Role.ADMINISTRATOR: "Administrateur",
    Role.IDENTITY_SUPERVISOR: "Référent d’identitovigilance",
}


@dataclass(frozen=True, slots=True)
class Principal:
    """The verified caller. ``rpps`` comes from the sign-on, never from a request body."""

    subject: str
    kind: Literal["user", "service"]
    roles: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    rpps: str | None = None
    name: str | None = field(default=None, repr=False)
    skills: tuple[str, ...] = ()
    """Savoir-faire codes (TRE_R38) that make the person a radiologist, from the sign-on too."""

    def may_act_for(self, site_id: str) -> bool:
        """Whether the caller works for this site; services work for all."""
        return self.kind == "service" or site_id in self.sites

    def require_site(self, site_id: str) -> None:
        """Raise the 403 problem unless the caller works for this site, which the request names."""
        if not self.may_act_for(site_id):
            raise ProblemError.forbidden("Vous n'avez pas accès à ce site.")

    def require_sight(self, site_id: str) -> None:
        """Raise ``OutOfSightError`` unless the caller works for the site of an object that was asked for by its id."""
        if not self.may_act_for(site_id):
            raise OutOfSightError
