"""Within a major version only optional fields may be added: each forbidden change is shown to be refused."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from navette_contracts.catalogue import EVENTS
from navette_contracts.compat import breaks
from navette_contracts.events.base import Event, Moment, Part
from navette_contracts.generate import schemas
from navette_contracts.generate.schemas import forbidden_changes, schema_of
from navette_contracts.parsing import OpenEnum
from navette_contracts.sealed import Sealed
from pydantic import Field, create_model


class Colour(OpenEnum):
    RED = "red"
    BLUE = "blue"
    OTHER = "other"


class FewerColours(OpenEnum):
    RED = "red"
    OTHER = "other"


class MoreColours(OpenEnum):
    RED = "red"
    BLUE = "blue"
    GREEN = "green"
    OTHER = "other"


class Closed(StrEnum):
    YES = "yes"
    NO = "no"


class Inner(Part):
    size: Annotated[int, Field(ge=1, le=10)]


class Masks(Part):
    hidden: bool = False


class MoreMasks(Masks):
    secret: bool = False


FIELDS: dict[str, Any] = {
    "name": (Annotated[str, Field(pattern="^[a-z]+$", min_length=2, max_length=10)], ...),
    "colour": (Colour, ...),
    "answer": (Closed, ...),
    "at": (Moment, ...),
    "inner": (Inner, ...),
    "many": (tuple[Inner, ...], ()),
    "secret": (Sealed[Inner], ...),
    "note": (str | None, None),
    "level": (Literal["N1"], "N1"),
    "masks": (Masks, Masks()),
}


def schema(removed: str | None = None, **changes: Any) -> dict[str, Any]:
    fields = {name: field for name, field in {**FIELDS, **changes}.items() if name != removed}
    model = create_model("Example", __base__=Event, **fields)
    model.type = "example.happened.v1"
    model.key_field = "name"
    return schema_of(model)


def required_inner(**fields: Any) -> Any:
    return create_model("Inner", __base__=Part, **fields)


def sealed(**fields: Any) -> Any:
    return Sealed[required_inner(**fields)]  # type: ignore[misc]  # a model made at run time


SIZE: Any = (Annotated[int, Field(ge=1, le=10)], ...)


def test_no_change_and_an_added_optional_field_are_allowed() -> None:
    assert breaks(schema(), schema()) == []
    assert breaks(schema(), schema(extra=(int | None, None))) == []
    assert breaks(schema(), schema(inner=(required_inner(size=SIZE, extra=(int, 3)), ...))) == []
    assert breaks(schema(), schema(secret=(sealed(size=SIZE, extra=(int, 3)), ...))) == []
    assert breaks(schema(), schema(masks=(MoreMasks, MoreMasks()))) == []


def test_a_value_may_be_added_to_an_open_enumeration() -> None:
    assert breaks(schema(), schema(colour=(MoreColours, ...))) == []


@pytest.mark.parametrize(
    ("new", "path", "rule"),
    [
        pytest.param(schema(removed="name"), "event.name", "removed", id="field removed"),
        pytest.param(schema(removed="note", remark=(str | None, None)), "event.note", "renamed", id="field renamed"),
        pytest.param(schema(extra=(int, ...)), "event.extra", "required field added", id="required added"),
        pytest.param(schema(note=(str | None, ...)), "event.note", "became required", id="optional to required"),
        pytest.param(
            schema(name=(FIELDS["name"][0], "ab")), "event.name", "became optional", id="required to optional"
        ),
        pytest.param(schema(name=(int, ...)), "event.name", "type changed", id="type changed"),
        pytest.param(schema(at=(str, ...)), "event.at", "format changed", id="format changed"),
        pytest.param(
            schema(colour=(FewerColours, ...)), "event.colour", "value removed", id="enumeration value removed"
        ),
        pytest.param(
            schema(answer=(Literal["yes", "no", "maybe"], ...)),
            "event.answer",
            "closed enumeration",
            id="value added to a closed enumeration",
        ),
        pytest.param(
            schema(answer=(str, ...)), "event.answer", "enumeration added or removed", id="enumeration dropped"
        ),
        pytest.param(
            schema(name=(Annotated[str, Field(pattern="^[a-z]+$", min_length=3, max_length=10)], ...)),
            "event.name",
            "tightened (minLength)",
            id="minimum tightened",
        ),
        pytest.param(
            schema(name=(Annotated[str, Field(pattern="^[a-z]+$", min_length=2, max_length=9)], ...)),
            "event.name",
            "tightened (maxLength)",
            id="maximum tightened",
        ),
        pytest.param(
            schema(name=(Annotated[str, Field(pattern="^[a-z]+$", min_length=2)], ...)),
            "event.name",
            "loosened (maxLength)",
            id="maximum dropped: older consumers would refuse",
        ),
        pytest.param(
            schema(note=(Annotated[str, Field(max_length=5)] | None, None)),
            "event.note",
            "tightened (maxLength)",
            id="constraint added",
        ),
        pytest.param(
            schema(name=(Annotated[str, Field(pattern="^[a-c]+$", min_length=2, max_length=10)], ...)),
            "event.name",
            "pattern changed",
            id="pattern changed",
        ),
        pytest.param(schema(level=(Literal["N1"], "N1"), note=(str, "")), "event.note", "null", id="null forbidden"),
        pytest.param(schema(name=(str | None, ...)), "event.name", "null", id="null allowed"),
        pytest.param(schema(level=(Literal["N3"], "N3")), "event.level", "const changed", id="constant changed"),
        pytest.param(schema(masks=(Masks, Masks(hidden=True))), "event.masks", "default changed", id="default part"),
        pytest.param(
            schema(masks=(MoreMasks, MoreMasks(secret=True))), "event.masks", "default changed", id="default part grown"
        ),
        pytest.param(schema(note=(str | None, "x")), "event.note", "default changed", id="default changed"),
        pytest.param(schema(many=(tuple[str, ...], ())), "event.many[]", "type changed", id="type of items changed"),
        pytest.param(
            schema(inner=(required_inner(size=SIZE, extra=(int, ...)), ...)),
            "event.inner.extra",
            "required field added",
            id="required added inside",
        ),
        pytest.param(
            schema(inner=(required_inner(size=(Annotated[int, Field(ge=2, le=10)], ...)), ...)),
            "event.inner.size",
            "tightened (minimum)",
            id="minimum inside tightened",
        ),
        pytest.param(
            schema(secret=(sealed(length=SIZE), ...)),
            "event.secret(sealed).size",
            "renamed",
            id="renamed inside a sealed part",
        ),
        pytest.param(schema(secret=(str, ...)), "event.secret", "x-sealed added or removed", id="no longer sealed"),
        pytest.param(schema(note=(Sealed[str] | None, None)), "event.note", "format changed", id="now sealed"),
    ],
)
def test_a_forbidden_change_is_rejected(new: dict[str, Any], path: str, rule: str) -> None:
    found = breaks(schema(), new)
    assert any(change.path == path and rule in change.rule for change in found), [str(one) for one in found]


def test_another_key_or_topic_is_rejected() -> None:
    moved = {**schema(), "x-event": {"type": "example.happened.v1", "topic": "elsewhere", "key": "name"}}
    assert [str(change) for change in breaks(schema(), moved)] == ["event: x-event changed"]


def test_an_event_that_disappeared_from_the_catalogue_is_rejected(tmp_path: Path) -> None:
    folder = tmp_path / schemas.FOLDER
    folder.mkdir(parents=True)
    (folder / "example.happened.v1.json").write_text("{}")
    assert forbidden_changes(tmp_path) == ["example.happened.v1: event removed"]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_every_event_of_the_catalogue_is_compatible_with_itself(event: type[Event]) -> None:
    assert isinstance(event.type, str)
    assert breaks(schema_of(event), schema_of(event)) == []
