"""The letter of a correspondent that the hospital relays from its mail (MDM, volet LPS-MSS): written here by hand.

It shares no code with the service that receives it.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from xml.sax.saxutils import escape

from navette_sandbox import group
from navette_sandbox.scenarios.catalogue import PARIS, Patient

TITLE = "CR de consultation de pneumologie"
FINDINGS = "Toux sèche depuis deux mois ; auscultation normale. Spirométrie : VEMS à 92 % de la théorique."
CORRECTED = "Toux sèche depuis deux mois ; auscultation normale. Spirométrie : VEMS à 82 % de la théorique."
_YES_NO = "expandedYes-NoIndicator"


@dataclass(frozen=True)
class Letter:
    """One version of the letter."""

    number: str
    """MSH-10."""
    unique_id: str
    replaces: str
    version: int
    findings: str
    written_at: datetime

    def cda(self, patient: Patient) -> bytes:
        """The letter as a structured CDA R2."""
        day = self.written_at.astimezone(PARIS).strftime("%Y%m%d%H%M%S%z")
        person = (
            '<id root="1.2.250.1.71.4.2.1" extension="899700002027"/><assignedPerson><name><family>PNEUMO-FICTIVE'
            "</family><given>Claude</given></name></assignedPerson><representedOrganization>"
            '<id root="1.2.250.1.71.4.2.2" extension="1990000044"/><name>CH d’Exemple</name></representedOrganization>'
        )
        former = (
            f'<relatedDocument typeCode="RPLC"><parentDocument><id root="{self.replaces}"/></parentDocument>'
            "</relatedDocument>"
        )
        return f"""<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3"><realmCode code="FR"/>
<typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
<templateId root="2.16.840.1.113883.2.8.2.1"/><templateId root="1.2.250.1.213.1.1.1.1"/>
<id root="{self.unique_id}"/>
<code code="11488-4" displayName="CR ou fiche de consultation" codeSystem="2.16.840.1.113883.6.1"/>
<title>{escape(TITLE)}</title><effectiveTime value="{day}"/>
<confidentialityCode code="N" displayName="Normal" codeSystem="2.16.840.1.113883.5.25"/><languageCode code="fr-FR"/>
<setId root="{group.OID_ROOT}.8.1"/><versionNumber value="{self.version}"/>
<recordTarget><patientRole><id root="{patient.oid}" extension="{patient.matricule}"/><patient><name>
<family qualifier="BR">{escape(patient.birth_name)}</family><given>{escape(patient.given_names)}</given>
<given qualifier="BR">{escape(patient.first_given_name)}</given></name>
<administrativeGenderCode code="{patient.sex}" codeSystem="2.16.840.1.113883.5.1"/>
<birthTime value="{patient.birth_date.replace("-", "")}"/>
<birthplace><place><addr><county>{patient.birth_place_code}</county></addr></place></birthplace>
</patient></patientRole></recordTarget>
<author><time value="{day}"/><assignedAuthor>{person}</assignedAuthor></author>
<legalAuthenticator><time value="{day}"/><signatureCode code="S"/><assignedEntity>{person}</assignedEntity>
</legalAuthenticator>{former if self.replaces else ""}
<component><structuredBody>
<component><section><title>Motif</title><text><paragraph>Toux persistante.</paragraph></text></section></component>
<component><section><title>Constatations</title><text><paragraph>{escape(self.findings)}</paragraph>
<table><tbody><tr><th>SpO₂</th><td>97 %</td></tr></tbody></table></text></section></component>
<component><section><title>Conclusion</title><text><list><item>Radiographie du thorax demandée</item></list></text>
</section></component></structuredBody></component></ClinicalDocument>""".encode()

    def message(self, patient: Patient) -> bytes:
        """MDM^T02, or T10 for a corrected letter (spec/hl7v2.md §4.4)."""
        day = self.written_at.astimezone(PARIS).strftime("%Y%m%d%H%M%S")
        event, order, status = ("T10", "RO", "C") if self.replaces else ("T02", "NW", "F")
        what = "11488-4^CR ou fiche de consultation^LN"
        ins = f"{patient.matricule}^^^ASIP-SANTE-INS-NIR&{patient.oid}&ISO^INS"
        names = f"{patient.birth_name}^{patient.first_given_name}^{patient.given_names}^^^^L"
        place = f"^^^^^^BDL^^{patient.birth_place_code}"
        body = base64.b64encode(self.cda(patient)).decode()
        mail = base64.b64encode(b"Bonjour, ci-joint mon compte rendu.").decode()
        said = ("MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REP_LEGAUX", "MODIF_CONF_CODE")
        header = f"MSH|^~\\&|EAI-EXEMPLE|CH-EXEMPLE|NAVETTE|RIVES|{day}||MDM^{event}^MDM_T02|{self.number}|P|2.6"
        segments = [
            f"{header}|||||FRA|UNICODE UTF-8|||1.1^CISIS_CDA_HL7_LPS",
            f"EVN||{day}",
            f"PID|1||{ins}||{names}||{patient.birth_date.replace('-', '')}|{patient.sex}|||{place}" + "|" * 21 + "VALI",
            "PV1|1|N",
            f"ORC|{order}",
            f"OBR|1|||{what}",
            f"TXA|1|11488-4|TEXT|||||||||{self.unique_id}|{self.replaces}||||AU",
            f"OBX|1|ED|{what}||^text^XML^Base64^{body}||||||{status}",
            "PRT||UC||SB^Send by^participation|||||||||||^^X.400^claude.pneumo@hopital.mssante.example",
            f"OBX|2|ED|{self.number}^XDM/1.0/DDM+{TITLE}||^text^^Base64^{mail}||||||F",
            *(f"OBX|{n}|CWE|{name}^{name}^MetaDMPMSS||N^^{_YES_NO}||||||F" for n, name in enumerate(said, start=3)),
        ]
        return "".join(f"{segment}\r" for segment in segments).encode()
