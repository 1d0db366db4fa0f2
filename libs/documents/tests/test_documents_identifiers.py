"""NIR, RPPS, FINESS and OIDs: what is accepted, what is refused, and that a refusal never quotes the value."""

import csv
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from navette_documents.identifiers import (
    INS_DEMO,
    INS_NIA,
    INS_NIR,
    INS_TEST,
    InvalidValue,
    UidFactory,
    check_ins_oid,
    is_oid,
    is_valid_finess,
    is_valid_matricule,
    is_valid_rpps,
    nir_key,
    parse_finess,
    parse_loinc,
    parse_matricule,
    parse_oid,
    parse_rpps,
    ps_idnat,
    rpps_of_ps_idnat,
    struct_idnat,
    uuid_to_oid,
)

bodies = st.builds(
    "{}{:02d}{:02d}{}{:06d}".format,
    st.sampled_from("12"),
    st.integers(0, 99),
    st.one_of(st.integers(1, 12), st.integers(20, 99)),
    st.one_of(st.integers(0, 99).map("{:02d}".format), st.sampled_from(["2A", "2B"])),
    st.integers(0, 999_999),
)


@pytest.mark.conformance
def test_every_vector_of_the_cnam_gets_its_verdict(conformance: Path) -> None:
    with (conformance / "insi/nir_vectors.csv").open(encoding="utf-8") as file:
        vectors = list(csv.DictReader(file))
    assert vectors
    for vector in vectors:
        text = vector["nir13"] + vector["cle"]
        assert is_valid_matricule(text) is (vector["verdict"] == "valid"), vector["origin"]


@given(bodies)
def test_a_body_with_its_key_is_a_matricule(body: str) -> None:
    assert parse_matricule(body + nir_key(body)).value == body + nir_key(body)


@given(bodies, st.integers(0, 14), st.integers(1, 9))
def test_one_digit_mistyped_is_always_refused(body: str, position: int, shift: int) -> None:
    text = body + nir_key(body)
    assume(text[position].isdigit())
    wrong = text[:position] + str((int(text[position]) + shift) % 10) + text[position + 1 :]
    assert not is_valid_matricule(wrong)


@pytest.mark.parametrize("department", ["2A", "2B"])
def test_corsica_keeps_its_letter_and_has_its_own_key(department: str) -> None:
    body = f"28405{department}321025"
    matricule = parse_matricule(body + nir_key(body))
    assert matricule.place_code == f"{department}321"
    assert nir_key("284052A321025") != nir_key("284052B321025")


def test_an_unknown_birth_month_is_recognised() -> None:
    body = "2849999350025"
    assert parse_matricule(body + nir_key(body)).birth_month_known is False
    assert parse_matricule("279035121518989").birth_month_known is True


def test_a_matricule_typed_in_groups_is_read_but_only_the_compact_form_is_valid() -> None:
    assert parse_matricule("2 79 03 51 215 189 89").value == "279035121518989"
    assert not is_valid_matricule("2 79 03 51 215 189 89")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("2790351215189", "length"),
        ("279035121518988", "key"),
        ("779035121518989", "format"),
        ("٢79035121518989", "format"),
    ],
)
def test_a_refused_matricule_is_never_quoted(text: str, rule: str) -> None:
    with pytest.raises(InvalidValue) as refusal:
        parse_matricule(text)
    assert (refusal.value.field, refusal.value.rule) == ("matricule", rule)
    assert text not in str(refusal.value)


def test_a_matricule_never_shows_itself() -> None:
    matricule = parse_matricule("279035121518989")
    assert "2790351" not in repr(matricule)
    assert "2790351" not in f"{matricule}"


def test_test_and_demonstration_authorities_are_refused_in_production_only() -> None:
    for oid in (INS_NIR, INS_NIA):
        assert check_ins_oid(oid, production=True) == oid
    for oid in (INS_TEST, INS_DEMO):
        assert check_ins_oid(oid, production=False) == oid
        with pytest.raises(InvalidValue, match="test-oid-in-production"):
            check_ins_oid(oid, production=True)
    with pytest.raises(InvalidValue, match="unknown"):
        check_ins_oid("1.2.250.1.213.1.4.2", production=False)


def test_the_authorities_are_the_published_ones() -> None:
    assert (INS_NIR, INS_NIA) == ("1.2.250.1.213.1.4.8", "1.2.250.1.213.1.4.9")
    assert (INS_TEST, INS_DEMO) == ("1.2.250.1.213.1.4.10", "1.2.250.1.213.1.4.11")


@pytest.mark.parametrize("code", ["18748-4", "100655-0", "1-8"])
def test_a_loinc_code_has_its_key(code: str) -> None:
    assert parse_loinc(code) == code


@pytest.mark.parametrize(
    ("code", "rule"), [("18748-5", "key"), ("81748-4", "key"), ("18748", "format"), ("18748-4 ", "format"),
                       ("", "format"), ("١٨٧٤٨-4", "format")]
)  # fmt: skip
def test_a_mistyped_loinc_code_is_refused(code: str, rule: str) -> None:
    with pytest.raises(InvalidValue, match=f"^loinc: {rule}$"):
        parse_loinc(code)


def test_an_rpps_needs_eleven_digits_and_its_key() -> None:
    assert parse_rpps("01234567897") == "01234567897"
    assert not is_valid_rpps("01234567898")
    assert not is_valid_rpps("1234567897")
    with pytest.raises(InvalidValue, match="rpps: key"):
        parse_rpps("01234567898")


def test_national_identifiers_prefix_the_number_with_its_kind() -> None:
    assert ps_idnat("01234567897") == "801234567897"
    assert rpps_of_ps_idnat("801234567897") == "01234567897"
    assert rpps_of_ps_idnat("0123456789") is None
    assert struct_idnat("920008059") == "1920008059"


@pytest.mark.parametrize("finess", ["920008059", "2A0000123", "2B0000123", "0B0123456"])
def test_a_finess_may_start_with_a_corsican_or_a_test_department(finess: str) -> None:
    assert parse_finess(finess) == finess


@pytest.mark.parametrize("finess", ["92000805", "9200080599", "A20008059", "92000805X"])
def test_a_malformed_finess_is_refused(finess: str) -> None:
    assert not is_valid_finess(finess)
    with pytest.raises(InvalidValue, match="finess: format"):
        struct_idnat(finess)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("1.2.250.1.213", True),
        ("2.25.329800735698586629295641978511506172918", True),
        ("1.02.3", False),
        ("3.1", False),
        ("1.40", False),
        ("1", False),
        ("1.2.", False),
        ("1.2." + "9" * 61, False),
    ],
)
def test_oids_follow_the_grammar_and_the_length_limit(text: str, valid: bool) -> None:
    assert is_oid(text) is valid
    if not valid:
        with pytest.raises(InvalidValue, match="sourceId: oid"):
            parse_oid(text, field="sourceId")


@given(st.uuids())
def test_every_uuid_has_an_oid(uuid: UUID) -> None:
    assert is_oid(uuid_to_oid(uuid))


roots = st.lists(st.integers(0, 999), max_size=5).map(lambda arcs: ".".join(["1.2.250.1", *map(str, arcs)]))


@given(roots, st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_the_same_parts_always_give_the_same_oid_under_the_root(root: str, parts: list[str]) -> None:
    oid = UidFactory(root).deterministic(*parts)
    assert oid == UidFactory(root).deterministic(*parts)
    assert oid.startswith(root + ".")
    assert is_oid(oid)


def test_parts_are_not_confused_by_where_they_are_cut() -> None:
    uids = UidFactory("1.2.250.1.999")
    assert uids.deterministic("ab", "c") != uids.deterministic("a", "bc")
    assert uids.deterministic("a", "") != uids.deterministic("a")


@given(roots, st.data())
def test_random_oids_are_valid_whatever_the_dice_say(root: str, data: st.DataObject) -> None:
    uids = UidFactory(root, random_bits=lambda bits: data.draw(st.integers(0, 2**bits - 1)))
    assert is_oid(uids.random())


def test_random_and_deterministic_oids_never_meet() -> None:
    uids = UidFactory("1.2.250.1.999")
    assert uids.random() != uids.random()
    assert uids.random().startswith("1.2.250.1.999.2.")
    assert uids.deterministic("x").startswith("1.2.250.1.999.1.")
    assert uids.child(4, 7) == "1.2.250.1.999.4.7"


def test_a_root_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(InvalidValue, match="oid_root: too-long"):
        UidFactory("1.2.250." + "9" * 30)
