"""A rule of identities is broken; the message names the field and the rule, never the value."""

from __future__ import annotations


class RuleBroken(ValueError):  # noqa: N818 - read as "raise RuleBroken"
    """`field` is a name of the API, `rule` a stable word the API turns into a French sentence."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule


class Forbidden(Exception):  # noqa: N818 - read as "raise Forbidden"
    """The state of the identity does not allow the act; `rule` says why."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule
