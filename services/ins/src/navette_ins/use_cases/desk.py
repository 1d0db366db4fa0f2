"""What the use cases of this service work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from navette_chassis import UnitOfWork
from navette_contracts.sealed import Keyring

from navette_ins.adapters.identities import BlindIndex, IdentityRepository
from navette_ins.adapters.insi_soap import InsiSoap
from navette_ins.adapters.searches import ExchangeLog


@dataclass(frozen=True, slots=True)
class Desk:
    """Keys, indexes and the teleservice; what changes while the service runs is called for."""

    keyring: Callable[[], Keyring]
    index: BlindIndex
    insi: Callable[[], InsiSoap]

    def identities(self, uow: UnitOfWork) -> IdentityRepository:
        """Identities inside a unit of work."""
        return IdentityRepository(uow, self.keyring, self.index)

    @property
    def exchanges(self) -> ExchangeLog:
        """Calls made to INSi."""
        return ExchangeLog(self.keyring)
