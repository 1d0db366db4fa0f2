"""End a session: on the person's demand, or because the provider's is over."""

from navette_chassis import UnitOfWork

from navette_psc_auth.adapters.store import SESSIONS
from navette_psc_auth.domain.session import Session


async def end_session(uow: UnitOfWork, session: Session, action: str) -> bool:
    """Remove the session and record the action; False when another request had ended it already."""
    removed = await uow.collection(SESSIONS).delete_one({"_id": session.key})
    if removed.deleted_count == 0:
        return False
    await uow.record_access(session.actor, action, "session", session.public_id, None, "granted")
    return True
