"""Settings of the output to platforms (PFI, DRIMbox): which channel carries what, and where receipts come in."""

from __future__ import annotations

from typing import Self

from navette_chassis import ServiceSettings
from navette_chassis.settings import ExistingFile, is_loopback
from navette_documents.sites import load_sites
from pydantic import Field, model_validator

from navette_report.domain.pfi.distribution import Distribution, load_distribution


class PfiSettings(ServiceSettings):
    """`NAVETTE_PFI_*` variables. Durations are seconds, sizes bytes."""

    pfi_file: ExistingFile | None = None
    """JSON `{"platforms": [...], "sites": [...]}` (`domain/pfi/distribution.py`), read at start."""
    pfi_port: int | None = Field(default=None, ge=0, le=65535)
    """Port of the MLLP listener for business receipts; None: no listener."""
    pfi_host: str = "127.0.0.1"
    pfi_cert: ExistingFile | None = None
    pfi_key: ExistingFile | None = None
    pfi_ca: ExistingFile | None = None
    """Authorities of the platforms' certificates: with it, one without a certificate is not heard."""
    pfi_retry_first_seconds: float = Field(default=60.0, gt=0)
    pfi_probe_seconds: float = Field(default=5.0, gt=0, le=60)
    """Time before the first probe of a platform that does not answer."""
    pfi_keep_days: int = Field(default=90, ge=1)
    """How long a receipt that asks nothing of anybody is kept."""

    @model_validator(mode="after")
    def _pfi_links(self) -> Self:
        if (self.pfi_cert is None) != (self.pfi_key is None):
            raise ValueError("pfi_cert and pfi_key go together")
        if self.pfi_ca is not None and self.pfi_cert is None:
            raise ValueError("pfi_ca asks platforms for certificates: it needs pfi_cert and pfi_key")
        asking = next((one.name for one in self.distribution().platforms if one.asks_receipts), None)
        if asking is not None and self.pfi_port is None:
            raise ValueError(f"pfi_port is required: {asking} is asked for receipts, which come by that port")
        bound = next((one.name for one in self.distribution().platforms if one.certificates), None)
        if bound is not None and self.pfi_ca is None:
            raise ValueError(f"pfi_ca is required: {bound} is known by its certificate, which nobody is asked for")
        return self

    def distribution(self) -> Distribution:
        """The file. Raises ValueError with the field and the rule for one that cannot be used."""
        if self.pfi_file is None:
            return Distribution()
        sites = () if self.sites_file is None else load_sites(self.sites_file.read_bytes())
        try:
            read = load_distribution(self.pfi_file.read_bytes(), frozenset(sites))
        except ValueError as invalid:
            raise ValueError(f"pfi_file: {invalid}") from None
        # A missing file would look like a platform that is down, for days.
        for one in read.platforms:
            for field in ("ca", "cert", "key"):
                path = getattr(one, field)
                if path is not None and not path.is_file():
                    raise ValueError(f"pfi_file: {one.name}: {field} is not a file")
        return read

    def production_problems(self) -> list[str]:
        """What would be unsafe in production."""
        problems = super().production_problems()
        if self.pfi_port is not None and not is_loopback(self.pfi_host) and None in (self.pfi_cert, self.pfi_ca):
            problems.append("pfi_cert, pfi_key and pfi_ca are required in production unless pfi_host is loopback")
        problems += [
            f"pfi_file: {one.name} needs ca, cert and key in production unless its host is loopback"
            for one in self.distribution().platforms
            if one.cert is None and not is_loopback(one.host)
        ]
        return problems
