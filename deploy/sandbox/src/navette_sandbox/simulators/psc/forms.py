"""Reading form bodies."""

from __future__ import annotations

from urllib.parse import parse_qsl

from navette_sandbox.simulators.common import Request


def form_pairs(request: Request) -> list[tuple[str, str]]:
    """The fields of a form body, in order, blanks kept; empty for another content type."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return []
    return parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
