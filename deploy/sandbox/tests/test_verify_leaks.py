"""The leak detector sees a planted secret through every wrapping, and stays silent where there is none."""

from __future__ import annotations

import base64
import gzip
import io
import json
import urllib.parse
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from navette_sandbox.verify.leaks import Detector

MATRICULE = "2680438185901"
NAME = "Élise D'ARGENT-ESSAI"
DETECTOR = Detector({"matricule": MATRICULE, "name": NAME})


def _zip(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("IHE_XDM/SUBSET01/DOC0001.XML", content)
    return buffer.getvalue()


def _mail(content: bytes) -> bytes:
    return b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(content).replace(b"\n", b"\r\n")


def _jws(content: bytes) -> bytes:
    part = base64.urlsafe_b64encode(content).rstrip(b"=")
    return b"eyJhbGciOiJub25lIn0." + part + b".c2lnbmF0dXJl"


def _pdf(content: bytes) -> bytes:
    import zlib

    stream = zlib.compress(b"BT (" + content + b") Tj ET")
    return b"%PDF-1.4\n1 0 obj<</Length 1/Filter/FlateDecode>>\nstream\n" + stream + b"\nendstream endobj\n"


WRAPPINGS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "base64": base64.b64encode,
    "base64, not aligned": lambda data: base64.b64encode(b"a" + data)[1:],
    "base64 of base64": lambda data: base64.b64encode(base64.b64encode(data)),
    "mail attachment": _mail,
    "zip": _zip,
    "zip in a mail": lambda data: _mail(_zip(data)),
    "gzip": gzip.compress,
    "utf-16": lambda data: data.decode().encode("utf-16"),
    "utf-16 not aligned": lambda data: b"\x01" + data.decode().encode("utf-16-be"),
    "base64 of utf-16": lambda data: base64.b64encode(data.decode().encode("utf-16-le")),
    "percent": lambda data: b"GET /search?q=" + "".join(f"%{byte:02X}" for byte in data).encode(),
    "percent, usual": lambda data: urllib.parse.quote(data).encode(),
    "hexadecimal": lambda data: data.hex().encode(),
    "json escapes": lambda data: "".join(f"\\u{ord(char):04x}" for char in data.decode()).encode(),
    "python escapes": lambda data: "".join(f"\\x{byte:02x}" for byte in data).encode(),
    "xml references": lambda data: "".join(f"&#{ord(char)};" for char in data.decode()).encode(),
    "quoted-printable": lambda data: "".join(f"={byte:02X}" for byte in data).encode(),
    "jws payload": _jws,
    "pdf stream": _pdf,
    "lower case, no spaces": lambda data: data.decode().lower().replace(" ", "").encode(),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_planted_matricule_is_found(wrapping: str) -> None:
    planted = WRAPPINGS[wrapping](f"patient {MATRICULE} vu".encode())
    leaks = DETECTOR.scan_bytes(b"{'level': 'info', 'x': '" + planted + b"'}", "log")
    if wrapping in {"zip", "gzip", "pdf stream"}:  # recognised by their first bytes
        leaks = DETECTOR.scan_bytes(planted, "log")
    assert [leak.name for leak in leaks] == ["matricule"]
    assert MATRICULE not in str(leaks[0])


@pytest.mark.parametrize("wrapping", ["plain", "base64", "utf-16", "percent", "mail attachment", "zip", "jws payload"])
def test_a_planted_name_is_found_with_or_without_accents(wrapping: str) -> None:
    for written in (NAME, "ELISE  D ARGENT ESSAI", "elise_d'argent-essai"):
        leaks = DETECTOR.scan_bytes(WRAPPINGS[wrapping](f"subject {written} !".encode()), "span")
        assert [leak.name for leak in leaks] == ["name"], written


def test_a_matricule_written_in_groups_is_found() -> None:
    assert DETECTOR.scan_text("NIR : 2 68 04 38 185 901 / 19", "page")


def test_what_holds_no_secret_is_silent() -> None:
    noise = json.dumps({"event": "delivery.settled", "id": "0192f0c1-7c1b-7a53", "count": 2680438}).encode()
    for wrap in WRAPPINGS.values():
        assert DETECTOR.scan_bytes(wrap(noise), "log") == []


def test_files_are_scanned_and_named(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "clean.log").write_text("nothing")
    (tmp_path / "logs" / "dirty.log").write_bytes(base64.b64encode(MATRICULE.encode() * 2))
    leaks = DETECTOR.scan_files([tmp_path], tmp_path)
    assert [leak.source for leak in leaks] == ["logs/dirty.log"]
    assert "base64" in leaks[0].wrapping


def test_a_secret_too_short_to_mean_anything_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        Detector({"sex": "F"})
