"""The one error of this library for a value that breaks a rule."""

from __future__ import annotations


class InvalidValue(ValueError):  # noqa: N818 - read as "raise InvalidValue", the value is what is invalid
    """A value breaks a rule of its format.

    The message names the field and the rule, never the value: it may be a matricule or a name, and
    exception texts end in logs.
    """

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule
