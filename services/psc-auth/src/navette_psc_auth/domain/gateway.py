"""What the gateway lets through to a service and back (spec/psc.md §1.2, RFC 9110 §7.6.1)."""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from navette_psc_auth.domain.errors import CsrfRefused
from navette_psc_auth.domain.session import csrf_matches

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})

_REQUEST_HEADERS: Final = frozenset(
    {
        "accept",
        "accept-language",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "last-event-id",
        "range",
    }
)
_BODY_HEADERS: Final = frozenset({"content-type", "content-length"})
_RESPONSE_HEADERS: Final = frozenset(
    {
        "accept-ranges",
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-length",
        "content-range",
        "content-security-policy",
        "content-type",
        "etag",
        "last-modified",
        "retry-after",
        "vary",
    }
)
_CLOSED: Final = frozenset({"internal", "metrics", "livez", "readyz", "docs", "openapi.json"})
"""First segments of paths that are between services or for operators' probes, not for browsers."""

_FORBIDDEN = re.compile(r"%(2f|5c|00|2e)|\\|[\x00-\x20\x7f]", re.IGNORECASE)


def upstream_path(raw_path: str) -> str | None:
    """Path to ask of the service (still percent-encoded), or None when browsers may not ask for it."""
    segments = raw_path.split("/")
    if _FORBIDDEN.search(raw_path) or {"", ".", ".."} & set(segments[:-1]) or segments[-1] in {".", ".."}:
        return None
    # The service decodes the path before it chooses a route.
    if unquote(segments[0]).lower() in _CLOSED:
        return None
    return "/" + raw_path


def request_headers(headers: Iterable[tuple[str, str]], *, with_body: bool) -> list[tuple[str, str]]:
    """The headers that go on: a closed list, so that no cookie, credential or forged proxy header does."""
    allowed = _REQUEST_HEADERS | _BODY_HEADERS if with_body else _REQUEST_HEADERS
    return [(name, value) for name, value in headers if name.lower() in allowed]


def response_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers that come back: a closed list, so that no service sets a cookie for everybody."""
    return [(name, value) for name, value in headers if name.lower() in _RESPONSE_HEADERS]


def public_location(location: str, service: str) -> str | None:
    """A `Location` of a service as the browser must see it; None unless it stays within the service."""
    if not location.startswith("/") or location.startswith("//") or _FORBIDDEN.search(location):
        return None
    return f"/api/{service}{location}"


BY_ITSELF_HEADER: Final = "x-navette-by-itself"
"""A page says with it that nobody asked: it refreshes itself."""


def by_itself(headers: Mapping[str, str]) -> bool:
    """Whether a page asks on its own; following events live is such a case."""
    return BY_ITSELF_HEADER in headers or headers.get("accept", "").startswith("text/event-stream")


FORM_TYPE: Final = "application/x-www-form-urlencoded"
FORM_FIELD: Final = "csrf_token"
"""Where a form without script carries the token, which no header can."""
FORM_PROOF_HEADER: Final = "x-navette-form-token"
"""Tells a service that renders a page which token its forms must carry; a browser cannot set it."""
FORM_LIMIT: Final = 512 * 1024
"""Most a form may weigh, bytes: the text of a report with room to spare."""


def is_form(headers: Mapping[str, str]) -> bool:
    """Whether a request is a form sent by a page without script."""
    return "x-csrf-token" not in headers and headers.get("content-type", "").partition(";")[0].strip() == FORM_TYPE


def without_token(body: bytes) -> tuple[str | None, bytes]:
    """The CSRF token of a form, None when it has none or several, and the form without it.

    Raises ValueError for a body that is no form.
    """
    fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=200)
    tokens = [value for name, value in fields if name == FORM_FIELD]
    kept = urlencode([(name, value) for name, value in fields if name != FORM_FIELD])
    return (tokens[0] if len(tokens) == 1 else None), kept.encode()


def check_csrf(
    method: str, headers: Mapping[str, str], *, cookie: str, origin: str, form_token: str | None = None
) -> None:
    """Refuse an unsafe request that our own pages did not make. Header names are in lower case.

    `form_token`: the token of a form, which must also say where it comes from: every browser does for a form.
    """
    if method.upper() in SAFE_METHODS:
        return
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise CsrfRefused("sec_fetch_site")
    if "origin" in headers and not same_origin(headers["origin"], origin):
        raise CsrfRefused("origin")
    if form_token is not None and "origin" not in headers:
        raise CsrfRefused("origin")
    if not csrf_matches(cookie, headers.get("x-csrf-token", form_token)):
        raise CsrfRefused("token")


def same_origin(one: str, other: str) -> bool:
    """Whether two URLs have the same scheme, host and port."""
    return _origin(one) == _origin(other)


def _origin(url: str) -> tuple[str, str | None, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ("", None, None)
    return (parts.scheme, parts.hostname, port or {"https": 443, "http": 80}.get(parts.scheme))
