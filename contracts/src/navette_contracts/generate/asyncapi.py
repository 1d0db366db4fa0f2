"""AsyncAPI 3.0 documents, one per service (contracts/asyncapi/<service>.yaml)."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from navette_contracts.catalogue import SERVICES, Topic, topics_consumed_by, topics_produced_by
from navette_contracts.events import Event
from navette_contracts.generate.envelope import HEADERS, to_yaml

FOLDER = Path("contracts/asyncapi")


def document(service: str) -> dict[str, Any]:
    """Return the AsyncAPI document of a service: what it sends and what it receives."""
    sent, received = topics_produced_by(service), topics_consumed_by(service)
    topics = list(dict.fromkeys((*sent, *received)))
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": f"navette-{service}",
            "version": version("navette-contracts"),
            "description": f"Events the service {service} sends and receives.",
        },
        "defaultContentType": "application/json",
        "channels": {_name(topic.name): _channel(topic) for topic in topics},
        "operations": {
            **{_name(f"send.{topic.name}"): _operation("send", topic) for topic in sent},
            **{_name(f"receive.{topic.name}"): _operation("receive", topic) for topic in received},
        },
        "components": {
            "messages": {_name(event.type): _message(event) for topic in topics for event in topic.events},
            "schemas": {"CloudEventHeaders": HEADERS},
        },
    }


def files() -> dict[Path, str]:
    """Return the document of every service."""
    return {FOLDER / f"{service}.yaml": to_yaml(document(service)) for service in SERVICES}


def _name(dotted: str) -> str:
    # Component keys may hold dots, but JSON pointers and code generators read better without.
    head, *rest = dotted.replace("_", ".").split(".")
    return head + "".join(part.capitalize() for part in rest)


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": topic.meaning,
        "messages": {
            _name(event.type): {"$ref": f"#/components/messages/{_name(event.type)}"} for event in topic.events
        },
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": ["delete"],
                    "retention.ms": int(topic.retention.total_seconds() * 1000),
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(action: str, topic: Topic) -> dict[str, Any]:
    channel = f"#/channels/{_name(topic.name)}"
    return {
        "action": action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{_name(event.type)}"} for event in topic.events],
    }


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.type,
        "summary": (event.__doc__ or "").strip().splitlines()[0],
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/CloudEventHeaders"},
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {"$ref": f"../schemas/{event.type}.json"},
        },
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": f"value of {event.key_field}"},
                "bindingVersion": "0.5.0",
            }
        },
    }
