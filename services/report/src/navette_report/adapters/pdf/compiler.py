"""typst, with fonts and template from packages only, so that every machine makes the same document."""

from __future__ import annotations

import json
import threading
from datetime import timedelta, timezone
from importlib.resources import files
from typing import Literal

import typst

from navette_report.adapters.pdf.view import pdf_view
from navette_report.domain.document import DocumentModel

_TEMPLATE = files("navette_report.adapters.pdf") / "templates" / "report.typ"
_FONTS = files("font_source_sans_pro") / "files"


class CompositionFailed(Exception):  # noqa: N818 - read as "raise CompositionFailed"
    """typst did not compile the document. The message names no content."""


class PdfCompiler:
    """Makes PDF/A-1b documents; safe to share between threads, each has a compiler of its own.

    `notice` is the information of patients printed at the foot of each page (RIS.DOC.06). The files are tagged, so
    that a screen reader can read them; they declare themselves 1b, which is what receivers expect, and hold to 1a.
    """

    def __init__(self, *, notice: str, standard: Literal["a-1b", "a-1a"] = "a-1b") -> None:
        self._notice = notice
        self._standard = standard
        self._source = _TEMPLATE.read_bytes()
        self._fonts = typst.Fonts(include_system_fonts=False, font_paths=[str(_FONTS)])
        self._local = threading.local()

    def compose(self, document: DocumentModel) -> bytes:
        """PDF/A-1b of one edition; the same document gives the same bytes.

        Raises CompositionFailed, InvalidValue for an identity that may not have a datamatrix.
        """
        data = json.dumps(pdf_view(document, self._notice), ensure_ascii=False)
        # typst takes whole seconds.
        moment = document.composed_at.astimezone(document.zone).replace(microsecond=0)
        fixed = timezone(moment.utcoffset() or timedelta())
        try:
            # The source is given at each call: the compiler forgets it after the first.
            pdf = self._compiler().compile(
                self._source,
                format="pdf",
                sys_inputs={"data": data},
                pdf_standards=[self._standard],
                pdf_tags=True,
                timestamp=moment.astimezone(fixed),
            )
        except typst.TypstError:
            # `from None`: the diagnostic quotes the data around the error.
            raise CompositionFailed("typst") from None
        if not isinstance(pdf, bytes):
            raise CompositionFailed("no_output")
        return pdf

    def _compiler(self) -> typst.Compiler:
        compiler: typst.Compiler | None = getattr(self._local, "compiler", None)
        if compiler is None:
            compiler = typst.Compiler(font_paths=self._fonts, ignore_system_fonts=True)
            self._local.compiler = compiler
        return compiler
