"""What may be said of an exception: its type, its code and where it was raised. Never its message.

Messages of libraries quote what they were given: a Pydantic error quotes the input, a driver the document.
"""

from __future__ import annotations

import re
import traceback
from pathlib import PurePath

_CODE = re.compile(r"[A-Za-z0-9_.:/#-]{1,64}")


def exception_type(error: BaseException) -> str:
    """Qualified name of the class, without ``builtins``."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def exception_code(error: BaseException) -> str | None:
    """The ``code`` our own exceptions (and drivers' numeric codes) carry, if it is a plain word or number."""
    code = getattr(error, "code", None)
    if isinstance(code, bool) or not isinstance(code, int | str):
        return None
    return str(code) if _CODE.fullmatch(str(code)) else None


def exception_place(error: BaseException) -> str | None:
    """``file.py:line:function`` of the innermost frame of ours, else of any; code is not data."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return None
    ours = [frame for frame in frames if any(part.startswith("navette_") for part in PurePath(frame.filename).parts)]
    last = (ours or frames)[-1]
    return f"{'/'.join(PurePath(last.filename).parts[-2:])}:{last.lineno}:{last.name}"


def describe(error: BaseException) -> dict[str, str]:
    """The three as log keys: ``error``, ``error_code``, ``error_at``; absent ones left out."""
    facts = {
        "error": exception_type(error),
        "error_code": exception_code(error),
        "error_at": exception_place(error),
    }
    return {key: value for key, value in facts.items() if value is not None}
