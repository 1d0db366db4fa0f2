"""Bring the accounts file into the database: the file says who may do what, at each start."""

from pathlib import Path
from typing import Annotated, Literal

from navette_chassis import UnitOfWork
from navette_documents.identifiers.rpps import is_valid_rpps
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from navette_psc_auth.adapters.store import ACCOUNTS


class AccountsUnusable(Exception):  # noqa: N818
    """The accounts file cannot be used. Names field and rule, never a value."""


def _rpps(value: str) -> str:
    if not is_valid_rpps(value):
        raise ValueError("rpps: 11 digits with a right key")
    return value


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)


class RoleRow(_Row):
    """One role at one site."""

    site_id: Annotated[str, Field(min_length=1, max_length=64)]
    role: Literal["radiologist", "secretary", "technologist", "operator", "administrator", "identity-supervisor"]


class AccountRow(_Row):
    """One person."""

    rpps: Annotated[str, AfterValidator(_rpps)]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    roles: list[RoleRow]


_ROWS = TypeAdapter(list[AccountRow])


def read_accounts(path: Path) -> list[AccountRow]:
    """Read `[{"rpps", "name", "roles": [{"site_id", "role"}]}]`. Raises AccountsUnusable, OSError."""
    try:
        rows = _ROWS.validate_json(path.read_bytes())
    except ValidationError as error:
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        listed = ", ".join(sorted({f"{'.'.join(map(str, one['loc']))}: {one['type']}" for one in faults})[:10])
        raise AccountsUnusable(f"accounts file: {listed}") from None
    if len({row.rpps for row in rows}) != len(rows):
        raise AccountsUnusable("accounts file: an RPPS occurs twice")
    return rows


async def load_accounts(uow: UnitOfWork, rows: list[AccountRow]) -> None:
    """Give everybody in the file the roles it says; disable those who left it."""
    accounts = uow.collection(ACCOUNTS)
    for row in rows:
        grants = [{"site_id": one.site_id, "role": one.role} for one in row.roles]
        known = {"name": row.name, "grants": grants, "enabled": True}
        await accounts.update_one({"_id": row.rpps}, {"$set": known}, upsert=True)
    present = [row.rpps for row in rows]
    await accounts.update_many({"_id": {"$nin": present}}, {"$set": {"enabled": False}})
