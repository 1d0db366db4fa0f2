"""OIDs: check, and children of a site's root for documents, lots and other objects.

uniqueId of XDS and `ClinicalDocument/id` are OIDs of at most 64 characters (spec/dmp.md §6.4).
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from uuid import UUID

from navette_documents.errors import InvalidValue

MAX_OID_LENGTH = 64
_OID = re.compile(r"[0-2](?:\.(?:0|[1-9]\d*))+", re.ASCII)
_MIN_BITS = 96
_MAX_BITS = 128


def is_oid(text: str) -> bool:
    """Whether `text` is an OID: dotted integers without leading zeros, first arc 0 to 2, ≤ 64 characters."""
    if len(text) > MAX_OID_LENGTH or not _OID.fullmatch(text):
        return False
    first, second = text.split(".")[:2]
    return first == "2" or int(second) <= 39


def parse_oid(text: str, *, field: str = "oid") -> str:
    """`text` if it is an OID. Raises InvalidValue naming `field`."""
    if not is_oid(text):
        raise InvalidValue(field, "oid")
    return text


def uuid_to_oid(uuid: UUID) -> str:
    """OID under the arc 2.25, where any UUID has a place (ITU-T X.667)."""
    return f"2.25.{uuid.int}"


class UidFactory:
    """Makes OIDs under one root.

    `deterministic` gives the same OID for the same parts, so that a resend is recognisable; `random` never
    gives one twice. Both use as many bits as 64 characters leave room for, at least 96 and at most 128.
    """

    def __init__(self, root: str, *, random_bits: Callable[[int], int] = secrets.randbits) -> None:
        self.root = parse_oid(root, field="oid_root")
        room = MAX_OID_LENGTH - len(root) - len(".1.")
        # floor(digits / log10(2)) bits always fit in `digits` decimal digits.
        self._bits = min(_MAX_BITS, room * 33219 // 10000 if room > 0 else 0)
        if self._bits < _MIN_BITS:
            raise InvalidValue("oid_root", "too-long")
        self._random_bits = random_bits

    def child(self, *arcs: int) -> str:
        """Root followed by `arcs`, for the fixed branches of a site (patients, orders …)."""
        return parse_oid(".".join([self.root, *(str(arc) for arc in arcs)]))

    def deterministic(self, *parts: str) -> str:
        """OID `root.1.n` where n depends on `parts` only; parts ("a", "bc") and ("ab", "c") differ."""
        digest = hashlib.sha256()
        for part in parts:
            encoded = part.encode()
            digest.update(len(encoded).to_bytes(4, "big") + encoded)
        number = int.from_bytes(digest.digest(), "big") >> (256 - self._bits)
        return f"{self.root}.1.{number}"

    def random(self) -> str:
        """New OID `root.2.n`."""
        return f"{self.root}.2.{self._random_bits(self._bits)}"
