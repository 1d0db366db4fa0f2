"""One imaging act as it was done: codes, place, side, products given, radiation received.

Codes are checked against the tables of `navette_documents`.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from navette_documents.codes import MODALITIES, REGIONS, Code
from navette_documents.identifiers import parse_loinc
from navette_documents.imaging_codes import BODY_SITES, DOSE_QUANTITIES, SITE_OF_REGION
from pydantic import AfterValidator, Field, model_validator

from navette_report.domain.fields import Line, Prose, Strict, StudyUid

IRRADIATING = frozenset({"BMD", "CR", "CT", "DX", "IO", "MG", "NM", "PT", "PX", "RF", "RG", "XA"})
"""Modalities whose dose a report has to state."""


def _modality(value: str) -> str:
    if value not in MODALITIES:
        raise ValueError("unknown_modality")
    return value


def _region(value: str) -> str:
    if value not in REGIONS:
        raise ValueError("unknown_region")
    return value


def _body_site(value: str) -> str:
    if value not in BODY_SITES:
        raise ValueError("unknown_body_site")
    return value


def _dose_quantity(value: str) -> str:
    if value not in DOSE_QUANTITIES:
        raise ValueError("unknown_dose_quantity")
    return value


class Laterality(StrEnum):
    """Side of the body."""

    LEFT = "left"
    RIGHT = "right"
    BILATERAL = "bilateral"


class Route(StrEnum):
    """How a product was given."""

    INTRAVENOUS = "intravenous"
    ORAL = "oral"
    RECTAL = "rectal"
    INTRA_ARTICULAR = "intra_articular"
    INTRATHECAL = "intrathecal"
    INTRA_ARTERIAL = "intra_arterial"


class Pregnancy(StrEnum):
    """What is known of a pregnancy when a patient is irradiated (jdv-statut-grossesse-cisis)."""

    NONE = "none"
    PREGNANT = "pregnant"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"


Amount = Annotated[Decimal, Field(gt=0, max_digits=10, decimal_places=4, allow_inf_nan=False)]
"""A positive quantity; the unit is that of the field or of the table."""


class Product(Strict):
    """A product given for the act: a contrast medium, or a radiopharmaceutical."""

    name: Line
    atc_code: Annotated[str, Field(pattern=r"^[A-Z]\d{2}[A-Z]{2}\d{2}$")] | None = None
    atc_label: Line | None = None
    cip_code: Annotated[str, Field(pattern=r"^\d{13}$")] | None = None
    route: Route = Route.INTRAVENOUS
    lot_number: Line | None = None

    @model_validator(mode="after")
    def _atc_named(self) -> Self:
        if (self.atc_code is None) != (self.atc_label is None):
            raise ValueError("atc_code_and_label_go_together")
        return self


class Contrast(Product):
    """A contrast medium and how much of it, in mL."""

    volume_ml: Amount | None = None


class Radiopharmaceutical(Product):
    """A radiopharmaceutical and its activity, in MBq."""

    activity_mbq: Amount


class DoseMeasure(Strict):
    """One measured quantity, in the unit of its entry in DOSE_QUANTITIES."""

    quantity: Annotated[str, AfterValidator(_dose_quantity)]
    value: Amount


class Exposure(Strict):
    """The radiation the patient received (CRR: dose of an irradiating act)."""

    pregnancy: Pregnancy = Pregnancy.UNKNOWN
    measures: Annotated[tuple[DoseMeasure, ...], Field(max_length=20)] = ()
    radiopharmaceuticals: Annotated[tuple[Radiopharmaceutical, ...], Field(max_length=5)] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.measures and not self.radiopharmaceuticals:
            raise ValueError("measure_or_radiopharmaceutical_required")
        return self


LoincCode = Annotated[str, AfterValidator(parse_loinc)]
"""Code of an act, from jdv-code-document-imagerie-cisis: six thousand codes that are not held here; its key is."""


class Act(Strict):
    """One imaging act that was done."""

    loinc_code: LoincCode
    loinc_label: Line
    ccam_code: Annotated[str, Field(pattern=r"^[A-Z]{4}\d{3}$")] | None = None
    ccam_label: Line | None = None
    modality: Annotated[str, AfterValidator(_modality)]
    region: Annotated[str, AfterValidator(_region)]
    body_site: Annotated[str, AfterValidator(_body_site)] | None = None
    """More precise than the region, from BODY_SITES."""
    laterality: Laterality | None = None
    study_instance_uid: StudyUid | None = None
    """Study of this act when the report covers several; that of the examination otherwise."""
    contrast: Annotated[tuple[Contrast, ...], Field(max_length=5)] = ()
    exposure: Exposure | None = None
    dose_unavailable: bool = False
    """Said explicitly of an irradiating act whose dose nobody can give."""
    complications: Prose = ""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.ccam_code is None) != (self.ccam_label is None):
            raise ValueError("ccam_code_and_label_go_together")
        if self.exposure is not None and self.modality not in IRRADIATING:
            raise ValueError("exposure_of_a_modality_without_radiation")
        if self.dose_unavailable and (self.exposure is not None or self.modality not in IRRADIATING):
            raise ValueError("dose_given_or_not_expected")
        return self

    @property
    def dose_missing(self) -> bool:
        """Whether the patient was irradiated and nothing is said of the dose."""
        return self.modality in IRRADIATING and self.exposure is None and not self.dose_unavailable

    @property
    def site(self) -> Code:
        """Where it was done: as precisely as known, the whole region otherwise."""
        return BODY_SITES[self.body_site] if self.body_site else SITE_OF_REGION[self.region]
