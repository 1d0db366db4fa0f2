"""IMAP command lines into tokens: atoms, quoted strings, literals, parenthesised lists (RFC 3501 §4, §9)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

Token = str | list["Token"]
_LITERAL = re.compile(rb"\{(\d+)(\+?)\}\r\n$")
_ATOM = re.compile(r'[^\s()"\[]+(?:\[[^\]]*\](?:<[\d.]+>)?)?')


class ImapSyntaxError(ValueError):
    """The command line is not understood."""


async def read_command(reader: asyncio.StreamReader, go_on: Callable[[], None]) -> str | None:
    """One whole command; literals are put in place as quoted strings; ``None`` at end of file."""
    text = ""
    while True:
        line = await reader.readline()
        if not line:
            return None
        match = _LITERAL.search(line)
        if match is None:
            return (text + line.decode("utf-8", "surrogateescape")).rstrip("\r\n")
        if not match[2]:
            go_on()
        content = await reader.readexactly(int(match[1]))
        quoted = content.decode("utf-8", "surrogateescape").replace("\\", "\\\\").replace('"', '\\"')
        text += line[: match.start()].decode("utf-8", "surrogateescape") + f'"{quoted}"'


def tokens(text: str) -> list[Token]:
    """Split the arguments of a command. Raises `ImapSyntaxError`."""
    stack: list[list[Token]] = [[]]
    position = 0
    while position < len(text):
        char = text[position]
        if char == " ":
            position += 1
        elif char == "(":
            stack.append([])
            position += 1
        elif char == ")":
            if len(stack) == 1:
                raise ImapSyntaxError("parenthesis")
            closed = stack.pop()
            stack[-1].append(closed)
            position += 1
        elif char == '"':
            match = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL).match(text, position)
            if match is None:
                raise ImapSyntaxError("quote")
            stack[-1].append(re.sub(r"\\(.)", r"\1", match[1], flags=re.DOTALL))
            position = match.end()
        else:
            match = _ATOM.match(text, position)
            if match is None:
                raise ImapSyntaxError("atom")
            stack[-1].append(match[0])
            position = match.end()
    if len(stack) != 1:
        raise ImapSyntaxError("parenthesis")
    return stack[0]


def number_set(text: str, highest: int) -> Callable[[int], bool]:
    """A test for ``1:3,5,*``; ``highest`` is what ``*`` stands for. Raises `ImapSyntaxError`."""
    ranges: list[tuple[int, int]] = []
    for part in text.split(","):
        bounds = [highest if item == "*" else int(item) if item.isdigit() else -1 for item in part.split(":")]
        if len(bounds) > 2 or -1 in bounds:
            raise ImapSyntaxError("set")
        ranges.append((min(bounds), max(bounds)))
    return lambda number: any(low <= number <= high for low, high in ranges)
