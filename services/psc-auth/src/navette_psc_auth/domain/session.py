"""The session of a person in a browser: opaque cookie, server-side state, bounded life (spec/psc.md §9, §11.2)."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

_CSRF_LABEL = b"navette csrf"


def digest(secret: str) -> str:
    """What is stored in place of a secret: its SHA-256, 64 hexadecimal digits."""
    return hashlib.sha256(secret.encode()).hexdigest()


def csrf_token(cookie: str) -> str:
    """The CSRF token of a session, derived from its cookie: nothing to store, nothing to guess."""
    return hmac.new(cookie.encode(), _CSRF_LABEL, hashlib.sha256).hexdigest()


def csrf_matches(cookie: str, presented: str | None) -> bool:
    """Whether the presented CSRF token belongs to the session of this cookie."""
    return presented is not None and hmac.compare_digest(csrf_token(cookie).encode(), presented.encode())


@dataclass(frozen=True)
class SessionLimits:
    """How long a session may live; it must not outlive the provider's (4 h, 30 min idle)."""

    absolute: timedelta
    idle: timedelta


@dataclass(frozen=True)
class Session:
    """A session row. `key` is the digest of the cookie; tokens of the provider are sealed."""

    key: str
    rpps: str
    name: str
    eligible: tuple[str, ...]
    psc_sub: str
    psc_sid: str | None
    acr: str
    auth_mode: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    refreshed_at: datetime
    tokens: str
    """`Sealed[PscTokens]`."""
    site_id: str | None = None
    """The site the person chose to act for; None: only what holds at every site."""
    skills: tuple[str, ...] = ()
    """Savoir-faire that make the person a radiologist."""

    @property
    def actor(self) -> str:
        """How the audit names the person."""
        return f"rpps:{self.rpps}"

    @property
    def public_id(self) -> str:
        """How the audit names the session: enough to correlate, useless to anybody who steals it."""
        return self.key[:16]

    def is_live(self, now: datetime, limits: SessionLimits) -> bool:
        """Whether the session may be used at `now`."""
        return now < self.expires_at and now - self.seen_at < limits.idle

    def to_row(self) -> dict[str, Any]:
        """The MongoDB document."""
        row: dict[str, Any] = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "key"}
        return {"_id": self.key, **row, "eligible": list(self.eligible), "skills": list(self.skills)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The session of a MongoDB document; one written before a field existed has its default."""
        fields = {name: row[name] for name in cls.__dataclass_fields__ if name in row}
        lists = {"eligible": tuple(row["eligible"]), "skills": tuple(row.get("skills", ()))}
        return cls(**{**fields, "key": row["_id"], **lists})
