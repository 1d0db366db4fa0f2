"""The authorization request: what the wallet refuses before a person sees anything (spec/psc.md §3.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from navette_sandbox.simulators.psc.clients import Client

SCOPES = frozenset({"openid", "scope_all"})
ACR_VALUES = "eidas1"
MIN_RANDOM = 22
"""Characters of base64url that hold 128 bits, asked of `state` and `nonce`."""


@dataclass(frozen=True)
class AuthorizationRequest:
    """A request that obeys every rule."""

    client_id: str
    redirect_uri: str
    scope: str
    state: str
    nonce: str
    code_challenge: str


class PageError(Exception):
    """Nothing can be sent back to the caller: client or redirect URI are not to be trusted."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


class RedirectError(Exception):
    """The request is refused by a redirect that carries `error`."""

    def __init__(self, redirect_uri: str, state: str | None, error: str, rule: str) -> None:
        super().__init__(rule)
        self.redirect_uri = redirect_uri
        self.state = state
        self.error = error
        self.rule = rule


def check(parameters: Sequence[tuple[str, str]], clients: Mapping[str, Client]) -> AuthorizationRequest:
    """Check a request in the order of RFC 6749 §4.1.2.1. Raises `PageError` or `RedirectError`."""
    values = dict(parameters)
    client = clients.get(values.get("client_id", ""))
    if client is None:
        raise PageError("client_id is registered")
    redirect_uri = values.get("redirect_uri", "")
    if redirect_uri not in client.redirect_uris:
        raise PageError("redirect_uri is exactly a registered one")
    if len(values) != len(parameters):
        raise RedirectError(redirect_uri, values.get("state"), "invalid_request", "a parameter occurs once")
    for holds, error, rule in _RULES:
        if not holds(values):
            raise RedirectError(redirect_uri, values.get("state"), error, rule)
    return AuthorizationRequest(
        client_id=client.client_id,
        redirect_uri=redirect_uri,
        scope=values["scope"],
        state=values["state"],
        nonce=values["nonce"],
        code_challenge=values["code_challenge"],
    )


_Values = Mapping[str, str]
_RULES: tuple[tuple[Callable[[_Values], bool], str, str], ...] = (
    (lambda v: v.get("response_type") == "code", "unsupported_response_type", "response_type is code"),
    (lambda v: v.get("response_mode", "query") == "query", "invalid_request", "response_mode is query"),
    (lambda v: set(v.get("scope", "").split()) == SCOPES, "invalid_scope", "scope is openid scope_all"),
    (lambda v: v.get("acr_values") == ACR_VALUES, "invalid_request", "acr_values is eidas1"),
    (lambda v: len(v.get("state", "")) >= MIN_RANDOM, "invalid_request", "state holds at least 128 bits"),
    (lambda v: len(v.get("nonce", "")) >= MIN_RANDOM, "invalid_request", "nonce holds at least 128 bits"),
    (
        lambda v: v.get("code_challenge_method") == "S256",
        "invalid_request",
        "code_challenge_method is S256",
    ),
    (
        lambda v: re.fullmatch(r"[A-Za-z0-9_-]{43}", v.get("code_challenge", "")) is not None,
        "invalid_request",
        "code_challenge is the base64url of a SHA-256",
    ),
    (lambda v: v.get("prompt") != "none", "login_required", "a person is needed"),
)
