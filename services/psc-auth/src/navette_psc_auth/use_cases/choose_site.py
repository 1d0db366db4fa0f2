"""Choose the site to act for: an explicit act, kept in the session and audited (spec/psc.md §8)."""

from navette_chassis import UnitOfWork

from navette_psc_auth.adapters.store import SESSIONS
from navette_psc_auth.domain.session import Session


async def choose_site(uow: UnitOfWork, session: Session, site_id: str | None) -> None:
    """Store the choice; None goes back to what holds at every site. The caller checked that there is a role there."""
    await uow.collection(SESSIONS).update_one({"_id": session.key}, {"$set": {"site_id": site_id}})
    await uow.record_access(session.actor, "situation.selected", "session", session.public_id, site_id, "granted")
