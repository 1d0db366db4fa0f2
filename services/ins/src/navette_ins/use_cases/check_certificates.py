"""The self-test of the INSi certificates: what they say, what INSi answers to a call with each (spec/ins.md §13)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from navette_chassis import Service, UnitOfWork

from navette_ins.adapters.certificates import CertificateFacts, certificate_facts
from navette_ins.adapters.insi_clients import InsiClients
from navette_ins.adapters.insi_soap import Exchange, InsiSoap, Requester
from navette_ins.domain.insi.plan import Query
from navette_ins.use_cases.run_insi_search import code_of

TEST_PERSON = Query("NAVETTE-ESSAI", "ESSAI", "F", "1900-01-01")
"""Nobody: a call that works is answered 01."""


@dataclass(frozen=True, slots=True)
class CertificateReport:
    """One certificate and its test call; `code` is CodeCR, a fault or why nobody answered."""

    use: str
    facts: CertificateFacts | None
    code: str
    message_id: str | None

    @property
    def works(self) -> bool:
        """Whether INSi took the call."""
        return self.code in ("00", "01", "02")


async def check_certificates(
    service: Service, clients: InsiClients, files: dict[str, Path], *, by: str, rpps: str | None
) -> list[CertificateReport]:
    """Read each certificate and make one call with it; each call is on record."""
    reports = []
    for use, caller in (("manual", clients.manual), ("unattended", clients.unattended)):
        if caller is not None:
            reports.append(await _report(service, use, caller, files.get(use), by=by, rpps=rpps))
    return reports


async def _report(
    service: Service, use: str, caller: InsiSoap, file: Path | None, *, by: str, rpps: str | None
) -> CertificateReport:
    async def trace(exchange: Exchange) -> None:
        await service.transact(_record, by, exchange.message_id)

    exchange = await caller.search(TEST_PERSON, Requester(rpps), trace)
    return CertificateReport(use, _facts(file), code_of(exchange), exchange.message_id)


def _facts(file: Path | None) -> CertificateFacts | None:
    if file is None:
        return None
    try:
        return certificate_facts(file)
    except (OSError, ValueError):
        return None


async def _record(uow: UnitOfWork, by: str, message_id: str) -> None:
    await uow.record_access(by, "insi.self-test", "insi-call", message_id, None, "granted")
