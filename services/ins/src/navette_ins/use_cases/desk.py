"""What the use cases of this service work with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo

from navette_chassis import UnitOfWork
from navette_contracts.sealed import Keyring

from navette_ins.adapters.cog import any_place
from navette_ins.adapters.identities import BlindIndex, IdentityRepository, Watcher
from navette_ins.adapters.insi_soap import InsiSoap
from navette_ins.adapters.searches import ExchangeLog
from navette_ins.domain.cautions import KnowsPlace
from navette_ins.domain.policy import Policy


@dataclass(frozen=True, slots=True)
class InsiRules:
    """What the settings decide about INSi."""

    needs_professional: bool = False
    """Calls name a professional signed on with Pro Santé Connect."""
    card_assertion_required: bool = True
    """A card reading must come with the assertion its reader built."""
    verifies_received: bool = False
    """An INS that a third party sent is verified (WS_INS3); otherwise its person is searched for by traits."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Keys, indexes and the teleservice; what changes while the service runs is called for."""

    keyring: Callable[[], Keyring]
    index: BlindIndex
    insi: Callable[[], InsiSoap]
    """As the person at the desk."""
    rules: InsiRules = field(default_factory=InsiRules)
    policy: Policy = field(default_factory=Policy)
    """What each site decides: proofs, validation, rights."""
    knows_place: KnowsPlace = any_place
    """Whether a birth place is on the list of the installation."""
    time_zone: tzinfo = UTC
    """Where the days of the worklists begin."""
    watchers: Sequence[Watcher] = ()
    """What else hears of a change, inside its transaction."""

    def identities(self, uow: UnitOfWork) -> IdentityRepository:
        """Identities inside a unit of work."""
        return IdentityRepository(uow, self.keyring, self.index, self.watchers)

    @property
    def exchanges(self) -> ExchangeLog:
        """Calls made to INSi."""
        return ExchangeLog(self.keyring)
