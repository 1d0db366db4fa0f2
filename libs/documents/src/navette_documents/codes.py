"""Code tables of an imaging report, as far as the documents and metadata made here use them.

Values of spec/cda.md §4 and §7 and spec/dmp.md §6.5; a test compares every entry with the value sets the ANS
publishes. Tables are keyed by code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

LOINC = "2.16.840.1.113883.6.1"
SNOMED_CT = "2.16.840.1.113883.6.96"
DCM = "1.2.840.10008.2.16.4"
CCAM = "1.2.250.1.215.300.1"
CONFIDENTIALITY_SYSTEM = "2.16.840.1.113883.5.25"
MASK_SYSTEM = "1.2.250.1.213.1.1.4.13"
SPECIALTY_SYSTEM = "1.2.250.1.213.1.1.4.5"
FACILITY_TYPE_SYSTEM = "1.2.250.1.71.4.2.4"
PRACTICE_SETTING_SYSTEM = "1.2.250.1.213.1.1.4.9"
ENCOUNTER_SYSTEM = "2.16.840.1.113883.5.4"
ENCOUNTER_FR_SYSTEM = "1.2.250.1.213.1.1.4.2.291"
GENDER_SYSTEM = "2.16.840.1.113883.5.1"
FUNCTION_SYSTEM = "2.16.840.1.113883.5.88"
CLASS_SYSTEM = "1.2.250.1.213.1.1.4.1"
FORMAT_SYSTEM = "1.3.6.1.4.1.19376.1.2.3"
CONTENT_TYPE_SYSTEM = "1.2.250.1.213.2.2"
PROFESSION_SYSTEM = "1.2.250.1.71.1.2.7"
RPPS_SPECIALTY_SYSTEM = "1.2.250.1.71.4.2.5"

SYSTEM_NAMES: Mapping[str, str] = MappingProxyType({LOINC: "LOINC", SNOMED_CT: "SNOMED CT", DCM: "DCM", CCAM: "CCAM"})


@dataclass(frozen=True, slots=True)
class Code:
    """A coded value: code, label shown to people, OID of the code system."""

    code: str
    display: str
    system: str

    @property
    def system_name(self) -> str | None:
        """Usual name of the code system, None when it has none."""
        return SYSTEM_NAMES.get(self.system)


CodeTable = Mapping[str, Code]


def _table(system: str, *entries: tuple[str, str]) -> CodeTable:
    return MappingProxyType({code: Code(code, display, system) for code, display in entries})


IMAGING_REPORT = Code("18748-4", "CR d'imagerie médicale", LOINC)
"""typeCode of every report (JDV_J07)."""

CONFIDENTIALITY: CodeTable = _table(
    CONFIDENTIALITY_SYSTEM, ("N", "Normal"), ("R", "Restreint"), ("V", "Très restreint")
)
"""confidentialityCode of the CDA header, and first code of the metadata (JDV_J08)."""

HIDDEN_FROM_PROFESSIONALS = Code("MASQUE_PS", "Masqué aux professionnels de santé", MASK_SYSTEM)
HIDDEN_FROM_PATIENT = Code("INVISIBLE_PATIENT", "Non visible par le patient", MASK_SYSTEM)
HIDDEN_FROM_REPRESENTATIVES = Code(
    "INVISIBLE_REPRESENTANTS_LEGAUX", "Non visible par les représentants légaux du patient", MASK_SYSTEM
)
MASKS: CodeTable = MappingProxyType(
    {mask.code: mask for mask in (HIDDEN_FROM_PROFESSIONALS, HIDDEN_FROM_PATIENT, HIDDEN_FROM_REPRESENTATIVES)}
)
"""Masking codes: metadata only, never in the CDA (JDV_J08)."""

SPECIALTIES: CodeTable = _table(
    SPECIALTY_SYSTEM,
    ("G15_10/C69", "Médecin - Médecine nucléaire (C)"),
    ("G15_10/SM26", "Médecin - Qualifié en Médecine Générale (SM)"),
    ("G15_10/SM28", "Médecin - Médecine nucléaire (SM)"),
    ("G15_10/SM44", "Médecin - Radio-diagnostic (SM)"),
    ("G15_10/SM53", "Médecin - Spécialiste en Médecine Générale (SM)"),
    ("G15_10/SM54", "Médecin - Médecine Générale (SM)"),
    ("G15_10/SM55", "Médecin - Radio-diagnostic et Radio-Thérapie (SM)"),
    ("G15_10/SM74", "Médecin - Radiologie et imagerie médicale (SM)"),
    (
        "G15_10/SM94",
        "Médecin - Radiologie imagerie médicale option radiologie interventionnelle avancée (SM)",
    ),
    ("G15_98", "Manipulateur ERM"),
)
"""Specialties of radiologists, radiographers and general practitioners (JDV_J01)."""
RADIOLOGY_SPECIALTIES: CodeTable = MappingProxyType(
    {f"G15_10/{skill}": SPECIALTIES[f"G15_10/{skill}"] for skill in ("SM44", "SM74", "SM94", "SM55", "SM28", "C69")}
)
"""Those of the doctors who sign imaging reports: radiology and nuclear medicine (spec/cda.md §4.3)."""

DOCTOR = Code("10", "Médecin", PROFESSION_SYSTEM)
"""Profession of TRE_G15, first role of a doctor in a VIHF."""
RADIOLOGIST = Code("SM44", "Radio-diagnostic (SM)", RPPS_SPECIALTY_SYSTEM)
"""Specialty of TRE_R01, second role of a radiologist in a VIHF."""

FACILITY_TYPES: CodeTable = _table(
    FACILITY_TYPE_SYSTEM,
    ("SA01", "Etablissement public de santé"),
    ("SA02", "Hôpital militaire du Service de santé des armées"),
    ("SA03", "Etablissement privé PSPH"),
    ("SA04", "Etablissement privé non PSPH"),
    ("SA05", "Centre de santé"),
    ("SA06", "Autre structure du Service de santé des armées"),
    ("SA07", "Cabinet individuel"),
    ("SA08", "Cabinet de groupe"),
    ("SA09", "Exercice en société"),
    ("SA12", "Etablissement de soins et prévention"),
    ("SA30", "Autre établissement sanitaire"),
    ("SA36", "Centre anti-cancer"),
    ("SA51", "Structure de coopération avec autorisation de soins"),
    ("SA52", "Maison de santé ou Pôle de santé"),
)
"""Kinds of places where imaging is done (JDV_J02; the same codes serve as Secteur_Activite)."""

PRACTICE_SETTINGS: CodeTable = _table(
    PRACTICE_SETTING_SYSTEM,
    ("AMBULATOIRE", "Ambulatoire"),
    ("AMO", "Organisme d'assurance maladie obligatoire"),
    ("DEPISTAGE", "Dépistage"),
    ("ESSMS", "Etablissement ou Service Social ou Médico-Social"),
    ("ETABLISSEMENT", "Etablissement de santé"),
    ("HAD", "Hospitalisation à domicile"),
    ("MAD", "Maintien à domicile"),
    ("PALLIATIF", "Soins palliatifs"),
    ("SAD", "Soins à domicile"),
    ("SAMU_SMUR", "SAMU/SMUR"),
)
"""practiceSettingCode (JDV_J04)."""

MODALITIES: CodeTable = _table(
    DCM,
    ("BMD", "Ostéodensitométrie"),
    ("CR", "Radiographie assistée par ordinateur"),
    ("CT", "Tomodensitométrie"),
    ("DX", "Radiographie numérique"),
    ("IO", "Radiographie intrabuccale"),
    ("MG", "Mammographie"),
    ("MR", "Résonance magnétique"),
    ("NM", "Médecine nucléaire"),
    ("OP", "Photographique ophtalmique"),
    ("PT", "TEP : Tomographie par émission de positons"),
    ("PX", "Panaromique X-Ray"),
    ("RF", "Radio-fluoroscopie"),
    ("RG", "Imagerie radiographique"),
    ("US", "Échographie"),
    ("XA", "Angiographie X-Ray"),
)
"""Acquisition modalities (jdv-modalite-acquisition-cisis)."""
MODALITY_QUALIFIER = Code("121139", "Modalité", DCM)

REGIONS: CodeTable = _table(
    SNOMED_CT,
    ("774007", "tête et cou"),
    ("67734004", "segment thoracique du tronc"),
    ("63337009", "segment abdominopelvien du tronc"),
    ("53120007", "membre supérieur"),
    ("61685007", "membre inférieur"),
    ("737561001", "colonne vertébrale et/ou moelle épinière"),
    ("76752008", "sein"),
    ("80891009", "cœur"),
    ("113257007", "système cardiovasculaire"),
    ("38266002", "corps entier"),
)
"""Anatomical regions (jdv-region-anatomique-cisis)."""
REGION_QUALIFIER = Code("39111-0", "Localisation anatomique", LOINC)

ENCOUNTERS: CodeTable = MappingProxyType(
    {
        **_table(
            ENCOUNTER_SYSTEM,
            ("AMB", "Ambulatoire (hors établissement)"),
            ("IMP", "Hospitalisation (établissement, y compris HAD)"),
            ("EMER", "Passage aux urgences (établissement)"),
        ),
        **_table(ENCOUNTER_FR_SYSTEM, ("EXTERNE", "Acte et consultation externe (établissement)")),
    }
)
"""Kinds of encounter (JDV_J142)."""

GENDERS: CodeTable = _table(GENDER_SYSTEM, ("F", "Féminin"), ("M", "Masculin"), ("UN", "Inconnu"))
"""administrativeGenderCode (JDV_J143)."""

TREATING_PHYSICIAN = Code("PCP", "Médecin traitant", FUNCTION_SYSTEM)

CLASS_REPORT = Code("10", "Compte rendu", CLASS_SYSTEM)
CLASS_IMAGING = Code("31", "Imagerie médicale", CLASS_SYSTEM)
"""The guides disagree on the class of 18748-4: spec/dmp.md §6.5 and mss.md §3.3 say 10, cda.md §10 says 31."""

FORMAT_N1_PDF = Code("urn:ihe:iti:xds-sd:pdf:2008", "Document à corps non structuré en Pdf/A-1", FORMAT_SYSTEM)
FORMAT_N3_IMAGING = Code(
    "urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013",
    "Imaging Report with Structured Headings",
    FORMAT_SYSTEM,
)

CONTENT_TYPE_CONSULTATION = Code("07", "Consultation", CONTENT_TYPE_SYSTEM)
"""contentTypeCode of a lot about an outpatient (JDV_J59)."""
