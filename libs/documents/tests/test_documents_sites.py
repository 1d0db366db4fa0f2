"""The sites file: what it must contain, and how a mistake in it is reported."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from navette_documents.errors import InvalidValue
from navette_documents.sites import Site, load_sites, share_identities
from pydantic import ValidationError

SITE: dict[str, Any] = {
    "site_id": "lilas",
    "name": "Imagerie des Lilas",
    "finess": "920008059",
    "finess_legal": "920028560",
    "legal_name": "SELAS Imagerie des Lilas",
    "oid_root": "1.2.250.1.999.7",
    "address": {"street": "12 rue Exemple", "postal_code": "92000", "city": "NANTERRE"},
    "phone": "0146000000",
    "sector": "SA08",
    "facility_type": "SA08",
    "practice_setting": "AMBULATOIRE",
    "mss_mailbox": "imagerie@lilas.mssante.example",
    "mss_display_name": "Imagerie des Lilas",
    "ipp_oid": "1.2.250.1.999.7.4",
}


def test_sites_are_found_by_their_id() -> None:
    sites = load_sites(json.dumps([SITE, {**SITE, "site_id": "roses", "finess_legal": None}]).encode())
    assert set(sites) == {"lilas", "roses"}
    assert sites["lilas"].struct_idnat == "1920008059"
    assert sites["lilas"].legal_struct_idnat == "1920028560"
    assert sites["roses"].legal_struct_idnat == "1920008059"
    assert sites["lilas"].uids.deterministic("lot").startswith("1.2.250.1.999.7.1.")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"finess": "12"}, "finess"),
        ({"oid_root": "1.2.x"}, "oid_root"),
        ({"facility_type": "SA99"}, "facility_type"),
        ({"practice_setting": "AUTRE"}, "practice_setting"),
        ({"mss_mailbox": "nobody"}, "mss_mailbox"),
        ({"letterhead_color": "blue"}, "letterhead_color"),
        ({"name": " "}, "name"),
        ({"typo": 1}, "typo"),
        ({"cda_level": "N2"}, "cda_level"),
        ({"radiologist_specialty": "SM44"}, "radiologist_specialty"),
        ({"radiologist_specialty": "G15_10/SM26"}, "radiologist_specialty"),
        ({"image_link": "http://images.example/{study_instance_uid}"}, "image_link"),
        ({"image_link": "https://images.example/"}, "image_link"),
    ],
)
def test_a_mistake_is_named(change: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        load_sites(json.dumps([{**SITE, **change}]).encode())
    assert where in refusal.value.errors()[0]["loc"]


def test_two_sites_with_one_id_are_refused() -> None:
    with pytest.raises(InvalidValue, match="site_id: given twice"):
        load_sites(json.dumps([SITE, SITE]).encode())


def test_a_group_without_site_is_refused() -> None:
    with pytest.raises(ValidationError):
        load_sites(b"[]")


def test_a_site_without_setting_makes_n1_documents_without_image_link() -> None:
    site = load_sites(json.dumps([SITE]).encode())["lilas"]
    assert (site.cda_level, site.image_url("1.2.3")) == ("N1", None)


def test_the_image_link_holds_the_study() -> None:
    link = "https://images.example/IID?requestType=STUDY&studyUID={study_instance_uid}"
    site = load_sites(json.dumps([{**SITE, "image_link": link}]).encode())["lilas"]
    assert site.image_url("1.2.3") == "https://images.example/IID?requestType=STUDY&studyUID=1.2.3"


def test_sites_of_one_legal_entity_or_one_named_domain_share_their_patients() -> None:
    def group(**changes: dict[str, Any]) -> Mapping[str, Site]:
        return load_sites(json.dumps([SITE | {"site_id": name} | values for name, values in changes.items()]).encode())

    sites = group(a={"finess_legal": "990000002"}, b={"finess_legal": "990000002"}, c={"finess_legal": "990000010"})
    assert share_identities(sites, "a", "b")
    assert not share_identities(sites, "a", "c")
    assert share_identities(sites, "gone", "gone")
    assert not share_identities(sites, "a", "gone")
    joined = group(a={"identity_domain": "rives"}, c={"finess_legal": "990000010", "identity_domain": "rives"})
    assert share_identities(joined, "a", "c")
