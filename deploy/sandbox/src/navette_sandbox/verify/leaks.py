"""Finds a secret in bytes, whatever wrapped it: base64, quoted-printable, percent and other escapes, UTF-16,
gzip, deflate streams of a PDF, ZIP members, compact JWS parts.

Used by the demo (a matricule must not leave before the identity is qualified) and by the canary test
(identities and report text must not reach logs, spans, metrics or topics).
"""

from __future__ import annotations

import base64
import binascii
import html
import io
import quopri
import re
import unicodedata
import urllib.parse
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pypdf
from pypdf.errors import PyPdfError

_MAX_DEPTH = 5
_ALLOCATED = bytes(4096)
_MAX_UNPACKED = 64 * 1024 * 1024
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_-](?:[A-Za-z0-9+/_-]|\r?\n[ \t]*(?=[A-Za-z0-9+/_-])){14,}={0,2}")
_ESCAPES = re.compile(r"\\u([0-9a-fA-F]{4})")
_HEX_ESCAPES = re.compile(r"\\x([0-9a-fA-F]{2})")
_HEX_RUN = re.compile(rb"(?:[0-9A-Fa-f]{2}){8,}")
_LINE_WRAPS = re.compile(rb"=?\r?\n[ \t]*")
_NOT_ALNUM = re.compile(r"[^0-9a-z]+")


@dataclass(frozen=True)
class Leak:
    """Where a secret was found: the source, and what had to be unwrapped to see it. Never the secret itself."""

    name: str
    source: str
    wrapping: tuple[str, ...]

    def __str__(self) -> str:
        steps = " > ".join(self.wrapping)
        return f"{self.name} in {self.source}{f' ({steps})' if steps else ''}"


def fold(text: str) -> str:
    """Text without accents, case, spaces and punctuation: "Élise D'ARGENT" and "elise_dargent" are equal."""
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(char for char in decomposed if not unicodedata.combining(char))
    return _NOT_ALNUM.sub("", bare.lower())


class Detector:
    """Looks for named secrets. A secret shorter than six letters or figures is refused: it would be noise."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._secrets = {name: fold(value) for name, value in secrets.items()}
        for name, value in self._secrets.items():
            if len(value) < 6:
                raise ValueError(f"{name}: too short to be looked for")

    def scan_bytes(self, data: bytes, source: str) -> list[Leak]:
        """Every secret found in `data`, each once with its outermost wrapping."""
        found: dict[str, Leak] = {}
        # Journals and indexes are allocated ahead, full of zeros.
        used = data.rstrip(b"\x00") if data.endswith(_ALLOCATED) else data
        for wrapping, layer in _layers(used):
            folded = fold(layer)
            for name, value in self._secrets.items():
                if name not in found and value in folded:
                    found[name] = Leak(name, source, wrapping)
        return list(found.values())

    def scan_text(self, text: str, source: str) -> list[Leak]:
        """Like `scan_bytes`, for text."""
        return self.scan_bytes(text.encode("utf-8", "surrogatepass"), source)

    def scan_files(self, paths: Iterable[Path], base: Path | None = None) -> list[Leak]:
        """Scan files, and every file below the directories among `paths`."""
        leaks: list[Leak] = []
        for path in paths:
            for each in sorted(path.rglob("*")) if path.is_dir() else [path]:
                if each.is_file():
                    source = str(each.relative_to(base)) if base else str(each)
                    leaks += self.scan_bytes(each.read_bytes(), source)
        return leaks


def _layers(data: bytes) -> Iterator[tuple[tuple[str, ...], str]]:
    """The text of the data and of everything found inside, outermost first, each content once."""
    seen: set[int] = set()
    queue: list[tuple[tuple[str, ...], bytes, int]] = [((), data, 0)]
    while queue:
        wrapping, content, depth = queue.pop(0)
        if hash(content) in seen:
            continue
        seen.add(hash(content))
        yield wrapping, content.decode("utf-8", "replace")
        for encoding, text in _texts(content):
            yield (*wrapping, encoding), text
        if depth < _MAX_DEPTH:
            queue += [((*wrapping, step), inner, depth + 1) for step, inner in _unwrap(content)]


def _texts(content: bytes) -> Iterator[tuple[str, str]]:
    """Other readings of the same bytes."""
    text = content.decode("utf-8", "replace")
    if b"\x00" in content:
        for encoding in ("utf-16-le", "utf-16-be"):
            for shift in (0, 1):
                yield encoding, content[shift:].decode(encoding, "replace")
    if "%" in text:
        yield "percent", urllib.parse.unquote(text, errors="replace")
    if "&" in text and ";" in text:
        yield "entities", html.unescape(text)
    if "\\u" in text or "\\x" in text:
        once = _ESCAPES.sub(lambda match: chr(int(match[1], 16)), text)
        yield "escapes", _HEX_ESCAPES.sub(lambda match: chr(int(match[1], 16)), once)
    if b"=" in content:
        yield "quoted-printable", quopri.decodestring(content).decode("utf-8", "replace")
    yield "latin-1", content.decode("latin-1")


def _unwrap(content: bytes) -> Iterator[tuple[str, bytes]]:
    """What the bytes contain: archives, compressed data, encoded runs."""
    if content[:4] == b"PK\x03\x04":
        yield from _zip_members(content)
        return
    if content[:5] == b"%PDF-":
        yield from _pdf_parts(content)
        return
    if content[:2] == b"\x1f\x8b":
        yield from _inflated("gzip", content, 31)
    elif content[:1] == b"\x78":
        yield from _inflated("zlib", content, 15)
    for match in _BASE64_RUN.finditer(content):
        yield from (("base64", decoded) for decoded in _from_base64(match[0]))
    for match in _HEX_RUN.finditer(content):
        yield "hexadecimal", binascii.unhexlify(match[0])


def _from_base64(run: bytes) -> Iterator[bytes]:
    """The bytes of a run, whichever alphabet; a run may begin with up to three characters that are not its own."""
    bare = _LINE_WRAPS.sub(b"", run).rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    for shift in range(4):
        part = bare[shift:]
        part = part[: len(part) - 1] if len(part) % 4 == 1 else part
        decoded = base64.b64decode(part + b"=" * (-len(part) % 4))
        if shift == 0 or _plausible(decoded):
            yield decoded


def _plausible(decoded: bytes) -> bool:
    """Whether shifted bytes read as text: the others are noise and only cost time."""
    printable = sum(32 <= byte < 127 or byte in (9, 10, 13) for byte in decoded[:64])
    return printable >= 0.8 * min(len(decoded), 64)


def _zip_members(content: bytes) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                yield f"zip:{member.filename}", archive.open(member).read(_MAX_UNPACKED)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
        yield "broken zip", content[4:]


def _inflated(name: str, content: bytes, window: int) -> Iterator[tuple[str, bytes]]:
    try:
        yield name, zlib.decompressobj(window).decompress(content, _MAX_UNPACKED)
    except zlib.error:
        return


def _pdf_parts(content: bytes) -> Iterator[tuple[str, bytes]]:
    """The text of each page, and every stream: fonts may hide text from one, the order of drawing from the other."""
    for match in re.finditer(rb"stream\r?\n(.*?)endstream", content, re.DOTALL):
        yield from _inflated("pdf stream", match[1], 15)
    try:
        reader = pypdf.PdfReader(io.BytesIO(content))
        for number, page in enumerate(reader.pages, start=1):
            yield f"pdf page {number}", page.extract_text().encode("utf-8", "replace")
        yield "pdf properties", repr(dict(reader.metadata or {})).encode("utf-8", "replace")
    except (PyPdfError, ValueError, KeyError):
        return
