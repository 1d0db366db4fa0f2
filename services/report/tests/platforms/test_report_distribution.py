"""The file that says which channel carries what: what contradicts itself is refused at start, in one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from navette_contracts.events import Audience
from navette_report.domain.pfi.distribution import Distribution, DistributionInvalid, load_distribution
from navette_report.domain.pfi.routing import apart, carriers, lost
from navette_report.pfi_settings import PfiSettings
from pydantic import ValidationError

PFI = {
    "name": "ch",
    "label": "PFI",
    "kind": "pfi",
    "host": "pfi.example",
    "port": 2575,
    "application": "PFI",
    "facility": "CH",
    "sending_facility": "C",
}
OTHER = PFI | {"name": "clinique", "application": "PFI-2"}
BOX = PFI | {"name": "box", "kind": "drimbox", "application": "DRIM"}


def load(*platforms: dict[str, Any], sites: tuple[dict[str, Any], ...] = ()) -> Distribution:
    data = json.dumps({"platforms": platforms, "sites": sites}).encode()
    return load_distribution(data, {"nord", "sud"})


def test_a_site_nobody_named_sends_everything_itself() -> None:
    read = load(PFI, BOX, sites=({"site_id": "nord", "dmp": "ch", "copies": ["box"]},))
    assert read.routes("nord").carrier(Audience.DMP) == "ch"
    assert read.routes("nord").carrier(Audience.PATIENT) is None
    assert read.routes("sud").carrier(Audience.DMP) is None
    assert (read.platforms[0].asks_reception, read.platforms[1].asks_receipts) == (True, False)


def test_receipts_come_under_one_of_the_names_that_are_given_or_under_any() -> None:
    (bound, free) = load(PFI | {"certificates": ["PFI du CH", "pfi.ch.example"]}, OTHER).platforms
    assert bound.admits(["other", "PFI.CH.example"])
    assert bound.admits(["pfi du ch"])
    assert not bound.admits(["pfi.clinique.example"])
    assert not bound.admits([""])
    assert free.admits([""])


NORD = {"site_id": "nord"}
REFUSED: list[tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...], str]] = [
    ((PFI | {"kind": "dpi"},), (), "platforms.0.kind: Input should be 'pfi' or 'drimbox'"),
    ((PFI | {"port": 0},), (), "platforms.0.port"),
    ((PFI | {"version": "1.2"},), (), "platforms.0.version: 1.2 cannot be written: its messages name neither"),
    ((PFI | {"host": " "},), (), "platforms.0.host: String should have at least 1 character"),
    ((PFI | {"application": "PFI\rPID"},), (), "platforms.0.application"),
    ((PFI | {"facility_finess": "123"},), (), "platforms.0.facility_finess"),
    ((PFI | {"facility_finess": "990000010", "facility_oid": "1.2.3"},), (), "facility_oid: MSH-6 has one"),
    ((PFI | {"cert": "/x"},), (), "cert and key go together"),
    ((PFI | {"cert": "/x", "key": "/y"},), (), "ca: a client certificate needs"),
    ((PFI | {"colour": "blue"},), (), "platforms.0.colour"),
    ((BOX | {"ack_reading": True},), (), "a DRIMbox sends no receipts"),
    ((BOX | {"certificates": ["box.example"]},), (), "certificates: a DRIMbox sends no receipts"),
    ((PFI | {"certificates": [""]},), (), "platforms.0.certificates.0"),
    ((PFI, PFI), (), r"platforms.1 \(ch\).name: given twice"),
    ((PFI, OTHER | {"application": "PFI"}), (), "same application and facility"),
    ((PFI | {"name": "navette"},), (), "name: reserved"),
    ((PFI,), ({"site_id": "est"},), "sites.0.site_id: not in the file of sites"),
    ((PFI,), (NORD, NORD), "sites.1.site_id: given twice"),
    ((PFI,), (NORD | {"dmp": "autre"},), "sites.0.dmp: no platform has this name"),
    ((PFI,), (NORD | {"copies": ["autre"]},), "sites.0.copies: no platform has this name"),
    ((BOX,), (NORD | {"dmp": "box"},), "sites.0.dmp: a DRIMbox distributes nothing"),
    ((PFI,), (NORD | {"dmp": "ch", "copies": ["ch"]},), "already has the report"),
    ((BOX,), (NORD | {"copies": ["box", "box"]},), "a platform is named twice"),
    (
        (PFI | {"matrix": "strict"},),
        (NORD | {"professionals": "ch"},),
        "sites.0.professionals: a platform with a strict matrix carries professionals and patient together",
    ),
]


@pytest.mark.parametrize(("platforms", "sites", "sentence"), REFUSED, ids=[text[:40] for *_, text in REFUSED])
def test_what_contradicts_itself_is_refused_with_the_field(
    platforms: tuple[dict[str, Any], ...], sites: tuple[dict[str, Any], ...], sentence: str
) -> None:
    with pytest.raises(DistributionInvalid, match=sentence):
        load(*platforms, sites=sites)


def test_what_is_no_json_is_refused_without_its_content() -> None:
    with pytest.raises(DistributionInvalid) as refused:
        load_distribution(b"S3CRET", set())
    assert "S3CRET" not in str(refused.value)


def test_a_carrier_written_twice_is_refused_rather_than_the_last_one_taken() -> None:
    data = json.dumps({"platforms": [PFI], "sites": [NORD | {"dmp": "navette"}]})
    with pytest.raises(DistributionInvalid, match="dmp: written twice in one object"):
        load_distribution(data.replace('"dmp"', '"dmp": "ch", "dmp"').encode(), {"nord"})


def settings(folder: Path, samples: Any, described: dict[str, Any], **changes: Any) -> PfiSettings:
    (folder / "pfi.json").write_text(json.dumps(described))
    (folder / "sites.json").write_text(json.dumps([samples.site().model_dump(mode="json")]))
    values = {
        "environment": "development",
        "kafka_bootstrap": "127.0.0.1:1",
        "mongo_uri": "mongodb://127.0.0.1:1",
        "psc_auth_url": "http://127.0.0.1:1",
        "sites_file": folder / "sites.json",
        "pfi_file": folder / "pfi.json",
    }
    return PfiSettings.model_validate(values | changes)


def test_a_service_does_not_start_with_a_link_that_cannot_work(tmp_path: Path, samples: Any) -> None:
    described: dict[str, Any] = {"platforms": [PFI], "sites": [{"site_id": "site-nord", "dmp": "ch"}]}
    with pytest.raises(ValidationError, match="pfi_port is required: ch is asked for receipts"):
        settings(tmp_path, samples, described)
    with pytest.raises(ValidationError, match="pfi_ca asks platforms for certificates"):
        settings(tmp_path, samples, described, pfi_port=0, pfi_ca=tmp_path / "sites.json")
    with pytest.raises(ValidationError, match="pfi_cert and pfi_key go together"):
        settings(tmp_path, samples, described, pfi_port=0, pfi_cert=tmp_path / "sites.json")
    with pytest.raises(ValidationError, match=r"pfi_file: sites\.0\.dmp: no platform has this name"):
        settings(tmp_path, samples, {"sites": [{"site_id": "site-nord", "dmp": "x"}]})
    absent = {"platforms": [PFI | {"ca": str(tmp_path / "absent.pem")}]}
    with pytest.raises(ValidationError, match="pfi_file: ch: ca is not a file"):
        settings(tmp_path, samples, absent, pfi_port=0)
    bound = {"platforms": [PFI | {"certificates": ["pfi.ch.example"]}]}
    with pytest.raises(ValidationError, match="pfi_ca is required: ch is known by its certificate"):
        settings(tmp_path, samples, bound, pfi_port=0)
    assert settings(tmp_path, samples, described, pfi_port=0).distribution().platforms[0].name == "ch"


def test_production_wants_mutual_tls_on_every_link_that_leaves_the_host(tmp_path: Path, samples: Any) -> None:
    described: dict[str, Any] = {"platforms": [PFI]}
    with pytest.raises(ValidationError) as refused:
        settings(tmp_path, samples, described, environment="production", pfi_port=0, pfi_host="0.0.0.0")
    assert "pfi_cert, pfi_key and pfi_ca are required in production" in str(refused.value)
    assert "pfi_file: ch needs ca, cert and key in production" in str(refused.value)


def reference(unique_id: str) -> Any:
    from navette_contracts.events import DocumentReference

    return DocumentReference(
        document_id="d", cda_sha256="0" * 64, cda_size=1, pdf_sha256="0" * 64, pdf_size=1,
        unique_id=unique_id, set_id="1.2.4", version_number=1, level="N1",
    )  # fmt: skip


def edition(reference: Any, audience: tuple[Audience, ...], **carried: str) -> Any:
    from navette_report.domain.report import Edition

    return Edition(
        reference=reference,
        ins_qualified=True,
        identity_revision=1,
        audience=audience,
        carriers={Audience(party): name for party, name in carried.items()},
        composed_at="2026-11-20T13:32:00Z",
    )


def test_a_report_keeps_the_way_it_took_whatever_the_file_says_since(samples: Any) -> None:
    report = samples.signed()
    now = load(PFI, OTHER, sites=({"site_id": "nord", "dmp": "clinique", "patient": "clinique"},))
    report = report.model_copy(update={"site_id": "nord"})
    everyone = (Audience.DMP, Audience.PROFESSIONALS, Audience.PATIENT)
    assert carriers(now, report, everyone) == {Audience.DMP: "clinique", Audience.PATIENT: "clinique"}

    sent = edition(reference("1.2.3"), (Audience.DMP, Audience.PROFESSIONALS), dmp="ch")
    known = report.with_current(report.current.model_copy(update={"editions": (sent,)}))
    # The DMP by the platform that deposited it, the professionals by Navette; the patient, new, by today's file.
    assert carriers(now, known, everyone) == {Audience.DMP: "ch", Audience.PATIENT: "clinique"}

    assert lost(known, frozenset()) == frozenset()  # the professionals have it from Navette
    alone = report.with_current(
        report.current.model_copy(update={"editions": (edition(reference("1.2.3"), (Audience.DMP,), dmp="ch"),)})
    )
    assert lost(alone, frozenset()) == {"1.2.3"}
    assert lost(alone, frozenset({("ch", "1.2.3")})) == frozenset()


def test_what_is_made_without_the_ins_takes_no_place_where_the_ins_is_needed(samples: Any) -> None:
    now = load(PFI, OTHER, sites=({"site_id": "nord", "professionals": "ch"},))

    def left(*audience: Audience, **carried: str) -> frozenset[str]:
        editions = (edition(reference("1.2.3"), audience, **carried),)
        report = samples.signed()
        known = report.with_current(report.current.model_copy(update={"editions": editions}))
        return apart(now, known.model_copy(update={"site_id": "nord"}), (Audience.PROFESSIONALS,))

    both = (Audience.DMP, Audience.PROFESSIONALS)
    assert left(*both, dmp="ch", professionals="ch") == {"1.2.3"}
    assert left(Audience.PROFESSIONALS, Audience.PATIENT, professionals="ch", patient="ch") == {"1.2.3"}
    assert left(Audience.PROFESSIONALS, professionals="ch") == frozenset()
    # What another platform, or Navette itself, put in the DMP is not touched by what this one is given.
    assert left(*both, dmp="clinique", professionals="ch") == frozenset()
    assert left(*both, professionals="ch") == frozenset()
