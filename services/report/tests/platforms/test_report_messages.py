"""The messages, segment by segment, and beside the official examples field by field."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from navette_documents.hl7v2 import Message, Segment, parse
from navette_report.domain.pfi.letter import Action
from navette_report.domain.pfi.writing import HOLE, Written, written

MDM = ["MSH", "EVN", "PID", "PV1", "ORC", "OBR", "TXA"]
ORU = ["MSH", "PID", "PV1", "ORC", "OBR"]
INDICATORS = ["MASQUE_PS", "INVISIBLE_PATIENT", "INVISIBLE_REP_LEGAUX", "CONNEXION_SECRETE", "MODIF_CONF_CODE"]
INDICATORS += ["DESTDMP", "DESTMSSANTEPS", "DESTMSSANTEPAT", "ACK_RECEPTION", "ACK_LECTURE_MSS"]


def names(message: Message) -> list[str]:
    return [one.name for one in message]


@pytest.mark.dsr("RIS.INTRA.01")
@pytest.mark.parametrize(
    ("action", "event", "order", "status"),
    [
        (Action.CREATE, "T02", "NW", "F"),
        (Action.REPLACE, "T10", "RO", "C"),
        (Action.DELETE, "T04", "CA", "D"),
    ],
)
def test_the_three_fields_that_must_agree_do(
    message: Callable[..., Message],
    make_platform: Callable[..., Any],
    action: Action,
    event: str,
    order: str,
    status: str,
) -> None:
    for family, head in (("MDM", MDM), ("ORU", ORU)):
        one = message(make_platform(family=family), action, replaces="1.2.3" if action is Action.REPLACE else "")
        assert names(one)[: len(head)] == head
        assert one.require("ORC").value(1) == order
        assert one.all("OBX")[0].value(11) == status
        assert one.msh.raw(9) == (f"MDM^{event}^MDM_T02" if family == "MDM" else "ORU^R01^ORU_R01")
        assert one.msh.raw(12) == ("2.6" if family == "MDM" else "2.5")
        assert one.msh.raw(21) == "2.1^CISIS_CDA_HL7_V2"
        assert (one.msh.value(17), one.msh.value(18), one.msh.value(11)) == ("FRA", "UNICODE UTF-8", "T")
        assert [seg.value(1) for seg in one.all("OBX")] == [str(n) for n in range(1, 12)]
        assert [seg.value(3) for seg in one.all("OBX")[1:]] == INDICATORS
        assert {seg.value(2) for seg in one.all("OBX")[1:]} == ({"CWE"} if family == "MDM" else {"CE"})
        if family == "MDM":
            txa = one.require("TXA")
            assert (txa.value(2), txa.value(3), txa.value(17)) == ("18748-4", "TEXT", "AU")
            assert txa.value(13) == ("1.2.3" if action is Action.REPLACE else "")


def test_the_patient_is_identified_as_in_the_document(message: Callable[..., Message], samples: Any) -> None:
    identity, site = samples.identity(), samples.site()
    pid = message().require("PID")
    found = [(one.sub(4, 2), one.component(1), one.component(5)) for one in pid.repetitions(3)]
    assert found == [
        (identity.ins.oid, identity.ins.matricule, "INS"),
        (site.ipp_oid, identity.traits.local_id, "PI"),
    ]
    assert [one.component(7) for one in pid.repetitions(5)] == ["L", "D"]
    assert (pid.value(7), pid.value(8), pid.raw(32)) == ("19840512", "F", "VALI")
    assert pid.first(11).component(9) == "38185"


@pytest.mark.dsr("RIS.INS.37")
def test_without_a_qualified_identity_no_matricule_is_written(message: Callable[..., Message], samples: Any) -> None:
    one = message(qualified=False)
    assert samples.identity().ins.matricule.encode() not in one.serialise()
    assert one.require("PID").raw(32) == "PROV"
    assert {seg.value(3): seg.value(5) for seg in one.all("OBX")[1:]}["DESTDMP"] == "N"


def participants(message: Message, code: str) -> list[Segment]:
    return [one for one in message.all("PRT") if one.value(4) == code]


def test_who_sends_and_who_receives_stand_at_their_places(
    message: Callable[..., Message], samples: Any, make_platform: Callable[..., Any], make_rpps: Callable[[int], str]
) -> None:
    one = message()
    (sender,) = participants(one, "SB")
    doctor, patient = participants(one, "RCT")
    assert (sender.value(5), sender.first(5).component(13)) == (f"8{make_rpps(1)}", "IDNPS")
    assert (sender.first(8).component(10), sender.first(8).component(7)) == (samples.site().finess, "FINEG")
    assert (doctor.value(5), doctor.first(5).sub(9, 2)) == (f"8{make_rpps(101)}", "1.2.250.1.71.4.2.1")
    assert doctor.raw(15) == "^^X.400^camille.exemple-martin@medecin.mssante.example"
    matricule = samples.identity().ins.matricule
    assert (patient.value(5), patient.first(5).component(13)) == (matricule, "INS")
    assert patient.raw(15) == f"^^X.400^{matricule}@patient.mssante.fr"
    kept = [one.name for one in one if one.name in ("OBX", "PRT", "NTE")]
    assert kept == ["OBX", "PRT", "PRT", "PRT", *["OBX"] * 8, "NTE", "OBX", "OBX"]

    bare = message(make_platform(professional_id="RPPS", patient_may_answer=True))
    assert participants(bare, "SB")[0].first(5).component(1) == make_rpps(1)
    assert bare.get("NTE") is None


def test_a_platform_is_written_to_as_its_entry_says(
    message: Callable[..., Message], make_platform: Callable[..., Any]
) -> None:
    told = message(
        make_platform(
            facility_finess="990000010",
            charset="8859/15",
            patient_class="O",
            professional_text="Cher confrère",
            patient_text="Voici votre compte rendu",
            ack_reception=False,
        )
    )
    assert told.msh.raw(6) == "CH-B^990000010^M"
    assert message(make_platform(facility_oid="1.2.3")).msh.raw(6) == "CH-B^1.2.3^ISO"
    assert (told.msh.value(18), told.charset) == ("8859/15", "8859/15")
    assert (told.require("PV1").value(2), told.require("PV1").value(19)) == ("O", "ACN-2026-004211")
    last = told.all("OBX")[-2:]
    assert [one.value(3) for one in last] == ["CORPSMAIL_PS", "CORPSMAIL_PATIENT"]
    assert base64.b64decode(last[0].first(5).component(5)).decode() == "Cher confrère"
    assert [one.value(5) for one in told.all("OBX")[9:11]] == ["N", "N"]


def test_a_name_outside_the_charset_makes_the_message_utf_8(
    make_letter: Callable[..., Any], make_platform: Callable[..., Any]
) -> None:
    to = make_platform(charset="8859/15")
    letter = make_letter(to)
    odd = letter.model_copy(update={"traits": letter.traits.model_copy(update={"birth_name": "ŁUKASZ"})})
    from datetime import UTC, datetime

    made = written(odd, Action.CREATE, to, number="1", at=datetime(2026, 11, 20, tzinfo=UTC), production=True)
    assert made.charset == "UNICODE UTF-8"
    assert "|P|2.6|" in made.text
    assert "ŁUKASZ" in made.with_document(b"<a/>").decode("utf-8")


def test_version_2_0_is_written_as_its_examples_are(
    message: Callable[..., Message], make_platform: Callable[..., Any]
) -> None:
    old = make_platform(version="2.0", professional_text="x")
    one = message(old)
    assert names(one)[:5] == ["MSH", "EVN", "PID", "PV1", "TXA"]
    assert one.require("TXA").value(17) == "LA"
    assert one.all("PRT")[0].raw(4) == "SB^^HL70912"
    codes = [seg.value(3) for seg in one.all("OBX")[1:]]
    assert codes == [*INDICATORS[:8], "CORPSMAIL_PS", *INDICATORS[8:]]
    assert one.all("OBX")[1].raw(5) == "N^^HL70136"
    oru = message(make_platform(version="2.0", family="ORU"), Action.REPLACE, replaces="1.2.3")
    assert (oru.require("ORC").value(1), oru.all("OBX")[0].value(11)) == ("SC", "C")


def test_a_message_has_exactly_one_place_for_its_document() -> None:
    for text in ("MSH|", f"MSH|{HOLE}{HOLE}"):
        with pytest.raises(AssertionError, match="one document"):
            Written(text, "UNICODE UTF-8", "M1").with_document(b"x")


def example(samples: Any, name: str) -> Message:
    path: Path = samples.conformance / "hl7v2" / "trans-cda-2.1" / name
    if not path.is_file():
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no conformance data")
    return parse(path.read_bytes())


SAME = {
    "MSH": (2, 9, 12, 17, 18, 21),
    "ORC": (1,),
    "OBR": (1, 4),
    "TXA": (1, 2, 3, 17),
}
"""Fields that say the same in every imaging report."""


@pytest.mark.parametrize(
    ("name", "family", "action"),
    [
        ("mdm_t02_init_full.er7", "MDM", Action.CREATE),
        ("mdm_t10_replace_full.er7", "MDM", Action.REPLACE),
        ("oru_r01_init_n3_segur.hl7", "ORU", Action.CREATE),
        ("oru_r01_delete_n3_segur.hl7", "ORU", Action.DELETE),
    ],
)
def test_what_we_write_is_what_the_official_examples_write(
    message: Callable[..., Message],
    make_platform: Callable[..., Any],
    samples: Any,
    name: str,
    family: str,
    action: Action,
) -> None:
    theirs = example(samples, name)
    ours = message(make_platform(family=family), action, replaces="1.2.3" if action is Action.REPLACE else "")
    heads = MDM if family == "MDM" else ORU
    assert names(ours)[: len(heads)] == names(theirs)[: len(heads)]
    imaging = family == "MDM"  # the ORU examples are of biology
    for segment, fields in SAME.items():
        for field in fields:
            if theirs.get(segment) is not None and (imaging or (segment, field) != ("OBR", 4)):
                assert ours.require(segment).raw(field) == theirs.require(segment).raw(field), (segment, field)
    our_first, their_first = ours.all("OBX")[0], theirs.all("OBX")[0]
    assert our_first.raw(5).rsplit("^", 1)[0] == their_first.raw(5).rsplit("^", 1)[0]
    assert (our_first.raw(2), our_first.raw(11)) == (their_first.raw(2), their_first.raw(11))
    # The example adds the body of the mail, which ours only does when the platform's entry has one.
    for our_one, their_one in zip(ours.all("OBX")[1:], theirs.all("OBX")[1:11], strict=True):
        assert [our_one.raw(n) for n in (1, 2, 3, 11)] == [their_one.raw(n) for n in (1, 2, 3, 11)]
        assert our_one.raw(5)[1:] == their_one.raw(5)[1:]
    for ours_prt, theirs_prt in zip(ours.all("PRT")[:2], theirs.all("PRT")[:2], strict=True):
        assert (ours_prt.value(2), ours_prt.value(4)) == (theirs_prt.value(2), theirs_prt.value(4))
        assert [ours_prt.first(5).component(n) for n in (10, 13)] == ["D", "IDNPS"]
        assert bool(ours_prt.first(15).component(4)) == bool(theirs_prt.first(15).component(4))


def test_an_official_message_read_and_written_again_is_the_same(samples: Any) -> None:
    folder = samples.conformance / "hl7v2"
    if not folder.is_dir():
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no conformance data")
    for path in sorted(folder.glob("trans-cda-*/*")):
        data = path.read_bytes()
        assert parse(data).serialise() == data, path.name
