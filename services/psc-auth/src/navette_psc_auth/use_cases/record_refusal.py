"""Put a refusal into the audit stream: who (if known), which check, never what was presented."""

from navette_chassis import UnitOfWork

ANONYMOUS = "anonymous"


async def record_refusal(uow: UnitOfWork, action: str, check: str, object_id: str, actor: str = ANONYMOUS) -> None:
    """Record `<action>:<check>` as refused."""
    await uow.record_access(actor, f"{action}:{check}", "session", object_id, None, "refused")
