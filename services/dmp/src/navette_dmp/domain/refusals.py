"""Who must act when we refuse to send a document."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from navette_contracts.events import WhoMustAct
from navette_documents.errors import InvalidValue

_WHO: Mapping[str, WhoMustAct] = MappingProxyType(
    {
        "ins": WhoMustAct.SECRETARY,
        "ins_oid": WhoMustAct.SECRETARY,
        "confidentialityCode": WhoMustAct.RADIOLOGIST,
        "secret_connection": WhoMustAct.ADMINISTRATOR,
        "certificate": WhoMustAct.ADMINISTRATOR,
        "legalAuthenticator/assignedPerson/name": WhoMustAct.ADMINISTRATOR,
        "legalAuthenticator/assignedEntity/code": WhoMustAct.ADMINISTRATOR,
        "XCN.2": WhoMustAct.ADMINISTRATOR,
        "XCN.3": WhoMustAct.ADMINISTRATOR,
    }
)
"""By the field refused; anything else is a document our own software composed wrongly."""


def who_acts_on(refusal: Exception) -> WhoMustAct:
    """Secretary for an identity, radiologist for a choice, administrator for accounts and certificates."""
    if isinstance(refusal, InvalidValue):
        return _WHO.get(refusal.field, WhoMustAct.OPERATOR)
    return WhoMustAct.OPERATOR
