"""What a site decides about identities: proofs, automatic validation, rights (RIS.INS.05, RIS.INS.19, RIS.INS.21)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from navette_ins.domain.proofs import PROOFS, Proof
from navette_ins.domain.rights import RADIOLOGIST, RIGHTS, SECRETARY, SUPERVISOR, TECHNOLOGIST, Right

_KNOWN_ROLES = frozenset({SECRETARY, TECHNOLOGIST, RADIOLOGIST, SUPERVISOR})


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProofLine(_Said):
    """A kind of document as a site takes it."""

    code: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    """PAM code of ZFD-7."""
    label: Annotated[str, Field(min_length=1, max_length=120)]
    confidence: Literal["high", "low"]


class SiteRules(_Said):
    """What one site says; what it leaves out follows the default."""

    proofs: tuple[ProofLine, ...] | None = None
    automatic_validation: bool | None = None
    """Whether a coherent high-trust document validates by itself, or a person validates in a second act."""
    rights: Mapping[Right, frozenset[str]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sound(self) -> Self:
        codes = [line.code for line in self.proofs or ()]
        if len(codes) != len(set(codes)):
            raise ValueError("proofs: a code is given twice")
        if any(roles - _KNOWN_ROLES for roles in self.rights.values()):
            raise ValueError(f"rights: the roles are {sorted(_KNOWN_ROLES)}")
        return self


class Policy(_Said):
    """The default and what each site changes of it. Without a file: the table of rights, the proofs of the RNIV."""

    default: SiteRules = SiteRules()
    sites: Mapping[str, SiteRules] = Field(default_factory=dict)

    def proofs(self, site_id: str) -> Mapping[str, Proof]:
        """Kinds of document by code, as this site takes them."""
        lines = self._site(site_id).proofs
        lines = self.default.proofs if lines is None else lines
        if lines is None:
            return PROOFS
        known = {line.code: Proof(line.code, line.label, line.confidence == "high") for line in lines}
        return MappingProxyType(known)

    def automatic_validation(self, site_id: str) -> bool:
        """Whether a high-trust document validates by itself at this site."""
        said = self._site(site_id).automatic_validation
        said = self.default.automatic_validation if said is None else said
        return True if said is None else said

    def allows(self, right: Right, roles: frozenset[str], site_id: str) -> bool:
        """Whether somebody with these roles may do this at the site."""
        return bool(roles & self.roles(right, site_id))

    def allows_somewhere(self, right: Right, roles: frozenset[str]) -> bool:
        """Whether somebody with these roles may do this at any site: the first door of a route."""
        return bool(roles & self._anywhere[right])

    def roles(self, right: Right, site_id: str) -> frozenset[str]:
        """The roles that have this right at the site."""
        return self._site(site_id).rights.get(right, self.default.rights.get(right, RIGHTS[right]))

    def _site(self, site_id: str) -> SiteRules:
        return self.sites.get(site_id, SiteRules())

    @cached_property
    def _anywhere(self) -> Mapping[Right, frozenset[str]]:
        default = {right: self.default.rights.get(right, RIGHTS[right]) for right in Right}
        return {
            right: roles.union(*(site.rights.get(right, frozenset()) for site in self.sites.values()))
            for right, roles in default.items()
        }


def load_policy(data: bytes) -> Policy:
    """The policy of a JSON file `{"default": {…}, "sites": {site id: {…}}}`. Raises pydantic.ValidationError."""
    return Policy.model_validate_json(data)
