"""Names of the collections of psc-auth and their indexes."""

from datetime import timedelta
from typing import Final

from navette_chassis import Service

LOGINS: Final = "logins"
"""Logins under way: digest of the state → digest of the browser's cookie, sealed secrets."""
SESSIONS: Final = "sessions"
"""Live sessions: digest of the cookie → who, until when, sealed tokens."""
ACCOUNTS: Final = "accounts"
"""People of the group by RPPS, with their roles per site."""
USED: Final = "used_ids"
"""Ids that are valid once (assertions, logout tokens), kept until they could not be accepted anyway."""


def declare_indexes(service: Service) -> None:
    """Rows vanish by themselves when they can no longer be used."""
    for collection in (LOGINS, SESSIONS, USED):
        service.index(collection, "expires_at", ttl=timedelta(0))
    service.index(SESSIONS, "psc_sid")
    service.index(SESSIONS, "psc_sub")
