"""The first checks of the callback, before anything is sent anywhere (spec/psc.md §3.2, 1 to 4)."""

from collections.abc import Iterable
from dataclasses import dataclass

from navette_psc_auth.domain.errors import LoginCancelled, LoginRefused

_READ = frozenset({"code", "state", "iss", "session_state", "error", "error_description"})
_MAX_LENGTH = 4096


@dataclass(frozen=True)
class Callback:
    """The parameters of a callback that may be trusted to be well-formed, no more."""

    state: str
    code: str | None
    iss: str | None
    error: str | None


def read_callback(parameters: Iterable[tuple[str, str]]) -> Callback:
    """Read the query. LoginRefused: a parameter given twice or too long, no state, code and error together."""
    values: dict[str, str] = {}
    for name, value in parameters:
        if name not in _READ:
            continue
        if name in values or len(value) > _MAX_LENGTH:
            raise LoginRefused("parameters")
        values[name] = value
    if "code" in values and "error" in values:
        raise LoginRefused("code_and_error")
    state = values.get("state")
    if not state:
        raise LoginRefused("state_missing")
    return Callback(state, values.get("code"), values.get("iss"), values.get("error"))


def check_answer(callback: Callback, *, issuer: str, iss_advertised: bool) -> str:
    """Check issuer (RFC 9207) and error, return the code. The state must have been consumed before."""
    if callback.iss is not None and callback.iss != issuer:
        raise LoginRefused("iss_mismatch")
    if callback.iss is None and iss_advertised:
        raise LoginRefused("iss_missing")
    if callback.error == "access_denied":
        raise LoginCancelled
    if callback.error is not None:
        raise LoginRefused("provider_error")
    if not callback.code:
        raise LoginRefused("code_missing")
    return callback.code
