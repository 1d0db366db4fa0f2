"""Key files: rotated by writing them, refused when they cannot be trusted, never a reason to stop working."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from navette_psc_auth.adapters.keys import ServiceKeys, SigningKeys
from navette_psc_auth.domain.errors import KeysUnusable
from navette_psc_auth.domain.internal_token import service_claims
from structlog.testing import capture_logs


def published(keys: SigningKeys) -> KeySet:
    return KeySet([ECKey.import_key(key) for key in keys.public()["keys"]])


def test_rotation_by_file_signs_with_the_new_key_and_still_publishes_the_old(
    own_files: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("navette_chassis.tls.CHECK_INTERVAL", 0.0)
    keys = SigningKeys(own_files.directory / "signing-keys.json")
    old = json.loads((own_files.directory / "signing-keys.json").read_text())["keys"][0]
    new = ECKey.generate_key("P-256", {"kid": "i2"}).as_dict(private=True)
    own_files.write("signing-keys.json", {"current": "i2", "keys": [old, new]})
    token = keys.sign({"sub": "x"})
    assert [key["kid"] for key in keys.public()["keys"]] == ["i1", "i2"]
    assert jwt.decode(token, published(keys), algorithms=["ES256"]).header["kid"] == "i2"


def test_an_unusable_new_key_file_leaves_the_old_keys_in_use(own_files: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("navette_chassis.tls.CHECK_INTERVAL", 0.0)
    keys = SigningKeys(own_files.directory / "signing-keys.json")
    services = ServiceKeys(own_files.directory / "service-keys.json")
    good = {name: (own_files.directory / name).read_text() for name in ("signing-keys.json", "service-keys.json")}
    own_files.write("signing-keys.json", "{half")
    own_files.write("service-keys.json", "{half")
    with capture_logs() as lines:
        for _ in range(3):
            assert jwt.decode(keys.sign({"sub": "x"}), published(keys), algorithms=["ES256"])
            assert services.find("dmp-1") is not None
        for name, content in good.items():
            own_files.write(name, content)
        keys.sign({"sub": "x"})
        services.find("dmp-1")
    for resource in ("signing_keys", "service_keys"):
        told = [line["event"] for line in lines if line["resource"] == resource]
        assert told == ["keys.reload_failed", "keys.reloaded"], "once at each end, however often they are used"


def p256(kid: str, *, private: bool) -> dict[str, Any]:
    return dict(ECKey.generate_key("P-256", {"kid": kid}).as_dict(private=private))


@pytest.mark.parametrize(
    "document",
    [
        "{",
        {},
        {"current": "a", "keys": []},
        {"current": "b", "keys": [p256("a", private=True)]},
        {"current": "a", "keys": [p256("a", private=True), p256("a", private=True)]},
        {"current": "a", "keys": [p256("a", private=False)]},
        {"current": "a", "keys": [ECKey.generate_key("P-384", {"kid": "a"}).as_dict(private=True)]},
    ],
)
def test_signing_keys_that_cannot_be_trusted_stop_the_start(own_files: Any, document: Any) -> None:
    with pytest.raises(KeysUnusable):
        SigningKeys(own_files.write("bad.json", document))


@pytest.mark.parametrize(
    "document",
    [
        "{",
        {},
        {"services": []},
        {"services": {"dmp": {"keys": [p256("a", private=True)]}}},
        {"services": {"dmp": {"keys": [p256("a", private=False)]}, "mss": {"keys": [p256("a", private=False)]}}},
    ],
)
def test_service_keys_that_cannot_be_trusted_stop_the_start(own_files: Any, document: Any) -> None:
    with pytest.raises(KeysUnusable):
        ServiceKeys(own_files.write("bad.json", document))


def test_a_token_never_lives_longer_than_two_minutes() -> None:
    claims = service_claims(service="dmp", audience="report", jti="j", now=datetime.now(UTC))
    assert timedelta(seconds=claims["exp"] - claims["iat"]) <= timedelta(minutes=2)
