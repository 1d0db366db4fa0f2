"""Where the mails of a report stand, and what came back that matches none of them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from navette_chassis.auth import require
from pydantic import BaseModel, ConfigDict

from navette_mss.adapters.mails import MongoMails


class MailStatus(BaseModel):
    """One recipient of one version. No address: a patient's holds the matricule."""

    model_config = ConfigDict(extra="forbid")

    recipient_id: str
    role: str
    version: int
    state: str
    code: str | None
    message_id: str | None
    last_sent_at: datetime | None


class UnmatchedReceipt(BaseModel):
    """Something in our mailbox that matches no mail of ours; read it there by its UID."""

    model_config = ConfigDict(extra="forbid")

    id: str
    kind: str
    status: str | None
    at: datetime


def mails_router(mails: MongoMails) -> APIRouter:
    """Routes under /mails and /receipts."""
    router = APIRouter(tags=["mails"])

    @router.get("/mails/{report_id}", dependencies=[require("operator", "administrator", service=True)])
    async def of_report(report_id: str) -> list[MailStatus]:
        return [
            MailStatus(
                recipient_id=row["recipient_id"],
                role=row["role"],
                version=row["version"],
                state=row["state"],
                code=row.get("code"),
                message_id=row.get("message_id"),
                last_sent_at=row.get("last_sent_at"),
            )
            for row in await mails.of_report(report_id)
        ]

    @router.get("/receipts/unmatched", dependencies=[require("operator", "administrator")])
    async def unmatched(limit: Annotated[int, Query(ge=1, le=500)] = 100) -> list[UnmatchedReceipt]:
        return [
            UnmatchedReceipt(id=row["_id"], kind=row["kind"], status=row["status"], at=row["at"])
            for row in await mails.unmatched(limit)
        ]

    return router
