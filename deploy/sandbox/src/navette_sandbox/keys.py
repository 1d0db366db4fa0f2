"""The secrets of one sandbox, as the files a real deployment would mount.

=====================  =======================================================================
``keyring.json``       keys of the sealed fields (JWK, A256GCM) and which one is current
``<service>.jwk``      private ES256 key a service proves itself to psc-auth with
``service-keys.json``  the public halves by service name, for psc-auth
``signing-keys.json``  private ES256 keys of the internal tokens, and which one is current
``mongo-uri``          connection string of the database
``dmp-homologation``   homologation number of the software, invented
``insi-idam``          CNDA authorisation number of the software, invented
``annuaire-key``       key of the directory's API, invented
``index-key``          key of the blind index of matricules
=====================  =======================================================================
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from joserfc.jwk import ECKey, OctKey

_INVENTED = {
    "dmp-homologation": "NVT-SANDBOX-0001",
    "insi-idam": "NVT-SANDBOX-0002",
    "annuaire-key": "sandbox-annuaire-key",
}


@dataclass(frozen=True)
class Keys:
    """A directory of secret files, readable by their owner only."""

    directory: Path

    @property
    def keyring(self) -> Path:
        """Keys of the sealed fields."""
        return self.directory / "keyring.json"

    @property
    def service_keys(self) -> Path:
        """Public keys of the services."""
        return self.directory / "service-keys.json"

    @property
    def signing_keys(self) -> Path:
        """Private keys of the internal tokens."""
        return self.directory / "signing-keys.json"

    @property
    def mongo_uri(self) -> Path:
        """Connection string of the database."""
        return self.directory / "mongo-uri"

    def service(self, name: str) -> Path:
        """Private key of a service."""
        return self.directory / f"{name}.jwk"


def write_secret(path: Path, content: str) -> None:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(content, "utf-8")


def create_keys(directory: Path, services: Iterable[str]) -> Keys:
    """Fill `directory` with the secrets that are not there yet."""
    keys = Keys(directory)
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    if not keys.keyring.exists():
        sealing = OctKey.generate_key(256, {"kid": "sandbox-1", "alg": "A256GCM"})
        write_secret(keys.keyring, _ring(dict(sealing.as_dict(private=True))))
    if not keys.signing_keys.exists():
        write_secret(keys.signing_keys, _ring(_signing_key("psc-auth-1")))
    for name, value in _INVENTED.items():
        if not (directory / name).exists():
            write_secret(directory / name, value)
    if not (directory / "index-key").exists():
        write_secret(directory / "index-key", secrets.token_hex(32))
    public = {}
    for name in services:
        if not keys.service(name).exists():
            write_secret(keys.service(name), json.dumps(_signing_key(f"{name}-1")))
        own = ECKey.import_key(json.loads(keys.service(name).read_text("utf-8")))
        public[name] = {"keys": [own.as_dict(private=False)]}
    write_secret(keys.service_keys, json.dumps({"services": public}))
    return keys


def _signing_key(kid: str) -> dict[str, object]:
    key = ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"})
    return dict(key.as_dict(private=True))


def _ring(key: dict[str, object]) -> str:
    return json.dumps({"current": key["kid"], "keys": [key]})
