"""The secrets of a sandbox are what the services read, and stay the same over restarts."""

from __future__ import annotations

import json
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey
from navette_contracts.sealed import Keyring, Sealed
from navette_sandbox.keys import create_keys


def test_the_keyring_opens_what_it_seals(tmp_path: Path) -> None:
    keys = create_keys(tmp_path / "secrets", ["dmp"])
    keyring = Keyring.from_file(keys.keyring)
    assert Sealed.seal("texte", keyring).open(keyring, str) == "texte"


def test_psc_auth_can_verify_what_a_service_signs(tmp_path: Path) -> None:
    keys = create_keys(tmp_path / "secrets", ["dmp", "mss"])
    private = ECKey.import_key(json.loads(keys.service("dmp").read_text()))
    services = json.loads(keys.service_keys.read_text())["services"]
    public = {name: ECKey.import_key(one["keys"][0]) for name, one in services.items()}
    token = jwt.encode({"alg": "ES256", "kid": private.kid}, {"iss": "dmp"}, private)
    assert jwt.decode(token, public["dmp"], algorithms=["ES256"]).claims == {"iss": "dmp"}
    assert public["mss"].thumbprint() != public["dmp"].thumbprint()
    assert not any("d" in one["keys"][0] for one in services.values())


def test_secrets_are_private_and_survive_a_restart(tmp_path: Path) -> None:
    create_keys(tmp_path / "secrets", ["dmp"])
    before = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    create_keys(tmp_path / "secrets", ["dmp"])
    assert {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()} == before
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "secrets").iterdir()} == {0o600}
