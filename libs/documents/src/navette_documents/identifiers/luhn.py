"""The key of Luhn, modulo 10: what RPPS numbers and LOINC codes end with."""

from __future__ import annotations


def passes_luhn(digits: str) -> bool:
    """Whether the last digit is the key of those before it."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if position % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
