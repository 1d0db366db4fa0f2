"""Reads the traits of a search and finds the people they describe (spec/ins.md §2.4, §2.5, §3)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lxml import etree

from navette_sandbox.simulators.insi.faults import Refusal
from navette_sandbox.simulators.insi.people import Person

REC = "http://www.cnamts.fr/INSiRecSans"
BAM = "urn:siram:bam:ctxbam"
VIT = "http://www.cnamts.fr/INSiRecVit"

_TRAITS = ("NomNaissance", "Prenom", "Sexe", "DateNaissance", "LieuNaissance")
_CARD = ("MatriculeIndividu", "MatriculeOD", "NomNaissance", "DateNaissance", "RangNaissance")
_ALPHABET = re.compile(r"[A-Z' -]+")
_NUMBER = re.compile(r"\d{6}[AB0-9]\d{6}")


def by_traits(payload: etree._Element, people: Sequence[Person]) -> list[Person]:
    """People whose traits are those asked for. Raises `Refusal` for a malformed request, insi_102 on the key name."""
    values = _values(payload, REC, _TRAITS, repeatable="Prenom")
    name = _birth_name(values)
    given = values.get("Prenom", [""])
    for one in given:
        _name_form(one, "insi_9002", "Prenom", given=True)
    sex = values.get("Sexe", [""])[0]
    if sex not in ("F", "M"):
        raise Refusal("insi_24", "Sexe is F or M")
    born = _date(values)
    place = values.get("LieuNaissance", [None])[0]
    if place is not None and not re.fullmatch(r"\d{5}|2[AB]\d{3}", place):
        raise Refusal("insi_9004", "LieuNaissance is a COG code, absent rather than empty")
    if "DOES-NOT-EXIST" in name:
        raise Refusal("insi_102", "key name of the qualification environment")
    wanted = " ".join(given).split(" ")
    return [
        person
        for person in people
        if (person.birth_name, person.sex, person.birth_date) == (name, sex, born)
        and person.given_names.split(" ")[: len(wanted)] == wanted
        and place in (None, person.birth_place_code)
    ]


def by_card(
    payload: etree._Element, people: Sequence[Person], covered_number: str | None, cover: etree._Element | None = None
) -> list[Person]:
    """People whom a carte Vitale covers: the insured's number always, the beneficiary's own when the card has it.

    Raises `Refusal` for a malformed request, or when COUVERTURE says other things of the beneficiary.
    """
    values = _values(payload, VIT, _CARD)
    if "MatriculeOD" not in values:
        raise Refusal("insi_9005", "MatriculeOD is present")
    insured = _number(payload, "MatriculeOD")
    if insured != covered_number:
        raise Refusal("desir_9003", "COUVERTURE carries the number of the insured of the search")
    own = _number(payload, "MatriculeIndividu") if "MatriculeIndividu" in values else None
    name = _birth_name(values)
    born = _date(values)
    rank = values.get("RangNaissance", ["1"])[0]
    if not re.fullmatch(r"[1-9]", rank):
        raise Refusal("insi_9003", "RangNaissance is one digit")
    if cover is not None:
        _same_beneficiary(cover, own, born, rank)
    return [
        person
        for person in people
        if person.insured_number == insured
        and own in (None, person.number)
        and (person.birth_name, person.birth_date, person.birth_rank) == (name, born, int(rank))
    ]


def _same_beneficiary(cover: etree._Element, own: str | None, born: str, rank: str) -> None:
    said = {name: cover.findtext(f"{{{BAM}}}BENEFICIAIRE/{{{BAM}}}{name}") for name in ("DateNai", "Rang")}
    said["Nir"] = cover.findtext(f"{{{BAM}}}BENEFICIAIRE/{{{BAM}}}Nir/{{{BAM}}}Num")
    for name, value in (("DateNai", born), ("Rang", rank), ("Nir", own)):
        if said[name] is not None and said[name] != value:
            raise Refusal("desir_9003", f"BENEFICIAIRE/{name} is that of the search")


def _values(
    payload: etree._Element, namespace: str, order: tuple[str, ...], repeatable: str = ""
) -> dict[str, list[str]]:
    if etree.QName(payload).namespace != namespace:
        raise Refusal("desir_9005", "payload is in the namespace of the operation")
    positions: list[int] = []
    values: dict[str, list[str]] = {}
    for child in payload:
        if not isinstance(child.tag, str):
            continue
        name = etree.QName(child)
        if name.namespace != namespace or name.localname not in order:
            raise Refusal("desir_9005", "payload holds only the elements of the schema")
        if name.localname in values and name.localname != repeatable:
            raise Refusal("desir_9005", f"{name.localname} occurs once")
        positions.append(order.index(name.localname))
        values.setdefault(name.localname, []).append(child.text or "")
    if positions != sorted(positions):
        raise Refusal("desir_9005", "elements of the payload are in the order of the schema")
    return values


def _birth_name(values: dict[str, list[str]]) -> str:
    name = values.get("NomNaissance", [""])[0]
    _name_form(name, "insi_9001", "NomNaissance", given=False)
    return name


def _name_form(value: str, code: str, field: str, *, given: bool) -> None:
    if not value:
        raise Refusal(code, f"{field} is present")
    if not _ALPHABET.fullmatch(value):
        raise Refusal(code, f"{field} holds only A-Z, space, apostrophe, hyphen")
    if value[0] in " -":
        raise Refusal(code, f"{field} does not start with a space or a hyphen")
    if re.search(r"  |''| '|' ", value):
        raise Refusal(code, f"{field} has no doubled or adjoining space and apostrophe")
    if given and (value[-1] in "-'" or "--" in value):
        raise Refusal(code, f"{field} has no double hyphen and does not end with a hyphen or apostrophe")


def _date(values: dict[str, list[str]]) -> str:
    born = values.get("DateNaissance", [""])[0]
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", born):
        raise Refusal("insi_9003", "DateNaissance is AAAA-MM-JJ")
    return born


def _number(payload: etree._Element, name: str) -> str:
    number = payload.findtext(f"{{{VIT}}}{name}/{{{VIT}}}NumIdentifiant") or ""
    if not _NUMBER.fullmatch(number):
        raise Refusal("insi_9005", f"{name}/NumIdentifiant is a 13 character number")
    return number
