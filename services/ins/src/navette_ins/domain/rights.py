"""Who may do what with an identity, in one table (RIS.INS.05, RIS.INS.06, RIS.INS.29); a site may change it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

SECRETARY, TECHNOLOGIST, RADIOLOGIST, SUPERVISOR = "secretary", "technologist", "radiologist", "identity-supervisor"


class Right(StrEnum):
    """One thing that may be allowed or not."""

    READ = "identity.read"
    """Read traits, status, history without values, worklists."""
    EDIT = "identity.edit"
    """Record a person, an arrival, an attribute, traits that are not locked."""
    SEE_INS = "ins.see"
    """Read the matricule of a qualified identity."""
    CALL_INSI = "insi.call"
    """Ask INSi, compare its answer and decide on it."""
    QUALIFY = "identity.qualify"
    """Say that a high-trust document was held: named by the charter of the site, trained."""
    SUPERVISE = "identity.supervise"
    """Super-user: locked traits, wrong INS, cases, merges, values of the history."""


_DESK: Final = frozenset({SECRETARY, TECHNOLOGIST, SUPERVISOR})

RIGHTS: Final[Mapping[Right, frozenset[str]]] = MappingProxyType(
    {
        Right.READ: _DESK | {RADIOLOGIST},
        Right.EDIT: _DESK,
        Right.SEE_INS: _DESK | {RADIOLOGIST},
        Right.CALL_INSI: _DESK,
        Right.QUALIFY: _DESK,
        Right.SUPERVISE: frozenset({SUPERVISOR}),
    }
)
"""Roles by right, where a site says nothing else."""
