"""What a person may do: the local table gives, the registration limits (spec/psc.md §8)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

ROLES: Final = frozenset(
    {"radiologist", "secretary", "technologist", "operator", "administrator", "identity-supervisor"}
)

LOCAL_ROLES: Final = frozenset({"operator", "administrator", "identity-supervisor"})
"""Roles no registration speaks of: the local table alone gives them."""


@dataclass(frozen=True)
class Grant:
    """One role at one site."""

    site_id: str
    role: str


@dataclass(frozen=True)
class Account:
    """A person known to the group, by RPPS."""

    rpps: str
    name: str
    grants: tuple[Grant, ...]
    enabled: bool = True


@dataclass(frozen=True)
class Rights:
    """What an internal token says."""

    roles: tuple[str, ...]
    sites: tuple[str, ...]


def active_grants(account: Account, eligible: Collection[str]) -> tuple[Grant, ...]:
    """The grants that count now: account enabled, and the registration still allows the role."""
    if not account.enabled:
        return ()
    return tuple(grant for grant in account.grants if grant.role in LOCAL_ROLES or grant.role in eligible)


def rights_of(grants: Iterable[Grant], site_id: str | None = None) -> Rights:
    """Rights for a token, which carries one list of roles and one of sites.

    With a site: the roles held there. Without: the roles held at every site, so that a role of one site
    can never be used at another.
    """
    by_site: dict[str, set[str]] = {}
    for grant in grants:
        by_site.setdefault(grant.site_id, set()).add(grant.role)
    if site_id is not None:
        roles = by_site.get(site_id, set())
        return Rights(tuple(sorted(roles)), (site_id,) if roles else ())
    if not by_site:
        return Rights((), ())
    return Rights(tuple(sorted(set.intersection(*by_site.values()))), tuple(sorted(by_site)))
