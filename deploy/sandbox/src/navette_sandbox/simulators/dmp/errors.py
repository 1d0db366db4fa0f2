"""The two ways this double says no: SOAP fault and registry error (spec/dmp.md §10)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RegistryError:
    """One `RegistryError`: IHE code, context shown to the caller, and the internal name of the rule."""

    code: str
    context: str
    rule: str


class RegistryRefusalError(Exception):
    """The message is understood and refused; carries every error found."""

    def __init__(self, *errors: RegistryError) -> None:
        super().__init__(", ".join(f"{error.code} ({error.rule})" for error in errors))
        self.errors = errors


class DmpFaultError(Exception):
    """A SOAP fault. ``subcode`` is the local name of the specific subcode."""

    def __init__(self, rule: str, subcode: str, reason: str, *, sender: bool = True) -> None:
        super().__init__(f"{subcode} ({rule})")
        self.rule = rule
        self.subcode = subcode
        self.reason = reason
        self.sender = sender


class Problems:
    """Collects registry errors so that one answer shows them all."""

    def __init__(self) -> None:
        self._errors: list[RegistryError] = []

    def add(self, code: str, context: str, rule: str) -> None:
        """Note one error."""
        self._errors.append(RegistryError(code, context, rule))

    def require(self, condition: bool, context: str, rule: str, code: str = "XDSRegistryMetadataError") -> bool:
        """Note an error unless ``condition`` holds; returns the condition."""
        if not condition:
            self.add(code, context, rule)
        return condition

    def raise_if_any(self) -> None:
        """Raise `RegistryRefusalError` if something was noted."""
        if self._errors:
            raise RegistryRefusalError(*self._errors)
