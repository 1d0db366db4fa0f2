"""Where the text of a version came from when it was not written here."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from navette_report.domain.fields import Strict


class Origin(Strict):
    """A report written on another system: what that system says of it. None of it is a signature here."""

    message_id: str
    """The received message, under /intake/messages."""
    sender: str
    received_at: AwareDatetime
    form: Literal["text", "pdf", "cda", "rtf"]
    original: bool = False
    """Whether a document as received is kept beside the draft (`GET /reports/{id}/received`)."""
    author_rpps: str | None = None
    author_name: str | None = None
    final: bool = True
    """False for a preliminary report: its sender will send another."""
    authenticated: bool = False
    """Whether its sender says that it was validated there; who signs here says so anew (ADR 0013)."""
    cancelled: bool = False
    """Its sender annulled it before it was signed here."""
    edited_here: bool = False
    """Somebody here changed the text: it is theirs from then on, and no message overwrites it."""

    @property
    def obstacle(self) -> str | None:
        """The rule that keeps a radiologist from signing it as it is, None when nothing does."""
        if self.edited_here:
            return None
        if self.cancelled:
            return "received_then_cancelled"
        return None if self.final else "received_as_preliminary"
