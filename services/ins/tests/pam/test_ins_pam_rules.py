"""The rules of PAM without sockets: whose word counts, what stays, what leaves."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import navette_ins
import pytest
from hypothesis import given
from hypothesis import strategies as st
from navette_chassis.mllp import DurableIntake, Malformed, Peer, Refusal
from navette_contracts.events import IdentityAttribute, IdentityStatus
from navette_documents.hl7v2 import Hl7Error, parse, read_ack, read_ins, read_pid
from navette_ins.adapters.pam_intake import PamIntake
from navette_ins.api.pam import REMARKS
from navette_ins.domain.facts import FormerIns, Recovery, TrustCheck
from navette_ins.domain.identity import Identity
from navette_ins.domain.pam.destinations import ConnectedSystem
from navette_ins.domain.pam.integration import Integrated, Told, created, updated
from navette_ins.domain.pam.outgoing import Change, Notice, ins_of, notices, written
from navette_ins.domain.pam.reading import acceptable_ins, read, traits_of
from navette_ins.domain.pam.senders import Sender, SendersInvalid, Trust, load_senders
from navette_ins.domain.traits import Traits
from navette_ins.domain.transitions import Act, transition_of
from navette_ins.domain.transitions import Told as Due
from navette_ins.use_cases.receive_pam_message import Intake
from pymongo.errors import ConnectionFailure

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
INS = FormerIns(matricule="284053818504213", oid="1.2.250.1.213.1.4.8")
OTHER = FormerIns(matricule="268043818590119", oid="1.2.250.1.213.1.4.8")
NIA = FormerIns(matricule="268043818590119", oid="1.2.250.1.213.1.4.9")


def sender(trust: Trust = Trust.OWN_DOMAIN) -> Sender:
    return Sender(name="gam", application="GAM", facility="CH", site_id="lilas", authority="CH", trust=trust)


def message(ins: FormerIns | None = INS, status: str = "VALI", name: str = "EXEMPLE", zfd: str = "CN") -> bytes:
    ids = "7^^^CH^PI" + (f"~{ins.matricule}^^^INS&{ins.oid}&ISO^INS" if ins else "")
    pid = f"PID|1||{ids}||{name}^ALIX^ALIX^^^^L||19840512|F|||^^^^^^BDL^^38185" + "|" * 21 + status
    return f"MSH|^~\\&|GAM|CH|R|S|1||ADT^A31|1|P|2.5\r{pid}\rZFD||||N|INSI||{zfd}\r".encode()


def told(data: bytes, known: Identity | None = None, trust: Trust = Trust.OWN_DOMAIN) -> Told:
    one = sender(trust)
    reading = read(parse(data), one)
    ins, _ = acceptable_ins(reading, production=True)
    traits = traits_of(reading, None if known is None else known.traits, one, today=AT.date())
    return Told(reading, traits, ins, one, "m-1")


def first(data: bytes, trust: Trust = Trust.OWN_DOMAIN) -> Identity:
    return created(told(data, None, trust), "p-1", at=AT).identity


def then(known: Identity, data: bytes, trust: Trust = Trust.OWN_DOMAIN) -> Integrated:
    return updated(known, told(data, known, trust), at=AT)


def qualified_here() -> Identity:
    """A person whom INSi and a secretary identified."""
    traits = first(message(None, "PROV")).traits
    recovery = Recovery(matricule=INS.matricule, oid=INS.oid, search_id="s-1", at=AT, accepted_by="insi-auto")
    check = TrustCheck(document_kind="CN", at=AT, by="user-1")
    values: dict[str, Any] = {"patient_id": "p-1", "site_id": "lilas", "revision": 3, "traits": traits}
    return Identity(**values, recovery=recovery, check=check, created_at=AT, updated_at=AT)


@pytest.mark.dsr("RIS.INS.38", "RIS.INS.39")
@pytest.mark.parametrize(
    ("trust", "ins", "status", "expected"),
    [
        (Trust.OWN_DOMAIN, INS, "VALI", IdentityStatus.QUALIFIEE),
        (Trust.OWN_DOMAIN, None, "VALI", IdentityStatus.VALIDEE),
        (Trust.OWN_DOMAIN, INS, "PROV", IdentityStatus.PROVISOIRE),
        (Trust.OWN_DOMAIN, INS, "", IdentityStatus.PROVISOIRE),
        (Trust.CONTRACT, INS, "VALI", IdentityStatus.QUALIFIEE),
        (Trust.THIRD_PARTY, INS, "VALI", IdentityStatus.PROVISOIRE),
        (Trust.THIRD_PARTY, None, "VALI", IdentityStatus.PROVISOIRE),
    ],
)
def test_what_a_first_message_is_worth_depends_on_who_sends_it(
    trust: Trust, ins: FormerIns | None, status: str, expected: IdentityStatus
) -> None:
    assert first(message(ins, status), trust).status is expected


def test_facts_established_here_outlive_a_message_that_knows_less() -> None:
    here = qualified_here()
    assert then(here, message(None, "PROV")).identity is here


def test_what_a_sender_gave_it_takes_back() -> None:
    theirs = first(message())
    assert then(theirs, message(None, "PROV")).identity.status is IdentityStatus.PROVISOIRE
    assert then(theirs, message(None, "VALI")).identity.status is IdentityStatus.VALIDEE
    assert then(theirs, message(None, "")).identity is theirs


@pytest.mark.dsr("RIS.INS.32")
def test_another_strict_trait_without_an_ins_takes_the_ins_away() -> None:
    done = then(qualified_here(), message(None, "PROV", name="AUTRE"))
    assert (done.identity.status, done.identity.traits.birth_name) == (IdentityStatus.PROVISOIRE, "AUTRE")


@pytest.mark.dsr("RIS.INS.44")
def test_a_third_party_changes_nothing_that_was_established_here() -> None:
    here = qualified_here()
    done = then(here, message(OTHER, "VALI", name="AUTRE"), Trust.THIRD_PARTY)
    assert (done.identity, done.remarks) == (here, ("strict_traits_differ",))
    withdrawal = message(None, "PROV").replace(b"7^^^CH^PI", b'7^^^CH^PI~""^^^INS&1.2.250.1.213.1.4.8&ISO^INS')
    assert then(here, withdrawal, Trust.THIRD_PARTY).remarks == ("ins_withdrawn_by_third_party",)


def test_a_third_party_may_correct_what_nobody_established() -> None:
    unknown = first(message(None, "PROV"), Trust.THIRD_PARTY)
    assert then(unknown, message(None, "PROV", name="AUTRE"), Trust.THIRD_PARTY).identity.traits.birth_name == "AUTRE"


@pytest.mark.parametrize(("before", "after", "act"), [(INS, OTHER, Act.RENUMBERED), (NIA, INS, Act.NIA_REPLACED)])
def test_a_new_number_keeps_the_old_one_in_its_history(before: FormerIns, after: FormerIns, act: Act) -> None:
    done = then(first(message(before)), message(after))
    assert (done.act, done.identity.former_ins) == (act, (before,))


def test_the_document_named_is_the_proof_and_without_one_it_is_the_sender_itself() -> None:
    kinds = [one.document_kind for zfd in ("PA", "PC", "") if (one := first(message(zfd=zfd)).check)]
    assert kinds == ["PA", "TC", "TC"]


def test_attributes_are_added_and_a_fictive_identity_carries_no_other() -> None:
    homonym = first(message(INS, "VALI~HOMA"))
    assert (homonym.attributes, homonym.status) == ({IdentityAttribute.HOMONYME}, IdentityStatus.QUALIFIEE)
    fictive = then(homonym, message(None, "PROV~FICT")).identity
    assert (fictive.attributes, fictive.recovery) == ({IdentityAttribute.FICTIVE}, None)


def test_second_names_alone_in_the_list_are_joined_to_the_first_and_forbid_the_ins() -> None:
    data = message().replace(b"EXEMPLE^ALIX^ALIX", b"EXEMPLE^ALIX^MARIE,LOU")
    done = told(data)
    assert (done.traits.birth_given_names, done.ins) == ("ALIX MARIE LOU", None)


@pytest.mark.parametrize("oid", ["1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11"])
def test_a_matricule_of_test_is_not_taken_in_production(oid: str) -> None:
    reading = read(parse(message(FormerIns(matricule=INS.matricule, oid=oid))), sender())
    assert acceptable_ins(reading, production=True) == (None, "ins_oid")
    assert acceptable_ins(reading, production=False)[0] is not None


MESSAGES = st.builds(
    message,
    ins=st.sampled_from([None, INS, OTHER, NIA]),
    status=st.sampled_from(["", "PROV", "VALI", "VALI~HOMA", "PROV~DOUT", "VALI~DOUT", "PROV~FICT", "DESA"]),
    name=st.sampled_from(["EXEMPLE", "AUTRE"]),
    zfd=st.sampled_from(["", "CN", "PC"]),
)
TRUSTS = st.sampled_from(list(Trust))


@pytest.mark.dsr("RIS.INS.37")
@given(st.lists(st.tuples(MESSAGES, TRUSTS), min_size=1, max_size=8))
def test_whatever_is_received_is_a_transition_and_no_ins_leaves_unqualified(
    stream: list[tuple[bytes, Trust]],
) -> None:
    identity: Identity | None = None
    held: FormerIns | None = None
    for data, trust in stream:
        before = identity
        done = (
            created(told(data, None, trust), "p-1", at=AT)
            if before is None
            else updated(before, told(data, before, trust), at=AT)
        )
        if done.identity is before:
            continue
        line = transition_of(done.act, before, done.identity)
        identity = done.identity
        for notice in notices(Change(done.act, line.told, before, identity, None), held):
            check_written(notice)
        held = ins_of(identity)


def check_written(notice: Notice) -> None:
    data, _ = written(notice, SYSTEM, number="1", at=AT, production=True, authority=lambda site: site)
    sent = parse(data)
    pid = read_pid(sent)
    ins = read_ins(pid.identifiers)
    if notice.identity.status is IdentityStatus.QUALIFIEE:
        assert ins is not None
    else:
        assert ins is None
        assert INS.matricule not in sent.require("PID").text
    assert ("VALI" in pid.statuses) == (notice.identity.check is not None)
    assert pid.birth_place_code
    assert sent.canonical() == data


SYSTEM = ConnectedSystem(name="dpi", host="h", port=1, application="D", facility="F", sending_facility="S")


def test_a_new_number_is_told_as_a47_and_an_nir_for_an_nia_as_a31() -> None:
    for held, ins, event in ((INS, OTHER, "A47"), (NIA, INS, "A31")):
        before = first(message(held))
        done = then(before, message(ins))
        due = transition_of(done.act, before, done.identity).told
        (notice,) = notices(Change(done.act, due, before, done.identity, None), held)
        assert (notice.event, notice.ins) == (event, ins)
        check_written(notice)


def test_a_system_that_never_had_the_ins_is_not_sent_it_in_order_to_erase_it() -> None:
    before = first(message())
    done = then(before, message(None, "PROV"))
    (notice,) = notices(Change(done.act, Due.A47, before, done.identity, None), None)
    assert (notice.event, notice.withdrawn) == ("A31", None)


def test_a_name_that_8859_15_lacks_is_sent_in_utf_8_and_says_so() -> None:
    system = SYSTEM.model_copy(update={"charset": "8859/15"})
    for name, expected in (("LŒUVEN", "8859/15"), ("ŁUKASZ", "UNICODE UTF-8")):
        identity = first(message(name=name))
        data, charset = written(
            Notice("A28", identity), system, number="1", at=AT, production=False, authority=lambda site: site
        )
        assert charset == expected
        read_back = read_pid(parse(data)).birth_name
        assert read_back is not None
        assert read_back.family == name
        assert parse(data).msh.value(18) == expected


ROW = {"name": "gam", "application": "GAM", "facility": "CH", "site_id": "lilas", "authority": "CH"}


@pytest.mark.parametrize(
    ("rows", "rule"),
    [
        ([ROW, ROW], "given twice"),
        ([ROW, ROW | {"name": "autre"}], "given twice"),
        ([ROW | {"authority": ""}], "authority"),
        ([ROW | {"site_id": "ailleurs"}], "unknown site"),
    ],
)
def test_senders_that_contradict_themselves_are_refused(rows: list[dict[str, str]], rule: str) -> None:
    with pytest.raises(SendersInvalid, match=rule):
        load_senders(json.dumps(rows).encode(), ["lilas"])


def test_a_sender_nobody_trusted_is_a_third_party() -> None:
    (one,) = load_senders(json.dumps([ROW]).encode(), []).values()
    assert (one.trust, one.trusted, one.takes_a08) == (Trust.THIRD_PARTY, False, False)


def test_traits_that_break_a_rule_are_refused_without_their_value() -> None:
    with pytest.raises(Hl7Error) as refused:
        told(message(name="S3CRET"))
    assert "S3CRET" not in str(refused.value)
    assert str(refused.value.location) == "PID^1^5^1^1"


def intake_of(transact: Callable[..., Any]) -> DurableIntake:
    service = SimpleNamespace(transact=transact, clock=SimpleNamespace(now=lambda: AT))
    rules = Intake(senders=dict, production=False, keep=timedelta(days=1))
    takes = PamIntake(SimpleNamespace(), rules)  # type: ignore[arg-type]  # nothing of the desk is used
    return DurableIntake(service, takes)  # type: ignore[arg-type]  # what an intake uses of a service


PEER = Peer("pam", None)


async def test_without_a_database_the_sender_is_asked_to_come_again() -> None:
    async def down(*_: Any, **__: Any) -> bytes:
        raise ConnectionFailure

    said = read_ack(await intake_of(down).received(message(), PEER))
    assert (said.code, said.control_id) == ("AR", "1")
    assert await intake_of(down).refused(Malformed(Refusal.OUTSIDE, 3, b"abc"), PEER) is None


async def test_a_message_that_breaks_the_program_is_kept_and_asked_for_again() -> None:
    kept: list[Any] = []

    async def broken(use_case: Callable[..., Any], *arguments: Any, **more: Mapping[str, Any]) -> bytes:
        if use_case.__name__ == "take":
            raise KeyError
        kept.append((arguments[-1], more))
        return b"answer"

    assert await intake_of(broken).received(message(), PEER) == b"answer"
    assert kept == [("unexpected_KeyError", {"whole": True})]


def test_the_traits_of_a_message_are_the_ones_a_secretary_would_record() -> None:
    assert first(message()).traits == Traits(
        birth_name="EXEMPLE",
        first_birth_given_name="ALIX",
        birth_given_names="ALIX",
        birth_date="1984-05-12",
        sex="F",
        birth_place_code="38185",
        local_id="7",
    )


def test_every_remark_of_a_message_has_a_french_sentence() -> None:
    """The words are those that the code writes, read from it: none is told to an operator as a word alone."""
    root = Path(navette_ins.__file__).parent
    files = ("domain/pam/integration.py", "domain/pam/reading.py", "use_cases/confirm_received_ins.py")
    files += ("use_cases/integrate_pam_message.py",)
    written_there = " ".join((root / one).read_text(encoding="utf-8") for one in files)
    words = set(re.findall(r'(?:return |, )\(?"([a-z_]+)",\)', written_there))
    words |= {f"ins_{one}" for one in re.findall(r'\("([a-z_]+)", (?:not |bool|reading)', written_there)}
    assert {"ins_not_confirmed", "strict_traits_differ", "ins_key"} <= words
    assert words - {"ins_not_validated"} <= set(REMARKS)
    assert all(sentence.endswith(".") for sentence in REMARKS.values())
