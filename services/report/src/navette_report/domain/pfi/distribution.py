"""Which channel carries what, per site: Navette itself, or a platform that is handed the report (spec/hl7v2.md §1).

A party (DMP, professionals, patient) of a site has exactly one carrier, so that nobody is sent a report twice. A
*copy* carries nothing: the platform files the report (a DRIMbox also publishes its KOS).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from navette_contracts.events import Audience
from navette_documents.identifiers import parse_finess, parse_oid
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from navette_report.domain.audience import PARTIES

NAVETTE = "navette"
"""The carrier that is Navette itself: its services dmp and mss."""

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=180, pattern=r"^[^\x00-\x1f\x7f]+$")
]
MailBody = Annotated[str, Field(min_length=1, max_length=4000)]


class DistributionInvalid(ValueError):  # noqa: N818 - the distribution is what is invalid
    """The file contradicts itself; the message names the entry, the field and the rule, no other value."""


class Platform(BaseModel):
    """One receiving application, over MLLP. Times in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    name: Name
    label: Text
    """How journeys call it."""
    kind: Literal["pfi", "drimbox"]
    host: Text
    port: Annotated[int, Field(ge=1, le=65535)]
    ca: Path | None = None
    """Authorities of its certificate. Without one the connection is plain."""
    cert: Path | None = None
    key: Path | None = None
    answer_seconds: Annotated[float, Field(gt=0, le=600)] = 60.0

    application: Text
    """MSH-5; MSH-3 of its receipts."""
    facility: Text
    """MSH-6, first component."""
    facility_finess: Annotated[str, AfterValidator(parse_finess)] | None = None
    facility_oid: Annotated[str, AfterValidator(parse_oid)] | None = None
    """Universal identifier of MSH-6: a FINESS of the legal entity or an OID."""
    sending_application: Text = "NAVETTE"
    sending_facility: Text

    family: Literal["MDM", "ORU"] = "MDM"
    version: Literal["2.1", "2.0"] = "2.1"
    """Version of the volet "Transmission de document(s) CDA-R2 en HL7v2"."""
    matrix: Literal["strict", "warn"] = "warn"
    """What to do with a combination of indicators outside the published matrix of MSSanté (§5.6)."""
    charset: Literal["UNICODE UTF-8", "8859/15"] = "UNICODE UTF-8"
    professional_id: Literal["IDNPS", "RPPS"] = "IDNPS"
    patient_class: Literal["N", "O"] = "N"
    """PV1-2. O asks for a visit number: the accession number is given."""
    ack_reception: bool | None = None
    """Whether Z01 and Z02 are asked for. By default a PFI is asked, a DRIMbox never: it has none."""
    ack_reading: bool = False
    certificates: tuple[Text, ...] = ()
    """Names its receipts must come under: subject CN or subjectAltName (DNS) of the client certificate. Empty: any
    certificate that the listener accepts."""
    patient_domain: Annotated[str, Field(pattern=r"^[a-z0-9.-]{3,190}$")] = "patient.mssante.fr"
    patient_may_answer: bool = False
    professional_text: MailBody | None = None
    patient_text: MailBody | None = None
    """Bodies of the mails the platform sends; None: its own."""

    @field_validator("version", mode="before")
    @classmethod
    def _writable(cls, version: object) -> object:
        if version == "1.2":
            # Its one public example is a first sending: no sender, no recipient, no replacement, no deletion.
            raise DistributionInvalid(
                "1.2 cannot be written: its messages name neither sender nor recipients, and how they replace "
                "or delete is not published; ask for 2.0 or 2.1"
            )
        return version

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if (self.cert is None) != (self.key is None):
            raise DistributionInvalid("cert and key go together")
        if self.cert is not None and self.ca is None:
            raise DistributionInvalid("ca: a client certificate needs the authorities of the server")
        if self.facility_finess is not None and self.facility_oid is not None:
            raise DistributionInvalid("facility_oid: MSH-6 has one universal identifier, facility_finess is given too")
        if self.kind == "drimbox" and (self.ack_reception or self.ack_reading):
            raise DistributionInvalid("ack_reception, ack_reading: a DRIMbox sends no receipts")
        if self.kind == "drimbox" and self.certificates:
            raise DistributionInvalid("certificates: a DRIMbox sends no receipts")
        return self

    @property
    def asks_reception(self) -> bool:
        """Whether receipts of deposit and delivery are asked for."""
        return self.kind == "pfi" if self.ack_reception is None else self.ack_reception

    @property
    def asks_receipts(self) -> bool:
        """Whether it will send receipts at all."""
        return self.asks_reception or self.ack_reading

    def admits(self, presented: Collection[str]) -> bool:
        """Whether receipts in its name may come from a peer whose certificate has these names."""
        wanted = {name.lower() for name in self.certificates}
        return not wanted or any(name.lower() in wanted for name in presented)

    @property
    def channel(self) -> str:
        """Delivery channel and endpoint."""
        return f"platform-{self.name}"


Carrier = Literal["navette"] | Name


class SiteRoutes(BaseModel):
    """Who carries each party of the reports of one site, and who is given a copy."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    site_id: Text
    dmp: Carrier = NAVETTE
    professionals: Carrier = NAVETTE
    patient: Carrier = NAVETTE
    copies: tuple[Name, ...] = ()

    def carrier(self, party: Audience) -> str | None:
        """Name of the platform that carries a party, None when Navette does."""
        named: str = {
            Audience.DMP: self.dmp,
            Audience.PROFESSIONALS: self.professionals,
            Audience.PATIENT: self.patient,
        }[party]
        return None if named == NAVETTE else named


class Distribution(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    platforms: tuple[Platform, ...] = ()
    sites: tuple[SiteRoutes, ...] = ()

    def platform(self, name: str) -> Platform | None:
        """The platform of that name."""
        return next((one for one in self.platforms if one.name == name), None)

    def routes(self, site_id: str) -> SiteRoutes:
        """The routes of a site; a site nobody named sends everything itself."""
        return next((one for one in self.sites if one.site_id == site_id), SiteRoutes(site_id=site_id))


def load_distribution(data: bytes, sites: Collection[str]) -> Distribution:
    """The file `{"platforms": [...], "sites": [...]}`. Raises DistributionInvalid: what is wrong, in one sentence."""
    try:
        read = Distribution.model_validate_json(data)
        json.loads(data, object_pairs_hook=_once)
    except ValidationError as invalid:
        first = invalid.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise DistributionInvalid(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None
    _refuse_platforms(read)
    seen: set[str] = set()
    for number, routes in enumerate(read.sites):
        where = f"sites.{number}"
        if routes.site_id not in sites:
            raise DistributionInvalid(f"{where}.site_id: not in the file of sites")
        if routes.site_id in seen:
            raise DistributionInvalid(f"{where}.site_id: given twice")
        seen.add(routes.site_id)
        _refuse_routes(read, routes, where)
    return read


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """JSON lets the last of two equal names win, so that a site would quietly change its carrier."""
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DistributionInvalid(f"{twice}: written twice in one object")
    return dict(pairs)


def _refuse_platforms(read: Distribution) -> None:
    names: set[str] = set()
    senders: set[tuple[str, str]] = set()
    for number, one in enumerate(read.platforms):
        where = f"platforms.{number} ({one.name})"
        if one.name == NAVETTE:
            raise DistributionInvalid(f"{where}.name: reserved")
        if one.name in names:
            raise DistributionInvalid(f"{where}.name: given twice")
        if (one.application, one.facility) in senders:
            raise DistributionInvalid(f"{where}.application: same application and facility as another platform")
        names.add(one.name)
        senders.add((one.application, one.facility))


def _refuse_routes(read: Distribution, routes: SiteRoutes, where: str) -> None:
    carriers: Mapping[str, str | None] = {party.value: routes.carrier(party) for party in PARTIES}
    for field, name in (*carriers.items(), *(("copies", name) for name in routes.copies)):
        platform = None if name is None else read.platform(name)
        if name is not None and platform is None:
            raise DistributionInvalid(f"{where}.{field}: no platform has this name")
        if platform is not None and platform.kind == "drimbox" and field != "copies":
            raise DistributionInvalid(f"{where}.{field}: a DRIMbox distributes nothing, it belongs to copies")
    if len(set(routes.copies)) != len(routes.copies):
        raise DistributionInvalid(f"{where}.copies: a platform is named twice")
    if set(routes.copies) & set(carriers.values()):
        raise DistributionInvalid(f"{where}.copies: a platform that carries a party already has the report")
    for field in ("professionals", "patient"):
        platform = read.platform(carriers[field] or "")
        if platform is not None and platform.matrix == "strict" and routes.professionals != routes.patient:
            raise DistributionInvalid(
                f"{where}.{field}: a platform with a strict matrix carries professionals and patient together"
            )
