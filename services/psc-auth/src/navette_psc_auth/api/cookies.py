"""The three cookies, each bound to our host, unreadable by scripts, sent over TLS only (spec/psc.md §11.2)."""

from typing import Final

from fastapi import Request
from starlette.responses import Response

SESSION: Final = "__Host-sid"
LOGIN: Final = "__Host-pre"
LOGOUT: Final = "__Host-bye"

_MAX_LENGTH = 128


def read(request: Request, name: str) -> str | None:
    """The value of a cookie, None when absent or longer than any of ours."""
    value = request.cookies.get(name)
    return value if value and len(value) <= _MAX_LENGTH else None


def put(response: Response, name: str, value: str, *, seconds: int | None = None) -> None:
    """Set a cookie; without `seconds` it ends with the browser.

    Lax: the callback is a top-level navigation from another site, with Strict it would come without cookies.
    """
    response.set_cookie(name, value, max_age=seconds, path="/", secure=True, httponly=True, samesite="lax")


def erase(response: Response, name: str) -> None:
    """Take a cookie back."""
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
