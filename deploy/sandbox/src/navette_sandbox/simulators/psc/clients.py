"""The services registered at the provider, and how they prove who they are at the back channel (spec/psc.md §4)."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote_plus

from cryptography import x509

AuthMethod = Literal["tls_client_auth", "client_secret_basic"]


@dataclass(frozen=True)
class Client:
    """One registered service. `subject_dn` is the RFC 4514 text of the certificate registered for it."""

    client_id: str
    auth_method: AuthMethod
    redirect_uris: tuple[str, ...]
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    subject_dn: str = ""
    client_secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.auth_method == "tls_client_auth" and not self.subject_dn:
            raise ValueError("subject_dn: tls_client_auth needs one")
        if self.auth_method == "client_secret_basic" and len(self.client_secret) < 16:
            raise ValueError("client_secret: client_secret_basic needs one of 16 characters or more")


def client_from(row: Mapping[str, Any]) -> Client:
    """A client from its JSON object. Raises ValueError naming the field."""
    known = {name for name in Client.__dataclass_fields__ if name in row}
    unknown = sorted(set(row) - known)
    if unknown:
        raise ValueError(f"{unknown[0]}: unknown field")
    if row.get("auth_method") not in ("tls_client_auth", "client_secret_basic"):
        raise ValueError("auth_method: tls_client_auth or client_secret_basic is expected")
    if not row.get("client_id") or not row.get("redirect_uris"):
        raise ValueError("client_id, redirect_uris: expected")
    values = dict(row)
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        values[name] = tuple(row.get(name, ()))
    return Client(**values)


class ClientRefusedError(Exception):
    """The client did not prove who it is; the text names the rule."""


def authenticate(
    clients: Mapping[str, Client],
    form: Mapping[str, str],
    authorization: str | None,
    peer: x509.Certificate | None,
) -> Client:
    """The client behind a back-channel request. Raises `ClientRefusedError`."""
    if "client_secret" in form:
        raise ClientRefusedError("client_secret never travels in the body")
    if authorization is not None:
        return _by_secret(clients, form, authorization)
    client = clients.get(form.get("client_id", ""))
    if client is None:
        raise ClientRefusedError("client_id is registered")
    if client.auth_method != "tls_client_auth":
        raise ClientRefusedError("client authenticates by its registered method")
    if peer is None:
        raise ClientRefusedError("a client certificate is presented")
    if peer.subject.rfc4514_string() != client.subject_dn:
        raise ClientRefusedError("subject of the certificate is the one registered for the client")
    return client


def _by_secret(clients: Mapping[str, Client], form: Mapping[str, str], authorization: str) -> Client:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise ClientRefusedError("Authorization is Basic")
    try:
        decoded = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ClientRefusedError("Basic credentials are base64") from error
    name, _, secret = decoded.partition(":")
    client = clients.get(unquote_plus(name))
    if client is None or form.get("client_id", client.client_id) != client.client_id:
        raise ClientRefusedError("client_id is registered and the same everywhere")
    if client.auth_method != "client_secret_basic":
        raise ClientRefusedError("client authenticates by its registered method")
    if not hmac.compare_digest(unquote_plus(secret), client.client_secret):
        raise ClientRefusedError("client_secret is right")
    return client
