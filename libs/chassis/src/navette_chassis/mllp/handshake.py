"""TLS handshakes that fail: asyncio closes the connection without a word, and nobody knows why a sender is mute."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable

_REASON = re.compile(r"[A-Z0-9_]{1,64}")


def tell_failures(context: ssl.SSLContext, tell: Callable[[str], None]) -> None:
    """Have `tell` called with the reason, a word of OpenSSL, of each handshake that fails under `context`.

    A peer that leaves or says nothing is not told of: probes of a port do that.
    """

    class Handshake(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                tell(reason_of(error))
                raise

    context.sslobject_class = Handshake


def reason_of(error: ssl.SSLError) -> str:
    """A constant of OpenSSL in lower case ("certificate_verify_failed"), "other" for anything else."""
    reason = error.reason
    return reason.lower() if isinstance(reason, str) and _REASON.fullmatch(reason) else "other"
