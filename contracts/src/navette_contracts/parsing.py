"""How a consumer reads: what it does not know it ignores, so that producers may move first."""

from enum import StrEnum
from typing import Any, Final, Self

from pydantic import GetCoreSchemaHandler
from pydantic_core import core_schema

TOLERANT: Final = {"navette_tolerant": True}
"""Validation context under which an unknown value of an open enumeration becomes OTHER."""


class OpenEnum(StrEnum):
    """An enumeration that may grow within a major version; each subclass has a member OTHER = "other".

    A producer can only use the members it knows. A consumer (validation context TOLERANT) reads a value it
    does not know as OTHER.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.with_info_before_validator_function(cls._read, handler(source))

    @classmethod
    def _read(cls, value: Any, info: core_schema.ValidationInfo) -> Any:
        tolerant = isinstance(info.context, dict) and info.context.get("navette_tolerant") is True
        if tolerant and isinstance(value, str) and value not in cls._value2member_map_:
            return cls.other()
        return value

    @classmethod
    def other(cls) -> Self:
        """The member that stands for a value of a later minor version."""
        return cls("other")
