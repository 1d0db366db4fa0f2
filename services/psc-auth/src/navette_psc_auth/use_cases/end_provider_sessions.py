"""End the sessions Pro Santé Connect says are over (back-channel logout)."""

from navette_chassis import UnitOfWork
from pymongo.errors import DuplicateKeyError

from navette_psc_auth.adapters.store import SESSIONS, USED
from navette_psc_auth.domain.errors import LogoutTokenRefused
from navette_psc_auth.domain.logout_token import LIFE, LogoutOrder
from navette_psc_auth.domain.session import Session
from navette_psc_auth.use_cases.end_session import end_session


async def end_provider_sessions(uow: UnitOfWork, order: LogoutOrder) -> int:
    """End every session the order names; how many. LogoutTokenRefused when the order was given before."""
    try:
        await uow.collection(USED).insert_one({"_id": f"logout:{order.jti}", "expires_at": uow.now + LIFE})
    except DuplicateKeyError:
        raise LogoutTokenRefused("replayed") from None
    query = {"psc_sid": order.sid} if order.sid is not None else {"psc_sub": order.sub}
    if order.sid is not None and order.sub is not None:
        query["psc_sub"] = order.sub
    rows = await uow.collection(SESSIONS).find(query).to_list()
    for row in rows:
        await end_session(uow, Session.from_row(row), "logout.backchannel")
    return len(rows)
