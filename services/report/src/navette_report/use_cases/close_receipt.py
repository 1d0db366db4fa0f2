"""Decide that nothing more comes of a receipt that was refused or could not be attributed."""

from __future__ import annotations

from datetime import timedelta

from navette_chassis import UnitOfWork
from navette_chassis.unit_of_work import Document

from navette_report.adapters.patients import KeyringSource
from navette_report.adapters.pfi_receipts import ReceiptStore
from navette_report.domain.lifecycle import Forbidden


async def close_receipt(
    uow: UnitOfWork, *, receipt_id: str, by: str, why: str, keyring: KeyringSource, kept_for: timedelta
) -> Document:
    """The receipt, closed and on record; it is forgotten after `kept_for`.

    Raises LookupError for one that is not known, Forbidden for one that asks nothing of anybody.
    """
    store = ReceiptStore(uow, keyring)
    closed = await store.close(receipt_id, by=by, at=uow.now, why=why, expires_at=uow.now + kept_for)
    if closed is None:
        if await store.get(receipt_id) is None:
            raise LookupError(receipt_id)
        raise Forbidden("receipt_not_open")
    await uow.record_access(by, "receipts.close", "receipt", receipt_id, None, "granted")
    return closed
