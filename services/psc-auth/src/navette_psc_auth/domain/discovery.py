"""The provider's discovery document, checked before it is believed (spec/psc.md §2, §12.3)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

REQUIRED_ENDPOINTS = (
    "authorization_endpoint",
    "token_endpoint",
    "userinfo_endpoint",
    "jwks_uri",
    "end_session_endpoint",
    "revocation_endpoint",
)


def discovery_problems(document: Mapping[str, Any], *, issuer: str, auth_method: str) -> list[str]:
    """Say what in the document forbids to log in with it; empty when nothing does."""
    problems: list[str] = []
    if document.get("issuer") != issuer:
        problems.append("issuer differs from the configured one")
    for name in REQUIRED_ENDPOINTS:
        value = document.get(name)
        parts = urlsplit(value) if isinstance(value, str) else None
        if parts is None or parts.scheme != "https" or not parts.hostname:
            problems.append(f"{name} is not an https address")
    for name, needed in (
        ("code_challenge_methods_supported", "S256"),
        ("id_token_signing_alg_values_supported", "RS256"),
        ("token_endpoint_auth_methods_supported", auth_method),
    ):
        offered = document.get(name)
        if not isinstance(offered, list) or needed not in offered:
            problems.append(f"{name} does not offer {needed}")
    return problems
