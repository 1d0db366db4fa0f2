"""The keyring is rotated under a running service: a file caught half-written must not stop it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from navette_chassis import Service
from navette_contracts.sealed import KeyringError
from structlog.testing import capture_logs


def keyring(*kids: str) -> str:
    keys = [{"kty": "oct", "kid": kid, "k": base64.urlsafe_b64encode(bytes(32)).decode().rstrip("=")} for kid in kids]
    return json.dumps({"current": kids[-1], "keys": keys})


def replace(path: Path, content: str, moment: int) -> None:
    path.write_text(content, "utf-8")
    os.utime(path, (moment, moment))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keyring.json"


def service_with(path: Path) -> Service:
    return Service(cast("Any", SimpleNamespace(keyring=path)), name="thing")


def test_the_keys_stay_in_use_while_their_file_is_half_written(path: Path) -> None:
    replace(path, keyring("one"), 1)
    service = service_with(path)
    assert service.keyring.current == "one"
    with capture_logs() as lines:
        for moment in (2, 3):
            replace(path, '{"current": "tw', moment)
            assert service.keyring.current == "one"
        path.unlink()
        assert service.keyring.current == "one"
        replace(path, keyring("one", "two"), 4)
        assert service.keyring.current == "two"
        assert service.keyring.current == "two"
    assert [line["event"] for line in lines] == ["keys.reload_failed", "keys.reloaded"], "once at each end"


def test_a_service_does_not_begin_without_keys(path: Path) -> None:
    replace(path, "{", 1)
    with pytest.raises(KeyringError):
        _ = service_with(path).keyring
