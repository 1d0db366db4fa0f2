"""Data items of FETCH (RFC 3501 §6.4.5, §7.4.2)."""

from __future__ import annotations

import re

from navette_sandbox.simulators.mss.imap_parser import ImapSyntaxError
from navette_sandbox.simulators.mss.mailboxes import Mail

_SECTION = re.compile(r"(BODY|BODY\.PEEK)\[([^\]]*)\](?:<(\d+)(?:\.(\d+))?>)?", re.IGNORECASE)


def fetch_item(mail: Mail, item: str, *, read_only: bool) -> bytes:
    """One data item of a FETCH answer; reading a body without PEEK marks the mail as seen.

    Raises `ImapSyntaxError` for an item this server does not know.
    """
    key = item.upper()
    if key == "UID":
        return f"UID {mail.uid}".encode()
    if key == "FLAGS":
        return f"FLAGS ({' '.join(sorted(mail.flags))})".encode()
    if key == "INTERNALDATE":
        return f'INTERNALDATE "{mail.received_at.strftime("%d-%b-%Y %H:%M:%S +0000")}"'.encode()
    if key == "RFC822.SIZE":
        return f"RFC822.SIZE {len(mail.raw)}".encode()
    shorthand = {"RFC822": "BODY[]", "RFC822.HEADER": "BODY.PEEK[HEADER]", "RFC822.TEXT": "BODY[TEXT]"}
    match = _SECTION.fullmatch(shorthand.get(key, item))
    if match is None:
        raise ImapSyntaxError("élément FETCH inconnu")
    if match[1].upper() == "BODY" and not read_only:
        mail.flags.add("\\Seen")
    content = _section(mail.raw, match[2])
    label = key if key in shorthand else f"BODY[{match[2]}]"
    if match[3] is not None:
        start = int(match[3])
        content = content[start : start + int(match[4])] if match[4] else content[start:]
        label += f"<{start}>"
    return f"{label} {{{len(content)}}}\r\n".encode() + content


def _section(raw: bytes, section: str) -> bytes:
    head, blank, body = raw.partition(b"\r\n\r\n")
    head += blank
    key = section.upper()
    if key == "":
        return raw
    if key == "HEADER":
        return head
    if key == "TEXT":
        return body
    match = re.fullmatch(r"HEADER\.FIELDS(\.NOT)? \(([^)]*)\)", key)
    if match is None:
        raise ImapSyntaxError("section inconnue")
    wanted = {name.strip('"') for name in match[2].split()}
    lines = re.findall(rb"[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*", head)
    keep = [
        line for line in lines if (line.split(b":", 1)[0].decode("latin-1").upper() in wanted) == (match[1] is None)
    ]
    return b"".join(keep) + b"\r\n"
