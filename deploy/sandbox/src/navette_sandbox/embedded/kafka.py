"""Apache Kafka, one KRaft node, its jars resolved once by Maven into the user's cache folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from navette_sandbox.embedded.broker import BrokerKind, EmbeddedBroker
from navette_sandbox.ports import HOST, free_port, free_ports
from navette_sandbox.processes import Child, SandboxError

KAFKA_VERSION = "4.1.0"
LOG4J_VERSION = "2.24.3"
"""Of the binding that Kafka's own distribution adds to its jars; without it the broker logs nothing."""
HEAP = "512m"
_COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_DOWNLOAD_SECONDS = 300

_POM = f"""<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>navette.sandbox</groupId>
  <artifactId>embedded-kafka</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>{KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>{LOG4J_VERSION}</version>
    </dependency>
  </dependencies>
</project>
"""

_LOG4J = """Configuration:
  status: warn
  name: embedded
  Appenders:
    Console:
      name: STDOUT
      PatternLayout:
        Pattern: "%d{ISO8601} %p %m (%c{1})%n"
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        ref: STDOUT
"""


def cache_directory() -> Path:
    """Folder of the jars: `NAVETTE_SANDBOX_CACHE`, else the user's cache folder."""
    configured = os.environ.get("NAVETTE_SANDBOX_CACHE")
    if configured:
        return Path(configured) / f"kafka-{KAFKA_VERSION}"
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "navette-sandbox" / f"kafka-{KAFKA_VERSION}"


def java() -> str:
    """Return the `java` executable.

    Raises:
        SandboxError: there is none, or it is older than 17.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home) / "bin")) if home else None
    found = found or shutil.which("java")
    if found is None:
        raise SandboxError("Apache Kafka needs Java 17 or newer, and no `java` is on the PATH.")
    try:
        answer = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxError("Apache Kafka needs Java 17 or newer, and the `java` found does not run.") from error
    version = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    if version is None or int(version.group(1)) < 17:
        raise SandboxError("Apache Kafka needs Java 17 or newer, and the `java` found is older.")
    return found


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a file lock, so that two sandboxes do not download at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def jars() -> Path:
    """Return the folder with Kafka's jars, asking Maven for them the first time.

    Raises:
        SandboxError: Maven is missing, or cannot resolve the jars.
    """
    cache = cache_directory()
    target = cache / "jars"
    if _complete(target):
        return target
    with _locked(cache / "lock"):
        if not _complete(target):
            _download(cache, target)
    return target


def _complete(target: Path) -> bool:
    names = (f"kafka_2.13-{KAFKA_VERSION}.jar", f"log4j-slf4j-impl-{LOG4J_VERSION}.jar")
    return all((target / name).exists() for name in names)


def _download(cache: Path, target: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise SandboxError("Apache Kafka is fetched with Maven, and no `mvn` is on the PATH.")
    partial = cache / f"partial-{uuid.uuid4().hex}"
    partial.mkdir(parents=True)
    try:
        (partial / "pom.xml").write_text(_POM, "utf-8")
        command = [
            *(maven, "-B", "-q", "-f", str(partial / "pom.xml"), _COPY_GOAL),
            *("-DincludeScope=runtime", f"-DoutputDirectory={partial / 'jars'}"),
        ]
        log = cache / "maven.log"
        with log.open("wb") as out:
            result = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=_DOWNLOAD_SECONDS,
                check=False,
            )
        if result.returncode != 0 or not _complete(partial / "jars"):
            raise SandboxError(f"Maven cannot resolve Apache Kafka {KAFKA_VERSION} (details: {log}).")
        shutil.rmtree(target, ignore_errors=True)
        (partial / "jars").rename(target)
    except subprocess.TimeoutExpired as error:
        raise SandboxError(f"Maven did not answer within {_DOWNLOAD_SECONDS} s: no registry reached.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def unavailable_reason() -> str | None:
    """Why Apache Kafka cannot run here, or None when it can (fetches the jars the first time)."""
    try:
        java()
        jars()
    except SandboxError as error:
        return str(error)
    return None


def _properties(directory: Path, port: int, controller_port: int) -> str:
    return "\n".join(
        [
            "process.roles=broker,controller",
            "node.id=1",
            f"controller.quorum.voters=1@{HOST}:{controller_port}",
            f"listeners=PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
            f"advertised.listeners=PLAINTEXT://{HOST}:{port}",
            "controller.listener.names=CONTROLLER",
            "inter.broker.listener.name=PLAINTEXT",
            "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            f"log.dirs={directory / 'data'}",
            "auto.create.topics.enable=false",
            "default.replication.factor=1",
            "offsets.topic.num.partitions=4",
            "offsets.topic.replication.factor=1",
            "transaction.state.log.num.partitions=4",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
            "share.coordinator.state.topic.replication.factor=1",
            "share.coordinator.state.topic.min.isr=1",
            "broker.session.timeout.ms=3000",
            "broker.heartbeat.interval.ms=500",
            "group.initial.rebalance.delay.ms=0",
            "group.min.session.timeout.ms=1000",
            "log.segment.bytes=16777216",
            "log.index.size.max.bytes=65536",
            "",
        ]
    )


class KafkaBroker(EmbeddedBroker):
    """One Apache Kafka process (broker and controller), plain text on the loopback interface."""

    kind: ClassVar[BrokerKind] = "kafka"
    idempotent: ClassVar[bool] = True
    durable: ClassVar[bool] = True

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        self._java = java()
        self._classpath = str(jars() / "*")
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        chosen = port or free_port()
        controller_port = next(each for each in free_ports(2) if each != chosen)
        config = directory / "server.properties"
        config.write_text(_properties(directory, chosen, controller_port), "utf-8")
        logging = directory / "log4j2.yaml"
        logging.write_text(_LOG4J, "utf-8")
        command = [
            *(self._java, f"-Xms{HEAP}", f"-Xmx{HEAP}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
            *(f"-Dlog4j2.configurationFile={logging}", "-cp", self._classpath, "kafka.Kafka", str(config)),
        ]
        child = Child(
            f"broker (Apache Kafka {KAFKA_VERSION})",
            command,
            log=directory / "kafka.log",
            ready=self.answers,
            start_seconds=180,
            stop_seconds=20,
        )
        super().__init__(chosen, child)

    def start(self) -> None:
        """Format the storage the first time, start, and wait until it answers."""
        self._format()
        super().start()

    def _format(self) -> None:
        if (self._directory / "data" / "meta.properties").exists():
            return
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        config = str(self._directory / "server.properties")
        command = [
            *(self._java, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", self._classpath),
            *(f"-Dlog4j2.configurationFile={self._directory / 'log4j2.yaml'}", "kafka.tools.StorageTool"),
            # One in 64 ids begins with a hyphen: it must not be read as an option.
            *("format", f"--cluster-id={cluster}", "-c", config),
        ]
        result = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
        if result.returncode != 0:
            raise SandboxError(f"Kafka's storage could not be formatted:\n{result.stdout}{result.stderr}")
