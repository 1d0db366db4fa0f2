"""multipart/related in and out, byte for byte (spec/dmp.md §6.6). Own splitter: no email package."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from dataclasses import dataclass

from navette_sandbox.simulators.dmp.errors import DmpFaultError

_PARAMETER = re.compile(r';\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))')


@dataclass(frozen=True, slots=True)
class Part:
    """One body part: lower-case header names, decoded content."""

    headers: dict[str, str]
    content: bytes

    @property
    def content_id(self) -> str:
        """Content-ID without angle brackets."""
        return self.headers.get("content-id", "").strip().removeprefix("<").removesuffix(">")


def _bad(detail: str) -> DmpFaultError:
    return DmpFaultError("mime.structure", "InvalidMime", f"Message multipart illisible : {detail}")


def parse_content_type(value: str) -> tuple[str, dict[str, str]]:
    """Media type in lower case and its parameters."""
    media_type = value.split(";", 1)[0].strip().lower()
    parameters = {
        match[1].lower(): re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
        for match in _PARAMETER.finditer(value)
    }
    return media_type, parameters


def split(content_type: str, body: bytes) -> tuple[Part, list[Part]]:
    """Root part and the other parts of an XOP package. Raises `DmpFaultError` on a malformed one."""
    media_type, parameters = parse_content_type(content_type)
    if media_type != "multipart/related" or not parameters.get("boundary"):
        raise _bad("multipart/related et boundary attendus")
    if parameters.get("type", "").lower() != "application/xop+xml":
        raise _bad('type="application/xop+xml" attendu')
    if parameters.get("start-info", "").lower() != "application/soap+xml":
        raise _bad('start-info="application/soap+xml" attendu')
    delimiter = b"--" + parameters["boundary"].encode("latin-1")
    pieces = (b"\r\n" + body).split(b"\r\n" + delimiter)
    if len(pieces) < 3 or not pieces[-1].startswith(b"--"):
        raise _bad("délimiteur final absent")
    parts = [_part(piece) for piece in pieces[1:-1]]
    start = parameters.get("start", "").strip().removeprefix("<").removesuffix(">")
    root = next((part for part in parts if start and part.content_id == start), None)
    if root is None:
        if start:
            raise _bad("la partie désignée par start est absente")
        root = parts[0]
    return root, [part for part in parts if part is not root]


def _part(piece: bytes) -> Part:
    # What follows the delimiter on its line is padding; then headers, a blank line, the content.
    _, newline, rest = piece.partition(b"\r\n")
    head, blank, content = rest.partition(b"\r\n\r\n")
    if not newline or not blank:
        raise _bad("partie sans en-tête")
    headers: dict[str, str] = {}
    for line in head.decode("latin-1").split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon:
            raise _bad("en-tête de partie sans deux-points")
        headers[name.strip().lower()] = value.strip()
    encoding = headers.get("content-transfer-encoding", "binary").lower()
    if encoding == "base64":
        try:
            content = base64.b64decode(content, validate=False)
        except binascii.Error as error:
            raise _bad("base64 invalide") from error
    elif encoding not in {"binary", "8bit", "7bit"}:
        raise _bad("Content-Transfer-Encoding inconnu")
    return Part(headers, content)


def join(root: bytes, attachments: list[tuple[str, bytes]], action: str) -> tuple[str, bytes]:
    """Content-Type and body of an XOP package; attachments are (Content-ID, bytes) of text/xml."""
    boundary = f"uuid:{secrets.token_hex(16)}"
    root_id = "root.message@dmp.simulateur"
    root_type = 'application/xop+xml; charset=UTF-8; type="application/soap+xml"'
    out = bytearray()
    for content_type, content_id, content in [
        (root_type, root_id, root),
        *(("text/xml", content_id, content) for content_id, content in attachments),
    ]:
        head = (
            f"--{boundary}\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: binary\r\n"
            f"Content-ID: <{content_id}>\r\n\r\n"
        )
        out += head.encode() + content + b"\r\n"
    out += f"--{boundary}--\r\n".encode()
    header = (
        f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; start="<{root_id}>"; '
        f'start-info="application/soap+xml"; action="{action}"'
    )
    return header, bytes(out)
