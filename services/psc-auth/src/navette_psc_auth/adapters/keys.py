"""Key files: our own signing keys, and the public keys of the services. Read again when the file changes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from navette_chassis.tls import FileWatch

from navette_psc_auth.domain.errors import KeysUnusable

log = structlog.get_logger("navette.psc_auth.keys")

_ALGORITHM = "ES256"
_CURVE = "P-256"


class SigningKeys:
    """Signs internal tokens with the current key and publishes all of them.

    To rotate: add a key to the file, wait until every service has fetched the JWKS, make it `current`,
    remove the old one once its last token has expired.
    """

    def __init__(self, path: Path) -> None:
        """Read `{"current": kid, "keys": [private P-256 JWK, …]}`. Raises KeysUnusable, OSError."""
        self._path = path
        self._watch = FileWatch([path])
        self._current, self._keys = _read_signing_keys(path)

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A compact ES256 JWT of type at+jwt."""
        self._refresh()
        header = {"alg": _ALGORITHM, "typ": "at+jwt", "kid": self._current}
        return jwt.encode(header, dict(claims), self._keys[self._current], algorithms=[_ALGORITHM])

    def public(self) -> dict[str, Any]:
        """The JWKS services verify with: public parts only."""
        self._refresh()
        return {
            "keys": [
                {**key.as_dict(private=False), "kid": kid, "use": "sig", "alg": _ALGORITHM}
                for kid, key in self._keys.items()
            ]
        }

    def _refresh(self) -> None:
        if not self._watch.changed():
            return
        try:
            self._current, self._keys = _read_signing_keys(self._path)
        except (KeysUnusable, OSError):
            # The keys in use stay good; an unusable new file must not stop everybody's work.
            if self._watch.refuse():
                log.error("keys.reload_failed", resource="signing_keys")  # noqa: TRY400 - could quote the file
            return
        self._watch.accept()
        log.info("keys.reloaded", resource="signing_keys")


class ServiceKeys:
    """The public keys the services prove themselves with."""

    def __init__(self, path: Path) -> None:
        """Read `{"services": {name: {"keys": [public P-256 JWK, …]}}}`. Raises KeysUnusable, OSError."""
        self._path = path
        self._watch = FileWatch([path])
        self._by_kid = _read_service_keys(path)

    def find(self, kid: str) -> tuple[str, ECKey] | None:
        """The service a key id belongs to, with its key; None when unknown."""
        if self._watch.changed():
            try:
                self._by_kid = _read_service_keys(self._path)
            except (KeysUnusable, OSError):
                if self._watch.refuse():
                    log.error("keys.reload_failed", resource="service_keys")  # noqa: TRY400 - could quote the file
            else:
                self._watch.accept()
                log.info("keys.reloaded", resource="service_keys")
        return self._by_kid.get(kid)


def _read_signing_keys(path: Path) -> tuple[str, dict[str, ECKey]]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        current, entries = document["current"], document["keys"]
        keys = {str(entry["kid"]): _import(entry) for entry in entries}
    except (ValueError, KeyError, TypeError, JoseError):
        raise KeysUnusable("signing keys: not a document of P-256 keys") from None
    if current not in keys or len(keys) != len(entries):
        raise KeysUnusable("signing keys: current must be one of the keys, each with its own kid")
    if not all(key.is_private for key in keys.values()):
        raise KeysUnusable("signing keys: each must have its private part")
    return current, keys


def _read_service_keys(path: Path) -> dict[str, tuple[str, ECKey]]:
    found: dict[str, tuple[str, ECKey]] = {}
    try:
        for service, key_set in json.loads(path.read_text(encoding="utf-8"))["services"].items():
            for entry in key_set["keys"]:
                key = _import(entry)
                if key.is_private or str(entry["kid"]) in found:
                    raise KeysUnusable("service keys: public parts only, each with its own kid")
                found[str(entry["kid"])] = (str(service), key)
    except (ValueError, KeyError, TypeError, AttributeError, JoseError):
        raise KeysUnusable("service keys: not a document of P-256 keys by service") from None
    return found


def _import(entry: Any) -> ECKey:
    key = ECKey.import_key(entry)
    if key.curve_name != _CURVE:
        raise KeysUnusable("keys: the curve must be P-256")
    return key
