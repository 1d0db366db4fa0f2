"""The text of an RTF document; its form is lost, so the reader is told and the original is kept."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"\\(?P<word>[a-zA-Z]{1,32})(?P<number>-?\d{1,10})? ?|\\'(?P<hex>[0-9a-fA-F]{2})|\\(?P<sign>[^a-zA-Z])"
    r"|(?P<open>\{)|(?P<close>\})|[\r\n]+|(?P<text>[^\\{}\r\n]+)"
)
_BREAKS = {"par": "\n", "line": "\n", "sect": "\n", "page": "\n", "row": "\n", "cell": " ", "tab": " "}
_SIGNS = {
    "emdash": "—",
    "endash": "–",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
    "bullet": "- ",
}
_NO_TEXT = frozenset(
    {"fonttbl", "colortbl", "stylesheet", "info", "pict", "object", "header", "footer", "listtable", "themedata"}
)
MARK = b"{\\rtf"
_DEEPEST = 1_000
"""Groups within groups: word processors write a few dozen."""


class TooDeep(ValueError):  # noqa: N818 - read as "raise TooDeep"
    """More groups within groups than any document has."""


def text_of_rtf(data: bytes) -> str:
    """The text, one line per paragraph. What the format does not explain is passed over, never an error.

    Raises TooDeep.
    """
    out: list[str] = []
    stack: list[tuple[bool, int]] = []
    silent, unicode_skip, to_skip = False, 1, 0
    for token in _TOKEN.finditer(data.decode("latin-1")):
        kind, piece = token.lastgroup, ""
        if kind == "open":
            if len(stack) == _DEEPEST:
                raise TooDeep
            stack.append((silent, unicode_skip))
        elif kind == "close":
            silent, unicode_skip = stack.pop() if stack else (False, 1)
            to_skip = 0
        elif token["word"]:
            word, number = token["word"], int(token["number"] or 0)
            silent = silent or word in _NO_TEXT
            if word == "uc":
                unicode_skip = max(0, min(number, 8))
            elif word == "u":
                piece, to_skip = _character(number), unicode_skip
            else:
                piece = _BREAKS.get(word, "") or _SIGNS.get(word, "")
        elif kind == "sign":
            silent = silent or token["sign"] == "*"
            piece = {"~": "\u00a0", "_": "-"}.get(token["sign"], token["sign"] if token["sign"] in "\\{}" else "")
        elif kind in ("hex", "text"):
            piece = bytes.fromhex(token["hex"]).decode("cp1252", "replace") if kind == "hex" else token["text"]
            piece, to_skip = piece[to_skip:], max(0, to_skip - len(piece))
        if not silent:
            out.append(piece)
    return "".join(out).strip()


def _character(number: int) -> str:
    code = number % 65_536
    return "" if 0xD800 <= code <= 0xDFFF else chr(code)
