"""A report as a person reads it: the text of the PDF, and its claim to be archivable."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass

import pypdf
from pypdf.errors import PyPdfError


@dataclass(frozen=True)
class Pdf:
    """The facts of one PDF."""

    pages: int
    text: str
    conformance: str
    """Part and level of PDF/A that the metadata claim, `1B` for instance; empty when none."""


def read_pdf(data: bytes) -> Pdf:
    """Read a PDF. Raises ValueError when it cannot be opened."""
    try:
        reader = pypdf.PdfReader(io.BytesIO(data), strict=True)
        text = "\n".join(page.extract_text() for page in reader.pages)
        packet = str(reader.xmp_metadata.stream.get_data(), "utf-8", "replace") if reader.xmp_metadata else ""
    except (PyPdfError, KeyError, AttributeError) as error:
        raise ValueError("the PDF cannot be read") from error
    claims = [re.search(rf"pdfaid:{name}(?:>|=[\"'])\s*(\w)", packet) for name in ("part", "conformance")]
    return Pdf(len(reader.pages), text, "".join(match[1] for match in claims if match).upper())
