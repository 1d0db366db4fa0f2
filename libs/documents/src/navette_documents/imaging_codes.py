"""Code tables of the structured body of an imaging report (spec/cda.md §6 and §7).

Subsets of the published value sets, as far as the documents made here use them; a test compares every entry
with the value sets the ANS publishes. Tables are keyed by code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from navette_documents.codes import DCM, LOINC, SNOMED_CT, Code, CodeTable

MED_SYSTEM = "1.2.250.1.213.1.1.4.322"
ICD10 = "2.16.840.1.113883.6.3"
EDQM = "0.4.0.127.0.16.1.1.2.1"
ATC = "2.16.840.1.113883.6.73"
CIP = "1.2.250.1.213.2.3.2"
SOP_SYSTEM = "1.2.840.10008.2.6.1"


def _table(system: str, *entries: tuple[str, str]) -> CodeTable:
    return MappingProxyType({code: Code(code, display, system) for code, display in entries})


BODY_SITES: CodeTable = _table(
    SNOMED_CT,
    ("302548004", "tête entière"),
    ("302549007", "face entière"),
    ("258335003", "encéphale entier"),
    ("363657000", "orbite entière proprement dite"),
    ("181203001", "sinus paranasal entier"),
    ("181812008", "mandibule entière"),
    ("181814009", "articulation temporomandibulaire entière"),
    ("728315009", "denture entière"),
    ("181795004", "os temporal entier"),
    ("1910005", "oreille entière"),
    ("181125003", "hypophyse entière"),
    ("302550007", "cou entier"),
    ("181117000", "glande thyroïde entière"),
    ("181121007", "glande parathyroïde entière"),
    ("181234002", "glande parotide entière"),
    ("181211006", "pharynx entier"),
    ("181212004", "larynx entier"),
    ("362040006", "artère carotide entière"),
    ("302551006", "thorax entier"),
    ("243949006", "cavité thoracique entière"),
    ("181216001", "poumon entier"),
    ("181217005", "médiastin entier"),
    ("181608004", "paroi thoracique entière"),
    ("302523002", "côte entière"),
    ("302522007", "sternum entier"),
    ("181213009", "trachée entière"),
    ("181301002", "aorte thoracique descendante entière"),
    ("181215002", "bronche entière"),
    ("822978001", "cavité abdominopelvienne entière"),
    ("302553009", "abdomen entier"),
    ("229765004", "pelvis entier"),
    ("181268008", "foie entier"),
    ("181269000", "vésicule biliaire entière"),
    ("276157007", "conduit biliaire entier"),
    ("181277001", "pancréas entier"),
    ("181279003", "rate entière"),
    ("181414000", "rein entier"),
    ("302512001", "vessie entière"),
    ("181420004", "voies urinaires inférieures entières"),
    ("731430002", "voies urinaires supérieures entières proprement dites"),
    ("302511008", "uretère entier"),
    ("181422007", "prostate entière"),
    ("181452004", "utérus entier"),
    ("181464007", "ovaire entier"),
    ("302508007", "côlon entier"),
    ("181250005", "intestin grêle entier"),
    ("181245004", "œsophage entier"),
    ("181246003", "estomac entier"),
    ("181254001", "gros intestin entier"),
    ("181255000", "appendice entier"),
    ("181431007", "testicule entier"),
    ("265794003", "scrotum entier"),
    ("243962005", "région inguinale entière"),
    ("822993002", "paroi abdominale entière"),
    ("181127006", "glande suprarénale entière"),
    ("182245002", "membre supérieur entier"),
    ("361103004", "région entière de l'épaule"),
    ("181923006", "humérus entier"),
    ("76248009", "région entière du coude"),
    ("362741001", "avant-bras entier"),
    ("361289009", "région entière du poignet"),
    ("302539009", "main entière"),
    ("302541005", "doigt entier de la main, sauf le pouce"),
    ("302540006", "pouce entier"),
    ("181910004", "clavicule entière"),
    ("302517007", "scapula entière"),
    ("244310007", "artère entière d'un membre supérieur"),
    ("182281004", "membre inférieur entier"),
    ("302543008", "région entière de la hanche"),
    ("302544002", "cuisse entière"),
    ("361291001", "région entière du genou"),
    ("362793004", "partie inférieure entière de la jambe, du genou à la cheville"),
    ("361292008", "région entière de la cheville"),
    ("302545001", "pied entier"),
    ("302547009", "orteil entier"),
    ("731698002", "fémur entier"),
    ("182061009", "tibia entier"),
    ("182199004", "articulation sacro-iliaque entière"),
    ("182099002", "calcanéum entier"),
    ("244324006", "artère entière d'un membre inférieur"),
    ("44300000", "colonne vertébrale entière"),
    ("361684008", "colonne vertébrale cervicale entière"),
    ("243931006", "colonne thoracique entière"),
    ("361686005", "colonne vertébrale lombaire entière"),
    ("180959008", "moelle spinale entière"),
    ("731684005", "sacrum entier"),
    ("731691008", "coccyx entier"),
    ("1145016007", "jonction lombosacrée vertébrale entière"),
    ("181131000", "sein entier"),
    ("181132007", "quadrant mammaire supéro-interne entier"),
    ("181134008", "quadrant mammaire supéroexterne entier"),
    ("181135009", "quadrant mammaire inféro-interne entier"),
    ("181136005", "quadrant mammaire inféroexterne entier"),
    ("362732006", "région axillaire entière"),
    ("302509004", "cœur entier"),
    ("181294004", "artère coronaire entière"),
    ("277699000", "ventricule cardiaque entier"),
    ("244384009", "ventricule cardiaque droit entier"),
    ("244385005", "ventricule cardiaque gauche entier"),
    ("361097006", "vaisseau sanguin entier"),
    ("362877004", "artère entière"),
    ("181367001", "veine entière"),
    ("181298001", "aorte entière"),
    ("302510009", "aorte thoracique entière"),
    ("244231007", "aorte abdominale entière"),
    ("181380003", "artère pulmonaire entière"),
    ("181339005", "artère rénale entière"),
    ("244332003", "artère fémorale entière"),
    ("38266002", "corps entier"),
    ("361378004", "squelette entier"),
    ("39937001", "peau"),
    ("256864008", "nerf entier"),
    ("302536002", "articulation entière"),
)
"""Where an act was done (jdv-localisation-anatomique-cisis)."""

SITE_OF_REGION: Mapping[str, Code] = MappingProxyType(
    {
        region: BODY_SITES[site]
        for region, site in (
            ("774007", "302548004"),
            ("67734004", "302551006"),
            ("63337009", "822978001"),
            ("53120007", "182245002"),
            ("61685007", "182281004"),
            ("737561001", "44300000"),
            ("76752008", "181131000"),
            ("80891009", "302509004"),
            ("113257007", "361097006"),
            ("38266002", "38266002"),
        )
    }
)
"""The site that covers a whole region, for an act whose site nobody gave more precisely."""

CONTRAINDICATIONS: CodeTable = MappingProxyType(
    {
        **_table(
            SNOMED_CT,
            ("77386006", "enceinte"),
            ("1260078007", "Allaitement"),
        ),
        **_table(
            MED_SYSTEM,
            ("MED-1105", "Hypersensibilité au PDC iodé"),
            ("MED-1106", "Hyperthyroidie non traitée"),
            (
                "MED-1107",
                "Antécédents chirurgicaux digestifs récents"
                " contre-indiquant l’usage de produit baryté et nécessitant l’usage d’un produit hydrosoluble",
            ),
            ("MED-1108", "Hypersensibilité au PDC ultrasonore"),
            ("MED-1109", "Patient claustrophobe"),
            ("MED-1110", "Patient porteur de corps étranger ferromagnétique (œil ou autre)"),
            ("MED-1111", "Patient porteur de clips métalliques ou coils intracrâniens"),
            ("MED-1112", "Patient porteur d’un implant cochléaire"),
            ("MED-1113", "Patient porteur d’un neurostimulateur"),
            ("MED-1114", "Patient porteur d’une sonde de dérivation du LCS"),
            ("MED-1115", "Patient porteur d’un capteur implanté"),
            ("MED-1116", "Patient porteur d’une pompe implantée"),
            ("MED-1117", "Patient porteur de Pacemaker"),
            ("MED-1118", "Patient porteur d’une valve cardiaque mécanique"),
            ("MED-1119", "Patient porteur d’un matériel d'orthodontie"),
            ("MED-1120", "Patient porteur d’un stent ou un filtre cave"),
            ("MED-1122", "Hypersensibilité au produit de contraste gadoliné"),
            ("GEN-092.01.20", "Autre contre-indication connue"),
        ),
        **_table(
            ICD10,
            ("N18.9", "Maladie rénale chronique, sans précision"),
            ("I50.9", "Insuffisance cardiaque, sans précision"),
        ),
    }
)
"""What forbids or limits an act or a product (jdv-contre-indication-cisis). The value set has no "none"."""


@dataclass(frozen=True, slots=True)
class DoseQuantity:
    """A quantity of radiation and its unit.

    `coded` is False when the unit is valid UCUM but unknown to the terminology rules of the ANS, which then
    refuse the document (spec/cda.md §8): such a value is written in the narrative only.
    """

    code: Code
    unit: str
    coded: bool


DOSE_QUANTITIES: Mapping[str, DoseQuantity] = MappingProxyType(
    {
        code: DoseQuantity(Code(code, display, DCM), unit, coded)
        for code, display, unit, coded in (
            ("113813", "PDL Total : Produit Dose Longueur Total", "mGy.cm", True),
            ("113830", "IDSV Moyen : Indice de Dose Scanographique Volumique", "mGy", True),
            ("113722", "PDS Total : Produit Dose Surface Total", "Gy.cm²", False),
            ("113726", "PDS de Scopie Total : Produit Dose Surface de Scopie Total", "Gy.cm²", False),
            ("113727", "PDS de Graphie Total : Produit Dose Surface de Graphie Total", "Gy.cm²", False),
            ("113730", "Temps total de scopie", "s", True),
            ("113731", "Nombre total d’images radiographiques", "", False),
            ("111636", "Dose dans l'air à l'entrée du patient (Kerma dans l'air)", "mGy", True),
            ("111637", "DGM total : Dose Glandulaire Moyenne Total", "mGy", True),
            ("113839", "E : Dose efficace", "mSv", False),
        )
    }
)
"""jdv-quantite-exposition-rayonnements-cisis; the activity of a radiopharmaceutical belongs to its administration."""

PREGNANCY: CodeTable = _table(
    SNOMED_CT,
    ("60001007", "absence de grossesse"),
    ("77386006", "enceinte"),
    ("261665006", "inconnu"),
)
"""jdv-statut-grossesse-cisis."""

UNILATERAL = Code("66459002", "unilatéral", SNOMED_CT)
BILATERAL = Code("51440002", "bilatéral", SNOMED_CT)
"""jdv-lateralite-technique-imagerie-cisis."""
LATERALITY_QUALIFIER = Code("106233006", "modificateur topographique", SNOMED_CT)

INTRAVENOUS = Code("20045000", "Voie intraveineuse", EDQM)
"""The route of administration whose EDQM standard term the specification names."""

SCREENING = Code("Z13.9", "Examen spécial de dépistage, sans précision", ICD10)
RADIOPHARMACEUTICAL = Code("440252007", "administration de produits radiopharmaceutiques", SNOMED_CT)
PREGNANCY_STATUS = Code("364320009", "statut de grossesse", SNOMED_CT)
COMMENT = Code("48767-8", "Commentaire", LOINC)

_SECONDARY_CAPTURE = Code("1.2.840.10008.5.1.4.1.1.7", "Secondary Capture Image Storage", SOP_SYSTEM)
_SOP_CLASSES = {
    modality: Code(uid, display, SOP_SYSTEM)
    for modality, uid, display in (
        ("CT", "1.2.840.10008.5.1.4.1.1.2", "CT Image Storage"),
        ("MR", "1.2.840.10008.5.1.4.1.1.4", "MR Image Storage"),
        ("US", "1.2.840.10008.5.1.4.1.1.6.1", "Ultrasound Image Storage"),
        ("CR", "1.2.840.10008.5.1.4.1.1.1", "Computed Radiography Image Storage"),
        ("DX", "1.2.840.10008.5.1.4.1.1.1.1", "Digital X-Ray Image Storage - For Presentation"),
        ("RG", "1.2.840.10008.5.1.4.1.1.1.1", "Digital X-Ray Image Storage - For Presentation"),
        ("BMD", "1.2.840.10008.5.1.4.1.1.1.1", "Digital X-Ray Image Storage - For Presentation"),
        ("MG", "1.2.840.10008.5.1.4.1.1.1.2", "Digital Mammography X-Ray Image Storage- For Presentation"),
        ("IO", "1.2.840.10008.5.1.4.1.1.1.3", "Digital Intra-Oral X-Ray Image Storage - For Presentation"),
        ("XA", "1.2.840.10008.5.1.4.1.1.12.1", "X-Ray Angiographic Image Storage"),
        ("RF", "1.2.840.10008.5.1.4.1.1.12.2", "X-Ray Radiofluoroscopic Image Storage"),
        ("NM", "1.2.840.10008.5.1.4.1.1.20", "Nuclear Medicine Image Storage"),
    )
}


def sop_class_of(modality: str) -> Code:
    """SOP class of the objects a modality makes (jdv-sop-class-cisis); secondary capture for the others."""
    return _SOP_CLASSES.get(modality, _SECONDARY_CAPTURE)
