"""psc-auth on one page: sign-on by Pro Santé Connect, sessions, internal tokens, gateway."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from navette_chassis import Clock, Service

from navette_psc_auth.adapters.keys import ServiceKeys, SigningKeys
from navette_psc_auth.adapters.psc import PscProvider
from navette_psc_auth.adapters.store import declare_indexes
from navette_psc_auth.api.auth import auth_router
from navette_psc_auth.api.gateway import Gateway, gateway_router
from navette_psc_auth.api.guards import Guards
from navette_psc_auth.api.internal import internal_router
from navette_psc_auth.settings import PscAuthSettings
from navette_psc_auth.use_cases.issue_service_token import IssueServiceToken
from navette_psc_auth.use_cases.load_accounts import load_accounts, read_accounts

log = structlog.get_logger("navette.psc_auth")


def create_service(settings: PscAuthSettings, *, clock: Clock | None = None) -> Service:
    """Build the service. Raises KeysUnusable or AccountsUnusable when a mounted file cannot be used."""
    service = Service(settings, name=settings.service_name, clock=clock)
    declare_indexes(service)
    signing_keys = SigningKeys(settings.signing_keys)
    service_keys = None if settings.service_keys is None else ServiceKeys(settings.service_keys)
    accounts = None if settings.accounts_file is None else read_accounts(settings.accounts_file)
    provider = PscProvider(settings, service.clock)
    guards = Guards(service, settings, provider)

    @asynccontextmanager
    async def prepared() -> AsyncIterator[None]:
        if accounts is not None:
            await service.transact(load_accounts, accounts)
            log.info("accounts.loaded", count=len(accounts))
        await provider.check()
        yield

    service.resource(prepared)
    service.router(auth_router(service, settings, provider, guards))
    service.router(internal_router(signing_keys, IssueServiceToken(service, settings, signing_keys, service_keys)))
    # The service behind decides what it takes; the gateway streams it, once it knows who sends it.
    service.takes_documents("/api/")
    service.router(gateway_router(Gateway(service, settings, guards, signing_keys)))
    return service
