"""Where to go after the login: a page of ours, never an address chosen by somebody else."""

import re
from collections.abc import Sequence

_SAFE = re.compile(r"(/[A-Za-z0-9_~.-]+)+/?(\?[A-Za-z0-9_~.=&%+-]*)?")
_MAX_LENGTH = 1024


def safe_return_to(asked: str | None, *, default: str, prefixes: Sequence[str]) -> str | None:
    """Return the path to go to, `default` when none is asked, None when what is asked is not allowed."""
    if asked is None or asked == "":
        return default
    path = asked.partition("?")[0]
    allowed = (
        len(asked) <= _MAX_LENGTH
        and _SAFE.fullmatch(asked) is not None
        and not {".", ".."} & set(path.split("/"))
        and any(path.startswith(prefix) for prefix in prefixes)
    )
    return asked if allowed else None
