"""The PFI double takes what the volet allows, refuses each thing it forbids, and misbehaves when told to."""

from __future__ import annotations

import asyncio
import base64
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from navette_chassis.testing import until
from navette_sandbox.pki import Pki
from navette_sandbox.simulators.common import SimulatorConfig
from navette_sandbox.simulators.pfi.content import on_matrix
from navette_sandbox.simulators.pfi.server import PfiSimulator
from navette_sandbox.simulators.pfi.settings import PfiSettings

INS = "279035121518989"
OID = "1.2.250.1.213.1.4.10"
SET_ID = "1.2.250.1.999.7.400"
DOCTOR = "camille.referent@medecin-test.mssante.example"
PATIENT = f"{INS}@patient.mssante.fr"
TYPE = "18748-4^CR d'imagerie médicale^LN"

MASKS = {
    "MASQUE_PS": "N",
    "INVISIBLE_PATIENT": "N",
    "INVISIBLE_REP_LEGAUX": "N",
    "CONNEXION_SECRETE": "N",
    "MODIF_CONF_CODE": "N",
    "DESTDMP": "Y",
    "DESTMSSANTEPS": "Y",
    "DESTMSSANTEPAT": "Y",
    "ACK_RECEPTION": "Y",
    "ACK_LECTURE_MSS": "N",
}
ACTIONS = {"create": ("T02", "NW", "F"), "replace": ("T10", "RO", "C"), "delete": ("T04", "CA", "D")}


def new_id() -> str:
    return f"1.2.250.1.999.7.{uuid.uuid4().int % 10**12}"


@dataclass(frozen=True)
class Report:
    """One message; change fields or add edits of its text."""

    action: str = "create"
    family: str = "MDM"
    unique_id: str = field(default_factory=new_id)
    replaces: str = ""
    number: str = field(default_factory=lambda: uuid.uuid4().hex[:18].upper())
    masks: dict[str, str] = field(default_factory=dict)
    doctor: bool = True
    patient: bool = True
    edits: tuple[Callable[[str], str], ...] = ()
    cda_edits: tuple[Callable[[str], str], ...] = ()

    def but(self, **changes: Any) -> Report:
        return replace(self, **changes)

    def edited(self, old: str, new: str, count: int = 1) -> Report:
        def edit(text: str) -> str:
            assert old in text
            return text.replace(old, new, count)

        return replace(self, edits=(*self.edits, edit))

    def cda(self) -> bytes:
        parent = f'<id root="{self.replaces}"/>'
        related = f'<relatedDocument typeCode="RPLC"><parentDocument>{parent}</parentDocument></relatedDocument>'
        text = (
            f'<ClinicalDocument xmlns="urn:hl7-org:v3"><id root="{self.unique_id}"/>'
            '<code code="18748-4" codeSystem="2.16.840.1.113883.6.1"/><title>CR</title>'
            f'<setId root="{SET_ID}"/><recordTarget><patientRole><id root="{OID}" extension="{INS}"/>'
            '<id root="1.2.3" extension="IPP1"/></patientRole></recordTarget>'
            f"{related if self.replaces else ''}</ClinicalDocument>"
        )
        for edit in self.cda_edits:
            text = edit(text)
        return text.encode()

    def bytes(self) -> bytes:
        event, order, status = ACTIONS[self.action]
        mdm = self.family == "MDM"
        kind = f"MDM^{event}^MDM_T02" if mdm else "ORU^R01^ORU_R01"
        version = "2.6" if mdm else "2.5"
        lines = [
            f"MSH|^~\\&|NAVETTE|CENTRE|PFI-EXEMPLE|CH-EXEMPLE|20261110101500||{kind}|{self.number}|T|{version}"
            "|||||FRA|UNICODE UTF-8|||2.1^CISIS_CDA_HL7_V2"
        ]
        lines += ["EVN||20261110101500"] if mdm else []
        lines += [
            f"PID|1||{INS}^^^ASIP-SANTE-INS-NIR&{OID}&ISO^INS~IPP1^^^CENTRE&1.2.3&ISO^PI||PAT-TROIS^DOMINIQUE^DOMINIQUE"
            "^^^^L||19790328|F|||^^^^^^BDL^^63220||||||||||||||||||||N|VALI",
            "PV1|1|N",
            f"ORC|{order}",
            f"OBR|1|||{TYPE}",
        ]
        txa = f"TXA|1|18748-4|TEXT|||||||||{self.unique_id}|{self.replaces if self.action == 'replace' else ''}||||AU"
        lines += [txa] if mdm else []
        data = base64.b64encode(self.cda()).decode()
        lines.append(f"OBX|1|ED|{TYPE}||^{'text' if mdm else 'TEXT'}^XML^Base64^{data}||||||{status}")
        lines += self._participants()
        values = MASKS | {"DESTMSSANTEPS": "Y" if self.doctor else "N", "DESTMSSANTEPAT": "Y" if self.patient else "N"}
        for place, (name, value) in enumerate((values | self.masks).items(), start=2):
            code = "CWE" if mdm else "CE"
            lines.append(f"OBX|{place}|{code}|{name}^x^MetaDMPMSS||{value}^^expandedYes-NoIndicator||||||F")
            if name == "DESTMSSANTEPAT" and value == "Y":
                lines.append("NTE|1|||FIN")
        text = "".join(f"{line}\r" for line in lines)
        for edit in self.edits:
            text = edit(text)
        return text.encode()

    def _participants(self) -> list[str]:
        ps = "ASIP-SANTE-PS&1.2.250.1.71.4.2.1&ISO^D^^^IDNPS"
        site = "CENTRE^^^^^ASIP-SANTE-ST&1.2.250.1.71.4.2.2&ISO^FINEG^^^990000019"
        found = [f"PRT||UC||SB^Send by^participation|899700000027^RADIO^CHARLIE^^^^^^{ps}|||{site}"]
        if self.doctor:
            who = f"899700000001^REFERENT^CAMILLE^^^^^^{ps}"
            found.append(f"PRT||UC||RCT^Result Copies To^participation|{who}||||||||||^^X.400^{DOCTOR}")
        if self.patient:
            who = f"{INS}^PAT-TROIS^DOMINIQUE^^^^^^ASIP-SANTE-INS-NIR&{OID}&ISO^L^^^INS"
            found.append(f"PRT||UC||RCT^Result Copies To^participation|{who}||||||||||^^X.400^{PATIENT}")
        return found


@pytest.mark.parametrize("family", ["MDM", "ORU"])
async def test_a_report_lives_from_creation_to_deletion(link: Any, family: str) -> None:
    first = Report(family=family)
    second = Report(family=family, action="replace", replaces=first.unique_id)
    last = second.but(action="delete", number="DEL1")
    for one in (first, second, last):
        answer = await link.send(one)
        assert (answer.code, answer.number) == ("AA", one.number), link.double.refusals.entries
    event = answer.header[8]
    assert event == ("ACK^T04^ACK" if family == "MDM" else "ACK^R01^ACK")
    assert (answer.header[2], answer.header[4], answer.header[16]) == ("PFI-EXEMPLE", "NAVETTE", "FRA")
    assert len(answer.header) <= 18  # no MSH-21
    states = {one["unique_id"]: one["status"] for one in link.double.register.as_json("documents")}
    assert states == {first.unique_id: "replaced", second.unique_id: "deleted"}


async def test_the_same_bytes_get_the_same_answer_and_count_once(link: Any) -> None:
    one = Report()
    assert (await link.send(one)).code == (await link.send(one)).code == "AA"
    (taken,) = link.double.register.as_json("messages")
    assert taken["repeated"] == 1
    answer = await link.send(Report(number=one.number))
    assert (answer.code, link.double.refusals.rules) == ("AE", ["msh.control_id_reused"])


A = Report()
LAST_INDICATOR = "OBX|11|CWE|ACK_LECTURE_MSS^x^MetaDMPMSS||N^^expandedYes-NoIndicator||||||F\r"
SITE = "FINEG^^^990000019"
BODY = "OBX|12|ED|CORPSMAIL_PS^x^MetaDMPMSS||^text^^Base64^Q2hlciBjb25mcsOocmU=||||||F\r"
RULES: list[tuple[str, str, Report]] = [
    ("msh.type", "200", A.edited("MDM^T02^MDM_T02", "ADT^A01^ADT_A01")),
    ("msh.type", "201", A.edited("MDM^T02^MDM_T02", "MDM^T06^MDM_T02")),
    ("msh.processing", "202", A.edited("|T|2.6", "|X|2.6")),
    ("msh.version", "203", A.edited("|T|2.6", "|T|2.5")),
    ("msh.country", "103", A.edited("|FRA|", "|BEL|")),
    ("msh.charset", "103", A.edited("UNICODE UTF-8", "8859/1")),
    ("msh.profile", "203", A.edited("2.1^CISIS_CDA_HL7_V2", "1.2^CISIS_CDA_HL7_V1")),
    ("msh.receiver", "199", A.edited("PFI-EXEMPLE", "AUTRE")),
    ("msh.control_id", "102", A.but(number="N" * 21)),
    ("msh.moment", "102", A.edited("|20261110101500||MDM", "|hier||MDM")),
    ("note.place", "100", A.edited("OBX|4|CWE", "NTE|1|||FIN\rOBX|4|CWE")),
    ("note.place", "100", Report(patient=False).edited("OBX|10|CWE", "NTE|1|||FIN\rOBX|10|CWE")),
    ("segment.end", "199", A.edited("\r", "\r\n")),
    ("segment.order", "100", A.edited("PV1|1|N\r", "")),
    ("segment.order", "100", A.edited("ORC|NW\r", "").edited("\rTXA|", "\rORC|NW\rTXA|")),
    ("segment.order", "100", A.edited("\rTXA|", "\rZZZ|1\rTXA|")),
    ("obx.set_id", "102", A.edited("OBX|3|", "OBX|4|")),
    ("document.count", "198", A.edited("OBX|2|CWE|MASQUE_PS^x^MetaDMPMSS", "OBX|2|ED|11111-1^x^LN")),
    ("action.orc", "207", A.edited("ORC|NW", "ORC|RO")),
    ("action.obx", "207", A.edited("||||||F\rPRT", "||||||C\rPRT")),
    ("type.obr", "207", A.edited("OBR|1|||18748-4", "OBR|1|||11502-2")),
    ("txa.document", "103", A.edited("TXA|1|18748-4", "TXA|1|11502-2")),
    ("txa.unique_id", "101", A.but(unique_id="1.2.9").edited("|1.2.9|", "||")),
    ("txa.unique_id", "102", A.but(unique_id="1.2.9").edited("|1.2.9|", "|CR1^^1.2.9^ISO|")),
    ("txa.replaced", "103", A.but(unique_id="1.2.9").edited("|1.2.9||", "|1.2.9|1.2.8|")),
    ("txa.replaced", "102", Report(action="replace", replaces="1.2.8").edited("|1.2.8|", "|CR1^^1.2.8^ISO|")),
    ("txa.status", "103", A.edited("||||AU", "||||DI")),
    ("txa.replaced", "101", Report(action="replace", replaces="1.2.8").edited("|1.2.8|", "||")),
    ("pid.ins", "207", A.edited(f"||{INS}^", "||279035121518^")),
    ("pid.ins_not_validated", "207", A.edited("|VALI", "|PROV")),
    ("pid.name", "101", A.edited("PAT-TROIS^DOMINIQUE^DOMINIQUE^^^^L", "")),
    ("pid.traits", "101", A.edited("19790328", "1979")),
    ("pid.identifier", "101", A.edited("IPP1^^^CENTRE&1.2.3&ISO^PI", "IPP1")),
    ("pv1.class", "101", A.edited("PV1|1|N", "PV1|1|")),
    ("pv1.visit", "101", A.edited("PV1|1|N", "PV1|1|I")),
    ("document.encoding", "102", A.edited("^text^XML^Base64^", "^TEXT^XML^Base64^")),
    ("document.content", "102", A.but(cda_edits=(lambda text: text[:-3],))),
    ("document.content", "102", A.edited("Base64^PE", "Base64^ PE")),
    ("document.unique_id", "207", A.but(cda_edits=(lambda text: text.replace("1.2.250.1.999.7.", "1.2.250.7.", 1),))),
    ("document.type_code", "207", A.but(cda_edits=(lambda text: text.replace("18748-4", "11502-2"),))),
    ("document.patient", "207", A.but(cda_edits=(lambda text: text.replace(INS, "1" + INS[1:]),))),
    ("document.patient", "207", A.but(cda_edits=(lambda text: text.replace("1.2.250.1.213.1.4.10", "1.9"),))),
    ("document.related", "207", A.but(replaces="1.2.8")),
    ("document.related", "207", Report(action="replace", replaces="1.2.8").edited("|1.2.8|", "|1.2.7|")),
    ("indicator.order", "100", A.edited("MASQUE_PS", "X").edited("INVISIBLE_PATIENT", "MASQUE_PS")),
    ("indicator.order", "100", A.edited(LAST_INDICATOR, "")),
    ("indicator.table", "103", A.edited("MASQUE_PS^x^MetaDMPMSS", "MASQUE_PS^x^AUTRE")),
    ("indicator.type", "102", A.edited("OBX|2|CWE", "OBX|2|CE")),
    ("indicator.value", "103", A.edited("||N^^expandedYes-NoIndicator", "||O^^expandedYes-NoIndicator")),
    ("indicator.value", "103", A.edited("||N^^expandedYes-NoIndicator", "||N^^HL70136")),
    ("body.content", "102", A.edited(LAST_INDICATOR, LAST_INDICATOR + BODY.replace("U=", "U"))),
    ("body.content", "102", A.edited(LAST_INDICATOR, LAST_INDICATOR + BODY.replace("^text^", "^TEXT^"))),
    ("participant.role", "103", A.edited("RCT^", "XXX^")),
    ("participant.sender", "101", A.edited("SB^Send by", "RCT^x").edited(SITE, f"{SITE}|||||||^^X.400^a@b.fr")),
    ("participant.address", "101", A.edited(f"^^X.400^{DOCTOR}", "")),
    ("participant.address", "101", A.edited(f"||||||||||^^X.400^{DOCTOR}", f"|||||||||^^X.400^{DOCTOR}")),
    ("participant.number", "102", A.edited("899700000001", "99700000001")),
    ("participant.authority", "103", A.edited("1.2.250.1.71.4.2.1&ISO^D", "1.2.3&ISO^D")),
    ("participant.organisation", "101", A.edited("^FINEG^^^990000019", "")),
    ("participant.patient", "207", A.edited(f"participation|{INS}", f"participation|1{INS[1:]}")),
    ("participant.patient_address", "207", A.edited(PATIENT, f"1{PATIENT[1:]}")),
    ("mail.professional", "207", A.but(masks={"DESTMSSANTEPS": "N"})),
    ("mail.patient", "207", A.but(masks={"DESTMSSANTEPAT": "N"})),
    ("mail.invisible", "207", A.but(masks={"INVISIBLE_PATIENT": "Y"})),
    ("dmp.masks", "207", Report(patient=False, masks={"MASQUE_PS": "Y", "INVISIBLE_PATIENT": "Y"})),
    ("visibility.create", "207", A.but(masks={"MODIF_CONF_CODE": "Y"})),
    ("delete.target", "207", Report(action="delete")),
    ("replace.target", "207", Report(action="replace", replaces="1.2.8")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "condition", "report"), RULES, ids=[f"{rule}-{n}" for n, (rule, *_) in enumerate(RULES)]
)
async def test_each_rule_of_the_volet_refuses(link: Any, rule: str, condition: str, report: Report) -> None:
    answer = await link.send(report)
    assert link.double.refusals.rules == [rule]
    assert answer.condition == condition
    assert answer.code == ("AR" if rule == "msh.receiver" else "AE")
    assert link.double.register.as_json("documents") == []


async def test_what_is_replaced_or_deleted_must_be_the_last_version_unchanged(link: Any) -> None:
    first = Report()
    second = Report(action="replace", replaces=first.unique_id)
    assert [(await link.send(one)).code for one in (first, second)] == ["AA", "AA"]
    spoiled = second.but(action="delete", number="D2", cda_edits=(lambda text: text.replace("CR", "CR bis"),))
    others = [
        (Report(action="replace", replaces=first.unique_id), "replace.target", "900"),
        (first.but(action="delete", number="D1"), "delete.target", "900"),
        (spoiled, "delete.changed", "900"),
        (first.but(number="N2"), "document.duplicate", "906"),
        (
            Report(
                action="replace",
                replaces=second.unique_id,
                cda_edits=(lambda text: text.replace("999.7.400", "999.7.401"),),
            ),
            "replace.set",
            "900",
        ),
    ]
    for report, rule, application in others:
        answer = await link.send(report)
        assert (answer.code, answer.condition, answer.application) == ("AE", "207", application)
        assert link.double.refusals.rules[-1] == rule


@pytest.mark.parametrize("settings", [PfiSettings(strict=True)])
async def test_a_strict_platform_refuses_what_the_matrix_does_not_list(link: Any) -> None:
    inside = [Report(), Report(patient=False, masks={"INVISIBLE_PATIENT": "Y"}), Report(doctor=False, patient=False)]
    inside.append(Report(doctor=False, masks={"DESTDMP": "N", "MASQUE_PS": "Y"}))
    for report in inside:
        assert (await link.send(report)).code == "AA", link.double.refusals.entries
    for report in (Report(patient=False), Report(doctor=False), Report(masks={"INVISIBLE_REP_LEGAUX": "Y"})):
        assert (await link.send(report)).code == "AE"
    assert set(link.double.refusals.rules) == {"matrix"}


def test_the_matrix_has_the_lines_of_the_guide() -> None:
    names = ["MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REP_LEGAUX", "CONNEXION_SECRETE", "DESTDMP"]
    names += ["DESTMSSANTEPS", "DESTMSSANTEPAT"]
    taken = sum(
        on_matrix({name: bool(bits >> place & 1) for place, name in enumerate(names)})
        for bits in range(2 ** len(names))
    )
    # 4 + 4 combinations with a professional, 4 with the patient alone, all 32 without a mail.
    assert taken == 44


async def test_faults_are_what_a_real_platform_does_on_a_bad_day(link: Any, double: PfiSimulator, connect: Any) -> None:
    double.faults.add({"kind": "ae", "target": "mdm", "code": "902", "count": 1})
    answer = await link.send(Report())
    assert (answer.code, answer.condition, answer.application) == ("AE", "207", "902")
    double.faults.add({"kind": "ae", "target": "mdm", "code": "201", "count": 1})
    assert (await link.send(Report())).condition == "201"
    double.faults.add({"kind": "ar", "count": 1})
    assert (await link.send(Report())).code == "AR"
    assert double.refusals.rules == []

    one = Report()
    double.faults.add({"kind": "silent", "count": 1})
    link.writer.write(b"\x0b" + one.bytes() + b"\x1c\r")
    assert (await link.send(Report())).code == "AA"  # nobody answers the first
    assert one.number not in {taken["control_id"] for taken in double.register.as_json("messages")}

    double.faults.add({"kind": "lost_answer", "count": 1})
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await link.send(one)
    assert one.number in {taken["control_id"] for taken in double.register.as_json("messages")}

    double.faults.add({"kind": "down"})
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await connect(double)
    double.faults.clear()


async def test_a_client_without_a_certificate_is_not_heard(double: PfiSimulator, connect: Any) -> None:
    # In TLS 1.3 the client learns of the refusal when it reads.
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await (await connect(double, certificate=None)).send(Report())
    assert double.register.as_json("messages") == []


async def receiver(answers: list[str], heard: list[bytes]) -> asyncio.Server:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = (await reader.readuntil(b"\x1c\r"))[1:-2]
        heard.append(data)
        number = data.split(b"|")[9].decode()
        writer.write(f"\x0bMSH|^~\\&|A|B|C|D|1||ACK|1|T|2.6\rMSA|{answers.pop(0)}|{number}\r\x1c\r".encode())
        await writer.drain()
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


@pytest.mark.parametrize("settings", [PfiSettings(mail_refuses={DOCTOR: "550"}, dmp_refuses=(INS,), reads=True)])
async def test_receipts_come_as_the_message_asked_and_again_until_they_are_taken(link: Any) -> None:
    heard: list[bytes] = []
    server = await receiver(["AR", "AA", "AA", "AA", "AA"], heard)
    link.double._client = None  # type: ignore[assignment]  # a plain receiver here; TLS is tested by the service
    async with server:
        link.double.commands()["receipts-to"]({"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1]})
        assert (await link.send(Report(number="M1", masks={"ACK_LECTURE_MSS": "Y"}))).code == "AA"
        await until(lambda: len(link.double.sent) == 5, 30)
    assert heard[0] == heard[1]  # answered AR, so the very same came again
    events = [data.split(b"|")[8].decode() for data in heard[1:]]
    assert events == ["ZAM^Z01^ZAM_Z01", *["ZAM^Z02^ZAM_Z01"] * 2, "ZAM^Z03^ZAM_Z01"]
    text = [data.decode() for data in heard[1:]]
    assert all("AckMetierZAM|M1|" in one for one in text)
    assert "|N^^expandedYes-NoIndicator|" in text[0]
    assert "DMPClosed^DMPClosed^DMP_ERROR_CODE" in text[0]
    assert "550^550^SMTPERRORCODE" in text[1]
    assert f"^^X.400^{PATIENT}" in text[2]


async def test_a_drimbox_sends_no_receipts(pki: Pki, tmp_path: Path, connect: Any) -> None:
    config = SimulatorConfig(pki=pki.directory, state=tmp_path / "box")
    async with PfiSimulator(config, PfiSettings(receipts=False)) as box:
        link = await connect(box)
        assert (await link.send(Report(doctor=False, patient=False))).code == "AA"
        assert box._queue.empty()
        link.writer.close()


def test_settings_name_the_key_nobody_knows(tmp_path: Path) -> None:
    (tmp_path / "pfi.json").write_text('{"stricte": true}')
    with pytest.raises(ValueError, match="unknown key stricte"):
        PfiSettings.load(tmp_path / "pfi.json")
