"""The structured body of an imaging report, IMG-CR-IMG 2024.01 (spec/cda.md §5 and §6)."""

from navette_report.domain.cda.body.structured import add_structured_body

__all__ = ["add_structured_body"]
