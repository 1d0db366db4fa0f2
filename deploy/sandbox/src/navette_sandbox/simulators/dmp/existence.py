"""TD0.2 existence test, thin: HL7 v3 request in, PRPA_IN201308UV02 out (spec/dmp.md §5.1)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from lxml import etree

from navette_sandbox.simulators.dmp import names
from navette_sandbox.simulators.dmp.errors import DmpFaultError
from navette_sandbox.simulators.dmp.names import q
from navette_sandbox.simulators.dmp.vihf import Vihf
from navette_sandbox.simulators.dmp.xml import attribute, parse

_REASONS = {"TEST_EXST", "CNSLT_DATA"}


def _hl7(parent: etree._Element, name: str, **attributes: str) -> etree._Element:
    element = etree.SubElement(parent, q(names.HL7, name))
    for key, value in attributes.items():
        element.set(q(names.XSI, "type") if key == "xsi_type" else key, value)
    return element


def existence_response(body: etree._Element, vihf: Vihf, state: str) -> etree._Element:
    """Answer for the patient asked, who must be the patient of the VIHF. Raises `DmpFaultError`."""
    if body.tag != q(names.HL7, "PRPA_IN201307UV02") or body.get("ITSVersion") != "XML_1.0":
        raise DmpFaultError("existence.message", "InvalidBody", "PRPA_IN201307UV02 attendu")
    asked = body.find(".//h:parameterList/h:patientIdentifier/h:value", {"h": names.HL7})
    wanted = f"{attribute(asked, 'extension')}^^^&{attribute(asked, 'root')}&ISO^NH"
    if wanted != vihf.patient:
        raise DmpFaultError("existence.patient", "DMPInvalidVIHF", "Patient différent du resource-id du VIHF")
    reason = attribute(body.find(".//h:controlActProcess/h:reasonCode", {"h": names.HL7}), "code")
    if reason not in _REASONS:
        raise DmpFaultError("existence.reason", "InvalidBody", "reasonCode inconnu")
    message_id = body.find(q(names.HL7, "id"))
    query_id = body.find(".//h:queryByParameter/h:queryId", {"h": names.HL7})
    # HL7 as default namespace, so that the xsi:type values CV and BL resolve.
    root = parse(f'<PRPA_IN201308UV02 xmlns="{names.HL7}" xmlns:xsi="{names.XSI}"/>'.encode())
    root.set("ITSVersion", "XML_1.0")
    _hl7(root, "id", root=names.DMP_DEVICE, extension=str(uuid.uuid4()))
    _hl7(root, "creationTime", value=datetime.now(UTC).strftime("%Y%m%d%H%M%S"))
    _hl7(root, "interactionId", root="2.16.840.1.113883.1.6", extension="PRPA_IN201308UV02")
    for name, code in (("processingCode", "P"), ("processingModeCode", "T"), ("acceptAckCode", "NE")):
        _hl7(root, name, code=code)
    for name, kind, device in (("receiver", "RCV", attribute(message_id, "root")), ("sender", "SND", names.DMP_DEVICE)):
        holder = _hl7(_hl7(root, name, typeCode=kind), "device", classCode="DEV", determinerCode="INSTANCE")
        _hl7(holder, "id", root=device)
    if state != "none":
        for keyword, list_oid, kind, value in (
            ("AUTORISATION", "1.2.250.1.213.4.1.2.6.1", "CV", "NON_EXISTE"),
            ("STATUT_MT", "1.2.250.1.213.4.1.2.6.3", "BL", "false"),
        ):
            line = _hl7(root, "attentionLine")
            _hl7(line, "keyWordText", code=keyword, codeSystem=list_oid)
            shown = {"code": value, "codeSystem": "1.2.250.1.213.4.1.2.6.2"} if kind == "CV" else {"value": value}
            _hl7(line, "value", xsi_type=kind, **shown)
    acknowledgement = _hl7(root, "acknowledgement", typeCode="AA")
    target = _hl7(acknowledgement, "targetMessage")
    _hl7(target, "id", root=attribute(message_id, "root"), extension=attribute(message_id, "extension"))
    process = _hl7(root, "controlActProcess", classCode="CACT", moodCode="EVN")
    _hl7(process, "reasonCode", code=reason, codeSystem="1.2.250.1.213.1.1.4.11")
    if state != "none":
        event = _hl7(
            _hl7(process, "subject", typeCode="SUBJ", contextConductionInd="false"),
            "registrationEvent",
            classCode="REG",
            moodCode="EVN",
        )
        _hl7(event, "statusCode", code="completed")
        patient = _hl7(_hl7(event, "subject1", typeCode="SBJ"), "patient", classCode="PAT")
        _hl7(patient, "id", root=attribute(asked, "root"), extension=attribute(asked, "extension"))
        _hl7(patient, "statusCode", code="active" if state == "active" else "terminated")
    acknowledged = _hl7(process, "queryAck")
    _hl7(acknowledged, "queryId", root=attribute(query_id, "root"), extension=attribute(query_id, "extension"))
    _hl7(acknowledged, "queryResponseCode", code="NF" if state == "none" else "OK")
    return root
