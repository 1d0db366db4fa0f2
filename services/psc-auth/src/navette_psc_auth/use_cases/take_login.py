"""Recognise a callback: its state is ours, unused, recent, and comes from the browser that began."""

from dataclasses import dataclass

from navette_chassis import UnitOfWork
from navette_contracts.sealed import Keyring, Sealed

from navette_psc_auth.adapters.store import LOGINS
from navette_psc_auth.domain.session import digest
from navette_psc_auth.use_cases.begin_login import LoginSecrets


@dataclass(frozen=True)
class LoginUnderWay:
    """A login whose callback has just been recognised."""

    nonce: str
    code_verifier: str
    return_to: str


async def take_login(uow: UnitOfWork, state: str, browser: str | None, keyring: Keyring) -> LoginUnderWay | None:
    """Remove the login from the store and return it; None when there is none for this state and browser.

    Somebody who stole a state in another browser neither passes nor spoils the login of its owner.
    """
    if browser is None:
        return None
    row = await uow.collection(LOGINS).find_one_and_delete({"_id": digest(state), "browser": digest(browser)})
    if row is None or row["expires_at"] <= uow.now:
        return None
    secrets = Sealed[LoginSecrets](row["secrets"]).open(keyring, LoginSecrets)
    return LoginUnderWay(secrets.nonce, secrets.code_verifier, row["return_to"])
