"""The gate of the ANS conformance kit: what it lets through, what it holds and why, when it refuses to start."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib.util

import pytest
from lxml import etree
from navette_report.adapters.ans_kit import AnsKit, KitUnusable
from navette_report.adapters.ans_kit.schematron import Schema, SchemaError
from navette_report.adapters.ans_kit.stylesheet import stylesheet_of
from navette_report.adapters.workshop import Workshop
from navette_report.settings import ReportSettings
from pydantic import ValidationError

pytestmark = pytest.mark.conformance


@pytest.fixture(scope="module")
def kit(samples):
    folder = samples.conformance / "cda"
    if not folder.is_dir():
        pytest.skip("NAVETTE_CONFORMANCE_DIR names no conformance data")
    gate = AnsKit(folder)
    gate.warm()
    yield gate
    gate.close()


@pytest.fixture(scope="module")
def workshop(kit):
    return Workshop(notice="Mention d'information.", production=True, kit=kit)


@pytest.mark.dsr("RIS.DOC.02")
@pytest.mark.parametrize("level", ["N1", "N3"])
def test_the_gate_lets_the_gallery_through(gallery, workshop, level):
    for name, model in gallery.varied(level).items():
        assert workshop.make(model).findings == (), name


def test_the_gate_agrees_with_the_validator_on_what_fails(gallery, kit, conforming):
    made = Workshop(notice="x", production=True).make(gallery.document("N3"))
    broken = {
        "gender": made.cda.replace(b'code="F" displayName="F\xc3\xa9minin"', b'code="FF" displayName="x"'),
        "history": made.cda.replace(b'code="11348-0"', b'code="11348-1"'),
        "site": made.cda.replace(b'"302548004"', b'"302548005"'),
        "order": made.cda.replace(b"ps3-20:accessionNumber", b"ps3-20:accession"),
        "zone": made.cda.replace(b"<languageCode", b"<language"),
    }
    assert all(cda != made.cda for cda in broken.values())
    ours = {name for name, cda in broken.items() if kit.check(cda, structured=True)}
    theirs = {name for name, rule, _ in conforming({**broken, "sound": made.cda}) if not rule.startswith("lint")}
    assert ours == theirs == set(broken)


def test_a_finding_says_the_rule_and_the_place_never_the_value(gallery, kit):
    made = Workshop(notice="x", production=True).make(gallery.document("N1"))
    spoiled = made.cda.replace(b'code="F" displayName="F\xc3\xa9minin"', b'code="SECRET-VALUE" displayName="y"')
    findings = kit.check(spoiled, structured=False)
    assert any("JDV_J143" in one.rule and one.path.endswith("administrativeGenderCode[1]") for one in findings)
    assert all("SECRET-VALUE" not in one.rule + one.path for one in findings)
    assert all(len(one.rule) <= 300 for one in findings)


def test_a_document_the_kit_refuses_is_held_with_its_findings(gallery, workshop):
    # A title where the civility belongs: our own checks do not look there (spec/cda.md §8).
    document = gallery.document("N1")
    (doctor,) = document.content.correspondents
    content = document.content.model_copy(update={"correspondents": (doctor.model_copy(update={"civility": "DR"}),)})
    found = workshop.make(dataclasses.replace(document, content=content)).findings
    assert {one.path.rpartition("/")[2] for one in found} == {"informationRecipient[1]", "participant[1]"}
    assert all("JDV_J245-Civilite" in one.rule for one in found)


def test_several_threads_may_ask_the_gate_at_once(gallery, workshop):
    async def all_at_once():
        return await asyncio.gather(*(workshop.run(gallery.document(level)) for level in ("N1", "N3") * 3))

    assert [made.findings for made in asyncio.run(all_at_once())] == [()] * 6


def test_a_folder_without_kit_is_refused_at_boot_in_one_sentence(tmp_path):
    with pytest.raises(KitUnusable, match=r"holds no conformance kit: schematrons/profils/IHE\.sch is missing"):
        AnsKit(tmp_path)
    with pytest.raises(ValidationError, match="holds no conformance kit"):
        settings_with(tmp_path)


def test_a_kit_without_its_engine_is_refused_at_boot_in_one_sentence(samples, kit, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "saxonche" else found(name, *a))
    with pytest.raises(ValidationError, match=r"install navette-report\[kit\]"):
        settings_with(samples.conformance / "cda")


def settings_with(folder):
    return ReportSettings.model_validate(
        {"environment": "development", "kafka_bootstrap": "x:1", "mongo_uri": "mongodb://127.0.0.1/",
         "psc_auth_url": "http://127.0.0.1:1", "ans_kit_dir": folder}
    )  # fmt: skip


HEAD = '<schema xmlns="http://purl.oclc.org/dsdl/schematron" xmlns:p="urn:p">'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f'{HEAD}<include href="nowhere.sch"/></schema>', "missing or malformed"),
        (f'{HEAD}<include href="rules.sch"/></schema>', "includes itself"),
        (f'{HEAD}<pattern is-a="nothing"/></schema>', "unknown one"),
        (HEAD.replace(">", ' defaultPhase="none">') + "</schema>", "default phase"),
        (f'{HEAD}<pattern><rule context="a"><extends rule="b"/></rule></pattern></schema>', "extends an unknown"),
        ("<schema", "missing or malformed"),
    ],
)
def test_a_rule_file_that_makes_no_sense_is_named(tmp_path, text, reason):
    (tmp_path / "rules.sch").write_text(text)
    with pytest.raises(SchemaError, match=rf"\.sch: .*{reason}"):
        stylesheet_of(Schema(tmp_path / "rules.sch"))


def test_the_first_rule_of_a_pattern_wins_every_pattern_is_asked_and_the_walk_goes_on_below(tmp_path):
    (tmp_path / "UPPER.sch").write_text(
        '<pattern xmlns="http://purl.oclc.org/dsdl/schematron" abstract="true" id="p">'
        '<rule context="$what"><assert test="@n">$what sans n : <value-of select="."/> !</assert></rule></pattern>'
    )
    (tmp_path / "rules.sch").write_text(
        f'{HEAD}<include href="upper.sch"/><pattern is-a="p" id="i"><param name="what" value="b"/></pattern>'
        '<pattern id="order"><rule context="a"><report test="true()">first</report></rule>'
        '<rule context="*"><assert test="false()">rest</assert><assert role="warning" test="false()">soft</assert>'
        '</rule></pattern><pattern id="too"><rule context="b"><report test="true()">also</report></rule></pattern>'
        "</schema>"
    )
    import saxonche

    processor = saxonche.PySaxonProcessor(license=False)
    sheet = processor.new_xslt30_processor().compile_stylesheet(
        stylesheet_text=stylesheet_of(Schema(tmp_path / "rules.sch"))
    )
    answer = sheet.transform_to_string(xdm_node=processor.parse_xml(xml_text="<a><b>secret<b n='1'/></b></a>"))
    findings = [(one.get("path"), one.text) for one in etree.fromstring(answer.encode()).iter("finding")]
    assert sorted(findings) == [
        ("a[1]", "first"),
        ("a[1]/b[1]", "also"),  # a rule alone in its pattern takes nothing from the others
        ("a[1]/b[1]", "b sans n : … !"),
        ("a[1]/b[1]", "rest"),
        ("a[1]/b[1]/b[1]", "also"),
        ("a[1]/b[1]/b[1]", "rest"),
    ]
