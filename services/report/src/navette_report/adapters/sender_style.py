"""A received document shown with the style sheet that came with it (CDA/INT.15, CDA/VISU.01, DMP/UX.29).

The style sheet is a program of a stranger: it runs in a process of its own (`style_child.py`) without files, network
or much time and memory, and what it makes is served where no browser lets it act.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

CHILD = "navette_report.adapters.style_child"
SECONDS = 15.0
MAX_STYLE_BYTES = 5_000_000
MAX_RESULT_BYTES = 30_000_000
REFUSED = 3
"""Exit code of the child for a style sheet that cannot be used."""

HEADERS = {
    # No script, no form, no address: what is shown is what the document and its style sheet hold.
    "Content-Security-Policy": (
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class StyleUnusableError(Exception):
    """The style sheet makes nothing of the document: our own presentation remains. Quotes nothing."""


async def with_sender_style(cda: bytes, style: bytes) -> bytes:
    """The document as HTML by its sender's style sheet. Raises StyleUnusableError."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", CHILD,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        given = len(style).to_bytes(8, "big") + style + cda
        made, _ = await asyncio.wait_for(child.communicate(given), SECONDS)
    except TimeoutError:
        raise StyleUnusableError("time") from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
    if child.returncode != 0 or not made.strip():
        raise StyleUnusableError("refused" if child.returncode == REFUSED else "stopped")
    return made
