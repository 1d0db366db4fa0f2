"""An ORU^R01 or MDM message as a received report (spec/hl7v2.md §4.3, §4.4, §10)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime, tzinfo

from navette_documents.errors import InvalidValue
from navette_documents.hl7v2 import Message, Segment, read_ins, read_pid
from navette_documents.identifiers import check_ins_oid, parse_oid

from navette_report.domain.intake.bodies import STUDY, body_of
from navette_report.domain.intake.claims import (
    Body,
    Doing,
    ExamClaim,
    Form,
    PatientClaim,
    ReceivedReport,
    Unfit,
    other_requests,
)
from navette_report.domain.intake.moments import moment_of
from navette_report.domain.intake.people import author_of, correspondents_of
from navette_report.domain.intake.senders import Sender
from navette_report.domain.intake.status import doing_of, is_authenticated, is_final

EVENTS = frozenset({("ORU", "R01"), ("MDM", "T02"), ("MDM", "T04"), ("MDM", "T10")})
NEEDED = {"ORU": ("PID", "OBR", "OBX"), "MDM": ("PID", "TXA")}
"""Segments without which there is nothing to take in."""
ALONE = {"MSH": "several_messages", "PID": "several_patients", "TXA": "several_documents"}
"""Segments of which a message has one, and the rule that a second one breaks."""
_CHOICES = {
    "MASQUE_PS": ("hidden_from_professionals", "Y"),
    "INVISIBLE_PATIENT": ("hidden_from_patient", "Y"),
    "INVISIBLE_REP_LEGAUX": ("hidden_from_representatives", "Y"),
    "INVISIBLE_REPRESENTANTS_LEGAUX": ("hidden_from_representatives", "Y"),
    "INVISIBLE_REPRENSANTS_LEGAUX": ("hidden_from_representatives", "Y"),
    "CONNEXION_SECRETE": ("secret_connection", "Y"),
    "DESTDMP": ("withheld_from_dmp", "N"),
    "DESTMSSANTEPAT": ("withheld_from_patient", "N"),
}
_RELAYED = "CISIS_CDA_HL7_LPS"


def read_report(
    message: Message, sender: Sender, *, ipp_oid: str | None, zone: tzinfo, production: bool
) -> ReceivedReport:
    """What the message says. Raises Unfit or Hl7Error for one that says too little to be taken over."""

    def report(body: Body, remarks: tuple[str, ...]) -> ReceivedReport:
        return _told(message, sender, body, remarks, ipp_oid=ipp_oid, zone=zone, production=production)

    try:
        body, remarks = _body(message, doing_of(message))
    except Unfit as unfit:
        with suppress(Unfit):
            unfit.report = report(Body(Form.NONE), unfit.remarks)
        raise
    return report(body, remarks)


def _told(
    message: Message,
    sender: Sender,
    body: Body,
    remarks: tuple[str, ...],
    *,
    ipp_oid: str | None,
    zone: tzinfo,
    production: bool,
) -> ReceivedReport:
    txa = message.get("TXA")
    correspondents, unidentified = correspondents_of(message, sender.professionals)
    odd = ("charset_mismatch",) if message.decoded.mismatch and message.decoded.declared else ()
    return ReceivedReport(
        doing=doing_of(message),
        document_id=_document_id(message),
        replaces_id="" if txa is None or not txa.value(13) else f"document:{_entity(txa, 13)}",
        final=is_final(message),
        authenticated=is_authenticated(message),
        patient=_patient(message, sender, ipp_oid=ipp_oid, production=production),
        exam=_exam(message, sender, zone),
        author=author_of(message, sender.professionals),
        correspondents=correspondents,
        body=body,
        choices=_choices(message),
        relayed=any(_RELAYED in one.text for one in message.msh.repetitions(21)),
        remarks=(*remarks, *unidentified, *_unwanted(message), *odd),
    )


def _body(message: Message, doing: Doing) -> tuple[Body, tuple[str, ...]]:
    """A cancellation, or a change of status alone (T04), needs no body."""
    try:
        return body_of(message)
    except Unfit:
        if doing is not Doing.CANCEL and message.event != "T04":
            raise
        return Body(Form.NONE), ()


def _document_id(message: Message) -> str:
    txa, obr, orc = message.get("TXA"), message.get("OBR"), message.get("ORC")
    if txa is not None and txa.value(12):
        return f"document:{_entity(txa, 12)}"
    filler = next((one for one in (_number(obr, 3), _number(orc, 3)) if one), "")
    if not filler:
        raise Unfit("document_id_missing")
    return f"filler:{filler}"


def _entity(segment: Segment, field: int) -> str:
    """EI without its namespace: senders write the name of an organisation there (spec/hl7v2.md §10.5)."""
    one = segment.first(field)
    return "^".join(filter(None, (one.component(1).strip(), one.component(3).strip())))


def _patient(message: Message, sender: Sender, *, ipp_oid: str | None, production: bool) -> PatientClaim:
    pid = read_pid(message)
    local = pid.identifier("PI", sender.authority, sender.authority_id)
    if local is None and ipp_oid is not None:
        local = pid.identifier("PI", "", ipp_oid)
    claim = read_ins(pid.identifiers)
    usable = claim is not None and claim.sound and "VALI" in pid.statuses and _allowed(claim.oid, production)
    name = pid.birth_name
    return PatientClaim(
        local_id="" if local is None or local.deletes else local.value,
        matricule=claim.matricule if claim is not None and usable else "",
        ins_oid=claim.oid if claim is not None and usable else "",
        birth_name="" if name is None else name.family,
        given_name="" if name is None else name.given,
        given_names="" if name is None else name.given_list,
        birth_date=pid.birth_date if pid.birth_date_full else "",
        sex=pid.sex if pid.sex in ("M", "F") else "",
        birth_place_code=pid.birth_place_code,
        all_ids=frozenset(one.value for one in pid.identifiers if one.value and not one.deletes),
    )


def _allowed(oid: str, production: bool) -> bool:
    try:
        check_ins_oid(oid, production=production)
    except InvalidValue:
        return False
    return True


def _exam(message: Message, sender: Sender, zone: tzinfo) -> ExamClaim:
    obr, orc, txa = message.get("OBR"), message.get("ORC"), message.get("TXA")
    ipc = message.get("IPC")
    if len(_examinations_with_results(message, sender)) > 1:
        raise Unfit("several_exams")
    first = {"OBR-3": _number(obr, 3), "OBR-18": _number(obr, 18), "IPC-1": _number(ipc, 1)}[sender.accession_field]
    accession = _first((first, _number(ipc, 1), _number(obr, 3), _number(orc, 3), _number(txa, 15)))
    placer = _first((_number(obr, 2), _number(orc, 2), _number(txa, 14)))
    what = None if obr is None else obr.first(4)
    codes = () if what is None else tuple(code for n in (1, 4) if (code := what.component(n).strip()))
    return ExamClaim(
        accession_number=accession,
        placer_number=placer,
        further=other_requests(_further(message, sender), accession, placer),
        study_instance_uid=_study(message),
        started_at=_moment((obr, 7), (txa, 4), zone=zone),
        codes=codes,
        label="" if what is None else what.component(2).strip(),
        modality="" if obr is None else obr.value(24).upper(),
    )


def _examinations_with_results(message: Message, sender: Sender) -> frozenset[str]:
    """Numbers of the OBR with results of their own; those above a common result are requests it answers together."""
    field = 18 if sender.accession_field == "OBR-18" else 3
    found, number = set(), ""
    for segment in message.segments:
        if segment.name == "OBR":
            number = _number(segment, field)
        elif segment.name == "OBX" and number:
            found.add(number)
    return frozenset(found)


def _further(message: Message, sender: Sender) -> Iterator[tuple[str, str]]:
    """Accession and order placer number of the requests after the first, where the sender puts them."""
    if sender.accession_field == "IPC-1":
        for ipc in message.all("IPC")[1:]:
            yield _number(ipc, 1), ""
        return
    field = 18 if sender.accession_field == "OBR-18" else 3
    for obr in message.all("OBR")[1:]:
        yield _number(obr, field), _number(obr, 2)


def _study(message: Message) -> str:
    zds, ipc = message.get("ZDS"), message.get("IPC")
    told = [_number(zds, 1), _number(ipc, 3)]
    told += [one.value(5) for one in message.all("OBX") if one.value(3) == STUDY]
    for one in filter(None, told):
        try:
            return parse_oid(one, field="study_instance_uid")
        except InvalidValue:
            continue
    return ""


def _moment(*places: tuple[Segment | None, int], zone: tzinfo) -> datetime | None:
    told = (moment_of(_number(segment, field), zone) for segment, field in places)
    return next((one for one in told if one is not None), None)


def _choices(message: Message) -> dict[str, bool]:
    """What the indicators ask for; only what is asked for is named."""
    found = {}
    for obx in message.all("OBX"):
        name, telling = _CHOICES.get(obx.value(3), ("", ""))
        if name and obx.value(5).upper() == telling:
            found[name] = True
    return found


def _unwanted(message: Message) -> tuple[str, ...]:
    """A report always goes to those it names; who does not want that is told to whoever completes the draft."""
    told = (one.value(5).upper() for one in message.all("OBX") if one.value(3) == "DESTMSSANTEPS")
    return ("professionals_not_wanted",) if "N" in told else ()


def _number(segment: Segment | None, field: int) -> str:
    return "" if segment is None else segment.value(field)


def _first(values: Iterable[str]) -> str:
    return next(filter(None, values), "")
