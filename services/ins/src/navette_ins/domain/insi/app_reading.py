"""What a reader of the Appli carte Vitale says of the person who showed it (spec/ins.md §2.5, §5.5).

The ministry counts such an identity as qualified: the phone proves who its bearer is, and the INS comes from the
national base, dependants included. The messages of the *apCV* are not public: this form is ours, between the reader
component of a workstation and the service. What makes it more than something typed is the signature of the reader,
which `adapters/app_readings.py` verifies.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from navette_ins.domain.errors import RuleBroken
from navette_ins.domain.insi.reply import Individual, Matricule

APP_READING_LASTS = timedelta(minutes=20)
"""As long as a reading of the card itself."""

_Name = Annotated[str, Field(min_length=1, max_length=300)]
_Number = Annotated[str, Field(pattern=r"^[0-9A-Z]{15}$")]
_Oid = Annotated[str, Field(pattern=r"^[0-9.]{5,30}$")]


class _Read(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(…)"

    __str__ = __repr__


class FormerNumber(_Read):
    """A matricule this person once had."""

    matricule: _Number
    oid: _Oid


class AppReading(_Read):
    """One person shown by the application: the INS of the national base and its traits."""

    reading_id: Annotated[str, Field(min_length=16, max_length=64)]
    """Chosen by the reader, never twice."""
    read_at: AwareDatetime
    matricule: _Number
    oid: _Oid
    birth_name: _Name
    birth_given_names: _Name
    sex: Annotated[str, Field(pattern=r"^[MF]$")]
    birth_date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    birth_place_code: Annotated[str, Field(pattern=r"^(?:(?:\d{2}|2A|2B)\d{3})?$")] = ""
    former: Annotated[tuple[FormerNumber, ...], Field(max_length=10)] = ()

    def individual(self) -> Individual:
        """The person, as INSi would answer."""
        return Individual(
            matricule=self.matricule,
            oid=self.oid,
            birth_name=self.birth_name,
            given_names=" ".join(self.birth_given_names.split()),
            sex=self.sex,
            birth_date=self.birth_date,
            birth_place_code=self.birth_place_code,
            history=tuple(Matricule(one.matricule, one.oid) for one in self.former),
        )

    def fresh(self, *, at: datetime) -> None:
        """Raise RuleBroken for a reading of another moment: the person is here, now."""
        if self.read_at > at + timedelta(minutes=1):
            raise RuleBroken("read_at", "future_reading")
        if at - self.read_at >= APP_READING_LASTS:
            raise RuleBroken("read_at", "old_app_reading")
