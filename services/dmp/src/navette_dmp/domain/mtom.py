"""multipart/related with MTOM/XOP: the document travels byte for byte (spec/dmp.md §6.6)."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import HTTP
from urllib.parse import quote, unquote

from lxml import etree

from navette_dmp.domain.names import XOP, q


class MtomError(ValueError):
    """The answer is no readable multipart. `rule` says why; nothing of it is quoted."""

    def __init__(self, rule: str) -> None:
        super().__init__(f"mtom: {rule}")
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Part:
    """One attachment of a request."""

    content_id: str
    content_type: str
    data: bytes

    @property
    def href(self) -> str:
        """What xop:Include/@href says."""
        return "cid:" + quote(self.content_id, safe="@.-_")


ROOT_CONTENT_ID = "root@navette"


def pack(root: bytes, parts: Sequence[Part], *, action: str, boundary: str) -> tuple[str, bytes]:
    """Content-Type and body of a request.

    Raises MtomError when `boundary` occurs in a part: the caller draws another one.
    """
    marker = boundary.encode("ascii")
    if any(marker in data for data in (root, *(part.data for part in parts))):
        raise MtomError("boundary")
    root_part = Part(ROOT_CONTENT_ID, 'application/xop+xml; charset=UTF-8; type="application/soap+xml"', root)
    chunks: list[bytes] = []
    for part in (root_part, *parts):
        head = (
            f"--{boundary}\r\nContent-Type: {part.content_type}\r\n"
            f"Content-Transfer-Encoding: binary\r\nContent-ID: <{part.content_id}>\r\n\r\n"
        )
        chunks += [head.encode("ascii"), part.data, b"\r\n"]
    chunks.append(f"--{boundary}--\r\n".encode("ascii"))
    content_type = (
        f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; start="<{ROOT_CONTENT_ID}>"; '
        f'start-info="application/soap+xml"; action="{action}"'
    )
    return content_type, b"".join(chunks)


def unpack(content_type: str, body: bytes) -> tuple[bytes, Mapping[str, bytes]]:
    """Root part and attachments by Content-ID; a body that is no multipart is its own root.

    Accepts the root anywhere, quoted or bare boundaries, base64 parts. Raises MtomError.
    """
    if not content_type.strip().lower().startswith("multipart/"):
        return body, {}
    header = b"Content-Type: " + content_type.encode("ascii", "replace") + b"\r\n\r\n"
    message = BytesParser(policy=HTTP).parsebytes(header + body)
    if not isinstance(message, EmailMessage) or not message.is_multipart():
        raise MtomError("no parts")
    parts: dict[str, bytes] = {}
    for index, part in enumerate(message.iter_parts()):
        data = part.get_payload(decode=True)
        if not isinstance(data, bytes):
            raise MtomError("nested multipart")
        name = _bare(part.get("Content-ID")) or f"part-{index}"
        parts[name] = data
    start = _bare(message.get_param("start"))
    if start and start not in parts:
        raise MtomError("no root part")
    return (parts[start] if start else next(iter(parts.values()))), parts


def inline(root: etree._Element, parts: Mapping[str, bytes]) -> None:
    """Replace each xop:Include by the base64 text of its part. Raises MtomError when the part is missing."""
    for include in list(root.iter(q(XOP, "Include"))):
        content_id = unquote((include.get("href") or "").removeprefix("cid:"))
        parent = include.getparent()
        if content_id not in parts or parent is None:
            raise MtomError("missing attachment")
        parent.remove(include)
        parent.text = base64.b64encode(parts[content_id]).decode()


def _bare(value: object) -> str:
    return str(value or "").strip().removeprefix("<").removesuffix(">")
