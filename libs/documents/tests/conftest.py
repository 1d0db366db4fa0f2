"""Where the official schemas, value sets and examples are."""

import os
from pathlib import Path

import pytest

_DEFAULT = Path(__file__).resolve().parents[3].parent / "shared" / "conformance"


@pytest.fixture(scope="session")
def conformance() -> Path:
    path = Path(os.environ.get("NAVETTE_CONFORMANCE_DIR", _DEFAULT))
    if not path.is_dir():
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no directory")
    return path


@pytest.fixture(scope="session")
def sample_n1(conformance: Path) -> bytes:
    return (conformance / "cda/samples/sample_n1.xml").read_bytes()
