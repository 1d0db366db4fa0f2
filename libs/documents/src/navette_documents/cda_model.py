"""What the header of a CDA says, as far as metadata, mails and checks need it.

Everything that names the patient keeps out of `repr`, so that a header in a log or a traceback shows no identity.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from navette_documents.codes import Code
from navette_documents.identifiers.nir import INS_OIDS


@dataclass(frozen=True, slots=True)
class InstanceId:
    """An HL7 instance identifier (II): root OID or UUID, with or without extension."""

    root: str
    extension: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class PatientHeader:
    """recordTarget."""

    ids: tuple[InstanceId, ...]
    birth_name: str
    birth_given_names: str
    """All given names of the birth certificate, in one text."""
    first_birth_given_name: str | None
    used_name: str | None
    used_given_name: str | None
    gender: Literal["M", "F", "UN"]
    birth_date: str
    """yyyymmdd, as written."""
    birth_place_code: str | None
    """COG code of the birth place."""

    @property
    def ins(self) -> InstanceId | None:
        """Identifier under an INS authority (production, test or demonstration), None if there is none."""
        return next((i for i in self.ids if i.root in INS_OIDS and i.extension), None)

    @property
    def local_id(self) -> InstanceId | None:
        """First identifier that is not an INS: the IPP of the facility."""
        return next((i for i in self.ids if i.root not in INS_OIDS and i.extension), None)


@dataclass(frozen=True, slots=True)
class OrganisationHeader:
    """An organisation: Struct_IdNat, name, practice setting."""

    id: InstanceId | None
    name: str | None
    practice_setting: Code | None


@dataclass(frozen=True, slots=True)
class ProfessionalHeader:
    """A professional: PS_IdNat, names, specialty, organisation, function and time of participation."""

    id: InstanceId
    family: str | None
    given: str | None
    specialty: Code | None
    organisation: OrganisationHeader | None
    function: Code | None = None
    time: str | None = None


@dataclass(frozen=True, slots=True)
class ParticipantHeader:
    """participant: typeCode (REF requester, INF informed …) and who."""

    type_code: str
    professional: ProfessionalHeader


@dataclass(frozen=True, slots=True)
class OrderHeader:
    """inFulfillmentOf/order: placer's order number and accession number."""

    order_id: InstanceId | None
    accession: InstanceId | None


@dataclass(frozen=True, slots=True)
class ActHeader:
    """documentationOf/serviceEvent: one imaging act."""

    study_uid: str | None
    code: Code | None
    ccam: Code | None
    modalities: tuple[Code, ...]
    regions: tuple[Code, ...]
    start: str | None
    stop: str | None
    performer: ProfessionalHeader | None


@dataclass(frozen=True, slots=True)
class CdaHeader:
    """Header of an imaging report."""

    id: InstanceId
    set_id: InstanceId | None
    version_number: int | None
    template_ids: tuple[str, ...]
    level: Literal["N1", "N3"]
    code: Code
    title: str
    effective_time: str
    """As written: local time with offset."""
    confidentiality: Code
    language: str
    patient: PatientHeader = field(repr=False)
    authors: tuple[ProfessionalHeader, ...]
    legal_authenticator: ProfessionalHeader
    custodian: OrganisationHeader | None
    participants: tuple[ParticipantHeader, ...]
    recipients: tuple[ProfessionalHeader, ...]
    orders: tuple[OrderHeader, ...]
    acts: tuple[ActHeader, ...]
    replaces: tuple[InstanceId, ...]
    """Identifiers of the documents this one replaces (relatedDocument RPLC)."""
    encounter: Code | None
    facility_type: Code | None
