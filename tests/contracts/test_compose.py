"""`docker-compose.yml` cannot run where no engine is; so it is read: settings, topics, hardening, completeness."""

from __future__ import annotations

import importlib
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from navette_chassis import ServiceSettings
from navette_contracts.catalogue import SERVICES, TOPICS
from navette_sandbox.layout import SIMULATORS, Layout
from navette_sandbox.materials import topic_names, write_materials

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
PROCESSES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (ROOT / "deploy" / "docker" / "Dockerfile").read_text("utf-8")


def settings_class(service: str) -> type[ServiceSettings]:
    package = f"navette_{service.replace('-', '_')}"
    module = importlib.import_module(f"{package}.settings")
    found = [
        one
        for one in vars(module).values()
        if isinstance(one, type) and issubclass(one, ServiceSettings) and one.__module__ == module.__name__
    ]
    return found[0]


@pytest.fixture(scope="module")
def materials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the set-up container puts on the volume."""
    directory = tmp_path_factory.mktemp("materials")
    layout = Layout("compose", directory)
    write_materials(layout)
    layout.keys.mongo_uri.write_text("mongodb://mongo:27017/?replicaSet=navette")
    return directory


def test_every_service_and_every_simulator_has_a_container() -> None:
    assert set(SERVICES) <= set(PROCESSES)
    assert {f"sim-{name}" for name in SIMULATORS} <= set(PROCESSES)
    assert {"kafka", "mongo", "setup"} <= set(PROCESSES)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_accepts_the_environment_of_its_container(
    service: str, materials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment: dict[str, str] = PROCESSES[service]["environment"]
    cls = settings_class(service)
    unknown = {name for name in environment if name.removeprefix("NAVETTE_").lower() not in cls.model_fields}
    assert unknown == set()
    for name, value in environment.items():
        text = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", value)
        monkeypatch.setenv(name, text.replace("/materials", str(materials)))
    settings = cls()
    assert settings.kafka_bootstrap == "kafka:9092"
    assert settings.otlp_endpoint is None


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_like_this_would_not_start_in_production(
    service: str, materials: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in PROCESSES[service]["environment"].items():
        monkeypatch.setenv(name, value.replace("/materials", str(materials)).replace("${NAVETTE_OTLP_ENDPOINT:-}", ""))
    monkeypatch.setenv("NAVETTE_ENVIRONMENT", "production")
    with pytest.raises(ValueError, match="kafka_ca is required in production"):
        settings_class(service)()


def test_topics_come_from_the_catalogue_and_the_broker_invents_none() -> None:
    assert PROCESSES["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    assert set(topic_names()) == {topic.name for topic in TOPICS} | {topic.dlq for topic in TOPICS}
    assert PROCESSES["setup"]["build"]["args"]["MODULE"] == "navette_sandbox.materials"
    for service in SERVICES:
        assert PROCESSES[service]["depends_on"]["setup"]["condition"] == "service_completed_successfully"


@pytest.mark.parametrize("name", [*SERVICES, *(f"sim-{one}" for one in SIMULATORS)])
def test_our_containers_run_without_rights_on_a_read_only_root(name: str) -> None:
    process = PROCESSES[name]
    assert process["read_only"] is True
    assert process["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in process["security_opt"]
    assert re.search(r"^USER 10001:10001$", DOCKERFILE, re.MULTILINE)
    assert all(not volume.startswith("materials") or volume.endswith(":ro") for volume in process["volumes"])


@pytest.mark.parametrize("service", SERVICES)
def test_images_are_built_from_the_member_and_started_by_its_module(service: str) -> None:
    arguments = PROCESSES[service]["build"]["args"]
    assert arguments["PACKAGE"] == f"navette-{service}"
    assert (ROOT / "services" / service / "src" / arguments["MODULE"] / "__main__.py").exists()
    assert PROCESSES[service]["build"]["dockerfile"] == "deploy/docker/Dockerfile"


def test_the_image_installs_the_lock_file_and_nothing_for_development() -> None:
    assert "uv sync --locked --no-dev --no-editable" in DOCKERFILE
    assert "exec python" in DOCKERFILE


def test_the_database_is_a_replica_set_because_transactions_need_one() -> None:
    assert "--replSet" in PROCESSES["mongo"]["command"]
    assert any("replicaSet=navette" in argument for argument in PROCESSES["setup"]["command"])


def test_addresses_point_at_containers_that_exist() -> None:
    for service in SERVICES:
        for value in PROCESSES[service]["environment"].values():
            for host in re.findall(r"https?://([a-z-]+):\d+", value):
                assert host in PROCESSES or host == "localhost", f"{service}: {host}"


def test_prometheus_scrapes_every_service() -> None:
    scrape = yaml.safe_load((ROOT / "deploy/observability/prometheus.yaml").read_text("utf-8"))["scrape_configs"][0]
    hosts = {target.partition(":")[0] for target in scrape["static_configs"][0]["targets"]}
    assert hosts == set(SERVICES)


def installed(service: str, folder: Path) -> list[str]:
    """What the build of a container asks of uv: its RUN line, played by a shell with a uv that only tells."""
    (line,) = [one for one in DOCKERFILE.splitlines() if one.startswith("RUN") and "uv sync" in one]
    teller = folder / "uv"
    teller.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    teller.chmod(0o755)
    arguments = {"EXTRAS": "", **PROCESSES[service]["build"]["args"]}
    command = ["/bin/sh", "-c", line.removeprefix("RUN")]
    environment = {**arguments, "PATH": f"{folder}:/usr/bin:/bin"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("service", SERVICES)
def test_the_image_of_a_service_has_everything_the_service_can_use(service: str, tmp_path: Path) -> None:
    package = tomllib.loads((ROOT / "services" / service / "pyproject.toml").read_text("utf-8"))["project"]
    asked = installed(service, tmp_path)
    assert asked[asked.index("--package") + 1] == package["name"]
    extras = [asked[number + 1] for number, word in enumerate(asked) if word == "--extra"]
    assert sorted(extras) == sorted(package.get("optional-dependencies", {}))
