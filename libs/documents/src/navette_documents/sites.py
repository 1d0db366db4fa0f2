"""The sites of the group: who they are in documents, metadata and mails.

`sites_file` of the services is a JSON array of these objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter

from navette_documents.codes import FACILITY_TYPES, PRACTICE_SETTINGS, RADIOLOGY_SPECIALTIES
from navette_documents.errors import InvalidValue
from navette_documents.identifiers.finess import parse_finess, struct_idnat
from navette_documents.identifiers.oid import UidFactory, parse_oid


def _known_facility(code: str) -> str:
    if code not in FACILITY_TYPES:
        raise InvalidValue("facility_type", "not in JDV_J02 (imaging subset)")
    return code


def _radiology(code: str) -> str:
    if code not in RADIOLOGY_SPECIALTIES:
        raise InvalidValue("radiologist_specialty", "not a specialty of radiology in JDV_J01")
    return code


def _known_practice(code: str) -> str:
    if code not in PRACTICE_SETTINGS:
        raise InvalidValue("practice_setting", "not in JDV_J04")
    return code


Finess = Annotated[str, AfterValidator(parse_finess)]
Oid = Annotated[str, AfterValidator(parse_oid)]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Mailbox = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]


class Address(BaseModel):
    """Postal address of a site."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    street: Text
    postal_code: Annotated[str, StringConstraints(pattern=r"^\d{5}$")]
    city: Text


class Site(BaseModel):
    """One place of the group where images are made and reports are signed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    site_id: Text
    name: Text
    finess: Finess
    """Geographic FINESS (9 characters)."""
    finess_legal: Finess | None = None
    """FINESS of the legal entity; the certificates of the DMP are issued to it."""
    legal_name: Text
    oid_root: Oid
    """Everything this site identifies gets an OID under this one."""
    address: Address
    phone: Text
    sector: Annotated[str, AfterValidator(_known_facility)]
    """Secteur_Activite of the VIHF, "SA08" style."""
    facility_type: Annotated[str, AfterValidator(_known_facility)]
    """healthcareFacilityTypeCode (JDV_J02)."""
    practice_setting: Annotated[str, AfterValidator(_known_practice)]
    """practiceSettingCode (JDV_J04)."""
    mss_mailbox: Mailbox
    mss_display_name: Text
    reply_to: Mailbox | None = None
    patient_notice: Text | None = None
    """Sentence added to the mails sent to patients."""
    ipp_oid: Oid
    """Assigning authority of the local patient identifier (IPP)."""
    letterhead_color: Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")] = "#1f4e79"
    lines: tuple[Text, ...] = ()
    """Further lines of the letterhead, top to bottom."""

    identity_domain: Text | None = None
    """Sites with the same value share the identities of their patients; those of one legal entity do by default."""

    paper_traits: frozenset[Literal["given_names", "used_name", "birth_place", "local_id"]] = frozenset(
        ("given_names", "used_name", "birth_place", "local_id")
    )
    """Traits printed on reports beside the compulsory ones (RIS.INS.53): all birth given names, name in use, place of
    birth, local number."""
    cda_level: Literal["N1", "N3"] = "N1"
    """Level of the CDA documents: the PDF alone (N1), or the structured body IMG-CR-IMG with the PDF attached (N3)."""
    dose_at_signature: Literal["warn", "refuse"] = "warn"
    """What happens when an irradiating act states no dose at validation, nor that it is not available."""
    radiologist_specialty: Annotated[str, AfterValidator(_radiology)] = "G15_10/SM44"
    """What documents call a radiologist (JDV_J01) whose sign-on names no specialty of radiology, and which one of
    several counts."""
    image_link: Annotated[str, StringConstraints(pattern=r"^https://\S*\{study_instance_uid\}\S*$")] | None = None
    """Address where the images of a study are shown (IHE Invoke Image Display), with `{study_instance_uid}` in
    place of the study; None when the site offers none."""

    def image_url(self, study_instance_uid: str) -> str | None:
        """Where the images of this study are shown, None when the site offers no link."""
        if self.image_link is None:
            return None
        return self.image_link.replace("{study_instance_uid}", study_instance_uid)

    @property
    def struct_idnat(self) -> str:
        """Struct_IdNat of the geographic entity."""
        return struct_idnat(self.finess)

    @property
    def legal_struct_idnat(self) -> str:
        """Struct_IdNat of the legal entity, of the geographic one where they are the same."""
        return struct_idnat(self.finess_legal or self.finess)

    @property
    def shares_identities_as(self) -> str:
        """The identity domain (domaine d'identification) of the site: as configured, else its legal entity."""
        return self.identity_domain or self.legal_struct_idnat

    @property
    def uids(self) -> UidFactory:
        """Factory of OIDs under the root of the site."""
        return UidFactory(self.oid_root)


_SITES = TypeAdapter(Annotated[tuple[Site, ...], Field(min_length=1)])


def load_sites(data: bytes) -> Mapping[str, Site]:
    """Sites by id, from a JSON array.

    Raises pydantic.ValidationError for a malformed file, InvalidValue (field "site_id") for an id given twice.
    """
    sites: dict[str, Site] = {}
    for site in _SITES.validate_json(data):
        if site.site_id in sites:
            raise InvalidValue("site_id", "given twice")
        sites[site.site_id] = site
    return MappingProxyType(sites)


def share_identities(sites: Mapping[str, Site], one: str, other: str) -> bool:
    """Whether a patient identified at a site may be used at another: the same site, or the same identity domain.

    An identity of another domain is qualified again where it is used (RIS.INS.38), so it is never taken as it is.
    A site that is not configured shares with itself alone.
    """
    if one == other:
        return True
    first, second = sites.get(one), sites.get(other)
    return first is not None and second is not None and first.shares_identities_as == second.shares_identities_as
