"""A datamatrix as an image: ECC 200 with its quiet zone and the caption of the specification (spec/ins.md §8.3)."""

from __future__ import annotations

import struct
import zlib
from xml.sax.saxutils import escape

from ppf.datamatrix import DataMatrix

CAPTION = "INS à scanner"
QUIET = 2
"""Modules of quiet zone on each side; the specification asks for one at least."""

_CAPTION_MODULES = 5


def svg(payload: str) -> bytes:
    """A scalable image with the caption under the code; one user unit is one module."""
    rows = _modules(payload)
    size = len(rows)
    path = "".join(f"M{x} {y}h{width}v1h-{width}z" for y, row in enumerate(rows) for x, width in _runs(row))
    height = size + _CAPTION_MODULES
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {height}" role="img" '
        f'shape-rendering="crispEdges"><title>{escape(CAPTION)}</title>'
        f'<rect width="{size}" height="{height}" fill="#fff"/><path d="{path}" fill="#000"/>'
        f'<text x="{size / 2:g}" y="{size + 3:g}" font-family="sans-serif" font-size="4" '
        f'text-anchor="middle">{escape(CAPTION)}</text></svg>'
    ).encode()


def png(payload: str, *, module_pixels: int = 6) -> bytes:
    """A bitmap of one bit per pixel, without caption: the page that shows it writes the caption."""
    rows = [[bit for bit in row for _ in range(module_pixels)] for row in _modules(payload)]
    size = len(rows[0])
    lines = [b"\x00" + _packed(row) for row in rows for _ in range(module_pixels)]
    header = struct.pack(">IIBBBBB", size, size, 1, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"".join(lines), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _modules(payload: str) -> list[list[int]]:
    """Rows of modules, 1 is dark, quiet zone included."""
    matrix = DataMatrix(payload).matrix
    width = len(matrix[0]) + 2 * QUIET
    empty = [[0] * width for _ in range(QUIET)]
    return [*empty, *([0] * QUIET + [int(one) for one in row] + [0] * QUIET for row in matrix), *empty]


def _runs(row: list[int]) -> list[tuple[int, int]]:
    """Where dark modules begin, and how many follow each other."""
    runs: list[tuple[int, int]] = []
    for x, dark in enumerate(row):
        if dark and runs and sum(runs[-1]) == x:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        elif dark:
            runs.append((x, 1))
    return runs


def _packed(row: list[int]) -> bytes:
    """Eight pixels a byte; in a PNG of one bit, 0 is black."""
    bits = "".join("0" if dark else "1" for dark in row)
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
