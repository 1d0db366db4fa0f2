"""CDA R2 of an imaging report, levels N1 and N3 (spec/cda.md)."""

from navette_report.domain.cda.document import build_cda

__all__ = ["build_cda"]
