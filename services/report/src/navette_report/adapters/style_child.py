"""The process in which a foreign style sheet runs: reads it and a document, writes HTML, and can do nothing else.

Standard input: 8 bytes with the length of the style sheet (big endian), the style sheet, the document.
"""

from __future__ import annotations

import resource
import sys

from lxml import etree
from navette_documents.xml import XmlRefused, parse_xml

from navette_report.adapters.sender_style import MAX_RESULT_BYTES, MAX_STYLE_BYTES, REFUSED

_NOTHING = etree.XSLTAccessControl.DENY_ALL  # type: ignore[attr-defined]  # the stubs do not know it
_CPU_SECONDS = 10
_MEMORY_BYTES = 1_500_000_000
_INCLUDES = frozenset({"{http://www.w3.org/1999/XSL/Transform}import", "{http://www.w3.org/1999/XSL/Transform}include"})


def main() -> int:
    """Run once."""
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    # No file can be written, whatever finds a way to open one.
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    given = sys.stdin.buffer.read()
    size = int.from_bytes(given[:8], "big")
    try:
        made = _transformed(given[8 : 8 + size], given[8 + size :])
    except (XmlRefused, etree.XSLTError, etree.XMLSyntaxError):
        return REFUSED
    if len(made) > MAX_RESULT_BYTES:
        return REFUSED
    sys.stdout.buffer.write(made)
    return 0


def _transformed(style: bytes, document: bytes) -> bytes:
    sheet = parse_xml(style, max_bytes=MAX_STYLE_BYTES)
    if any(one.tag in _INCLUDES for one in sheet.iter()):
        raise XmlRefused("include")
    transform = etree.XSLT(sheet, access_control=_NOTHING)
    # As text: the answer says UTF-8 whatever encoding the style sheet asks for.
    return str(transform(parse_xml(document))).encode()


if __name__ == "__main__":
    sys.exit(main())
