"""Strimzi resources (deploy/kafka/): one KafkaTopic per topic and DLQ, one KafkaUser with least ACLs per service."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from navette_contracts.catalogue import (
    AUDIT_SINK,
    DLQ_RETENTION,
    SERVICES,
    TOPICS,
    topics_consumed_by,
    topics_produced_by,
)
from navette_contracts.generate.envelope import to_yaml

FOLDER = Path("deploy/kafka")
_API = "kafka.strimzi.io/v1"
_CLUSTER = {"strimzi.io/cluster": "navette"}
_DLQ_PARTITIONS = 1


def topic_resource(name: str, partitions: int, retention: timedelta) -> dict[str, Any]:
    """Return a KafkaTopic: three replicas of which two must have each write."""
    return {
        "apiVersion": _API,
        "kind": "KafkaTopic",
        # A Kubernetes name has no underscore; topicName keeps the real one.
        "metadata": {"name": name.replace("_", "-"), "labels": _CLUSTER},
        "spec": {
            "topicName": name,
            "partitions": partitions,
            "replicas": 3,
            "config": {
                "cleanup.policy": "delete",
                "min.insync.replicas": 2,
                "retention.ms": int(retention.total_seconds() * 1000),
            },
        },
    }


def user_resource(name: str) -> dict[str, Any]:
    """Return the KafkaUser of a service: writes its own topics, reads those it is declared to consume."""
    produced, consumed = topics_produced_by(name), topics_consumed_by(name)
    acls = [_acl("topic", topic.name, "literal", "Describe", "Write") for topic in produced]
    acls += [_acl("topic", topic.name, "literal", "Describe", "Read") for topic in consumed]
    if consumed:
        # One consumer group per handler: navette-<service>.<handler>
        acls.append(_acl("group", f"navette-{name}.", "prefix", "Read"))
    if name in SERVICES:
        acls += [_acl("topic", topic.dlq, "literal", "Describe", "Write") for topic in consumed]
    return {
        "apiVersion": _API,
        "kind": "KafkaUser",
        "metadata": {"name": f"navette-{name}", "labels": _CLUSTER},
        "spec": {
            "authentication": {"type": "tls"},
            "authorization": {"type": "simple", "acls": acls},
        },
    }


def files() -> dict[Path, str]:
    """Return topics.yaml and users.yaml."""
    topics = [topic_resource(topic.name, topic.partitions, topic.retention) for topic in TOPICS]
    dlqs = [topic_resource(topic.dlq, _DLQ_PARTITIONS, DLQ_RETENTION) for topic in TOPICS]
    return {
        FOLDER / "topics.yaml": to_yaml(*topics, *dlqs),
        FOLDER / "users.yaml": to_yaml(*(user_resource(name) for name in (*SERVICES, AUDIT_SINK))),
    }


def _acl(kind: str, name: str, pattern: str, *operations: str) -> dict[str, Any]:
    return {
        "resource": {"type": kind, "name": name, "patternType": pattern},
        "operations": list(operations),
        "host": "*",
    }
