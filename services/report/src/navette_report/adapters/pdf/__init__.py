"""The report as PDF/A-1b, composed by typst from a template and data."""

from navette_report.adapters.pdf.compiler import CompositionFailed, PdfCompiler

__all__ = ["CompositionFailed", "PdfCompiler"]
