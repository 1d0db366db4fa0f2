"""Remember a login that is under way, so that its callback can be recognised once, from the same browser."""

from datetime import timedelta
from typing import Final

from navette_chassis import UnitOfWork
from navette_contracts.sealed import Keyring, Sealed
from pydantic import BaseModel, ConfigDict

from navette_psc_auth.adapters.store import LOGINS
from navette_psc_auth.domain.provider import Authorization
from navette_psc_auth.domain.session import digest

LOGIN_LIFE: Final = timedelta(minutes=10)


class LoginSecrets(BaseModel):
    """What only the server may know of a login under way."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    nonce: str
    code_verifier: str


async def begin_login(
    uow: UnitOfWork, authorization: Authorization, *, browser: str, return_to: str, keyring: Keyring
) -> None:
    """Store digest of state and of the browser's cookie; nonce and verifier sealed."""
    secrets = LoginSecrets(nonce=authorization.nonce, code_verifier=authorization.code_verifier)
    await uow.collection(LOGINS).insert_one(
        {
            "_id": digest(authorization.state),
            "browser": digest(browser),
            "return_to": return_to,
            "secrets": Sealed.seal(secrets, keyring).token,
            "expires_at": uow.now + LOGIN_LIFE,
        }
    )
