"""Which broker runs: Apache Kafka when it can be had, Tansu otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from navette_sandbox.embedded import kafka
from navette_sandbox.embedded.broker import EmbeddedBroker
from navette_sandbox.embedded.kafka import KafkaBroker
from navette_sandbox.embedded.tansu import TansuBroker

BrokerChoice = Literal["kafka", "tansu", "auto"]


def make_broker(choice: BrokerChoice, directory: Path, *, port: int | None = None) -> tuple[EmbeddedBroker, str]:
    """Return the broker (not started) and one sentence that says which one it is and why.

    Raises:
        SandboxError: the broker asked for cannot be had.
    """
    if choice == "tansu":
        return TansuBroker(directory, port=port), "Broker: Tansu (asked for), messages in memory only."
    if choice == "kafka":
        return KafkaBroker(directory, port=port), f"Broker: Apache Kafka {kafka.KAFKA_VERSION} (asked for)."
    reason = kafka.unavailable_reason()
    if reason is None:
        return KafkaBroker(directory, port=port), f"Broker: Apache Kafka {kafka.KAFKA_VERSION}."
    return TansuBroker(directory, port=port), f"Broker: Tansu, messages in memory only. {reason}"
