"""What is generated agrees with the models and the catalogue, is valid on its own, and drift is noticed."""

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from navette_contracts.catalogue import (
    AUDIT_SINK,
    EVENTS,
    SERVICES,
    TOPICS,
    event_of,
    topic_of,
    topics_consumed_by,
    topics_produced_by,
)
from navette_contracts.cloudevents import decode
from navette_contracts.events import Event, ReportComposed, Traits
from navette_contracts.events.patient import PatientIdentified
from navette_contracts.generate import GENERATED_FOLDERS, generated_files
from navette_contracts.generate.__main__ import main
from navette_contracts.generate.examples import published_keyring

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "contracts/examples").glob("*/*.json"))


def example(path: Path) -> tuple[dict[str, Any], type[Event]]:
    event = event_of(path.parent.name)
    assert event is not None
    return json.loads(path.read_text()), event


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for folder in GENERATED_FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "docs").mkdir()
    shutil.copy(ROOT / "docs/topics.md", tmp_path / "docs/topics.md")
    return tmp_path


def test_the_committed_files_are_those_the_models_generate(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err


def test_generating_twice_changes_nothing(checkout: Path) -> None:
    assert generated_files(checkout) == generated_files(ROOT)


@pytest.mark.parametrize("file", ["contracts/schemas/mss.sent.v1.json", "deploy/kafka/users.yaml", "docs/topics.md"])
def test_a_file_edited_by_hand_is_noticed_and_restored(
    checkout: Path, file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / file).write_text((checkout / file).read_text() + "\n")
    assert main(["--check", "--root", str(checkout)]) == 1
    assert f"stale: {file}" in capsys.readouterr().err
    assert main(["--root", str(checkout)]) == 0
    assert main(["--check", "--root", str(checkout)]) == 0


def test_a_file_nothing_generates_any_more_is_noticed(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "contracts/asyncapi/gone.yaml").write_text("x: 1\n")
    assert main(["--check", "--root", str(checkout)]) == 1
    assert "gone.yaml" in capsys.readouterr().err
    assert main(["--root", str(checkout)]) == 0
    assert not (checkout / "contracts/asyncapi/gone.yaml").exists()


def test_a_forbidden_change_cannot_be_written_into_the_snapshots(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    snapshot = checkout / "contracts/schemas/mss.sent.v1.json"
    released = json.loads(snapshot.read_text())
    released["properties"]["priority"] = {"type": "integer"}
    snapshot.write_text(json.dumps(released))
    assert main(["--root", str(checkout)]) == 1
    assert "mss.sent.v1: event.priority: field removed or renamed" in capsys.readouterr().err
    assert json.loads(snapshot.read_text()) == released


def test_outside_a_checkout_the_generator_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(tmp_path)]) == 1
    assert "not a checkout" in capsys.readouterr().err


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_every_event_version_has_a_golden_example(event: type[Event]) -> None:
    assert list((ROOT / "contracts/examples" / event.type).glob("*.json"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_consumer_reads_every_golden_example(path: Path) -> None:
    message, event = example(path)
    headers = [(name, value.encode()) for name, value in message["headers"].items()]
    envelope, body = decode(headers, json.dumps(message["body"]).encode())
    consumers = topic_of(event).consumers
    assert consumers
    for _consumer in consumers:
        read = event.parse(body)
        assert read.key == message["key"] == envelope.subject
        assert envelope.type == read.type


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_golden_example_obeys_its_schema(path: Path) -> None:
    message, event = example(path)
    schema = json.loads((ROOT / f"contracts/schemas/{event.type}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(message["body"])


def test_the_sealed_parts_of_the_examples_open_with_the_published_keyring() -> None:
    message, _ = example(ROOT / "contracts/examples/patient.identified.v1/full.json")
    event = PatientIdentified.parse(json.dumps(message["body"]).encode())
    assert event.traits.open(published_keyring(), Traits).birth_name == "NOMFICTIF"
    assert "NOMFICTIF" not in json.dumps(message)


def test_each_topic_has_producers_consumers_and_one_family() -> None:
    names = [topic.name for topic in TOPICS]
    assert len(names) == len(set(names))
    for topic in TOPICS:
        assert topic.producers
        assert topic.consumers
        assert set(topic.producers) <= set(SERVICES)
        assert set(topic.consumers) <= {*SERVICES, AUDIT_SINK}
        assert all(event.topic() == topic.name for event in topic.events)
        assert all(event.key_field in event.model_fields for event in topic.events)
    assert topic_of(ReportComposed).dlq == "report.composed.dlq"
    assert event_of("unknown.v1") is None


@pytest.mark.parametrize("service", SERVICES)
def test_the_asyncapi_document_of_a_service_is_sound(service: str) -> None:
    file = ROOT / f"contracts/asyncapi/{service}.yaml"
    document = yaml.safe_load(file.read_text())
    assert document["asyncapi"] == "3.0.0"
    assert {"title", "version"} <= document["info"].keys()
    for operation in document["operations"].values():
        assert operation["action"] in {"send", "receive"}
        channel = resolve(document, operation["channel"]["$ref"], file)
        allowed = {id(resolve(document, one["$ref"], file)) for one in channel["messages"].values()}
        for reference in operation["messages"]:
            # AsyncAPI 3: an operation's messages must point into its own channel.
            assert reference["$ref"].startswith(operation["channel"]["$ref"] + "/messages/")
            target = resolve(document, reference["$ref"], file)
            assert id(resolve(document, target["$ref"], file)) in allowed
    for message in document["components"]["messages"].values():
        payload = resolve(document, message["payload"]["schema"]["$ref"], file)
        assert payload["x-event"]["type"] == message["name"]
        resolve(document, message["headers"]["$ref"], file)
    sent = {c["address"] for c in operation_channels(document, "send", file)}
    received = {c["address"] for c in operation_channels(document, "receive", file)}
    assert sent == {topic.name for topic in topics_produced_by(service)}
    assert received == {topic.name for topic in topics_consumed_by(service)}


def operation_channels(document: dict[str, Any], action: str, file: Path) -> list[dict[str, Any]]:
    operations = [one for one in document["operations"].values() if one["action"] == action]
    return [resolve(document, one["channel"]["$ref"], file) for one in operations]


def resolve(document: dict[str, Any], reference: str, file: Path) -> Any:
    path, _, pointer = reference.partition("#")
    if path:
        return json.loads((file.parent / path).read_text())
    node: Any = document
    for step in pointer.strip("/").split("/"):
        node = node[step]
    return node


def test_each_topic_and_dead_letter_topic_is_a_kubernetes_resource() -> None:
    resources = list(yaml.safe_load_all((ROOT / "deploy/kafka/topics.yaml").read_text()))
    declared = {resource["spec"]["topicName"]: resource for resource in resources}
    assert declared.keys() == {name for topic in TOPICS for name in (topic.name, topic.dlq)}
    for resource in resources:
        assert resource["kind"] == "KafkaTopic"
        assert "_" not in resource["metadata"]["name"]
        assert resource["spec"]["replicas"] == 3
    assert declared["report.signed"]["spec"]["partitions"] == 12


@pytest.mark.parametrize("name", [*SERVICES, AUDIT_SINK])
def test_a_service_may_write_its_own_topics_and_read_the_declared_ones_and_no_more(name: str) -> None:
    users = {
        user["metadata"]["name"]: user for user in yaml.safe_load_all((ROOT / "deploy/kafka/users.yaml").read_text())
    }
    acls = users[f"navette-{name}"]["spec"]["authorization"]["acls"]
    rights = {
        (operation, acl["resource"]["name"])
        for acl in acls
        for operation in acl["operations"]
        if acl["resource"]["type"] == "topic"
    }
    consumed = topics_consumed_by(name)
    dead_letters = {topic.dlq for topic in consumed} if name != AUDIT_SINK else set()
    assert {topic for right, topic in rights if right == "Write"} == {
        *(topic.name for topic in topics_produced_by(name)),
        *dead_letters,
    }
    assert {topic for right, topic in rights if right == "Read"} == {topic.name for topic in consumed}
    groups = [acl["resource"] for acl in acls if acl["resource"]["type"] == "group"]
    assert groups == ([{"type": "group", "name": f"navette-{name}.", "patternType": "prefix"}] if consumed else [])
    assert not any("All" in acl["operations"] for acl in acls)
