"""Everything a sandbox is given before its first process starts: certificates, secrets, sites, accounts, senders.

Run as `python -m navette_sandbox.materials` it also creates the topics of the catalogue: this is the set-up
container of `docker-compose.yml`, where the files lie on a volume that the services mount read-only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from navette_contracts.catalogue import TOPICS

from navette_sandbox import group
from navette_sandbox.keys import create_keys, write_secret
from navette_sandbox.layout import SERVICES, Layout
from navette_sandbox.pki import create_pki


def topic_names() -> list[str]:
    """Every topic of the catalogue and its dead-letter topic."""
    return [name for topic in TOPICS for name in (topic.name, topic.dlq)]


def write_materials(layout: Layout) -> None:
    """Write what is not there yet; sites, accounts and senders are written anew."""
    create_pki(layout.pki.directory)
    create_keys(layout.keys.directory, SERVICES)
    layout.config.mkdir(parents=True, exist_ok=True)
    written: dict[str, object] = {
        "sites": group.SITES,
        "accounts": group.ACCOUNTS,
        "pam-senders": group.PAM_SENDERS,
        "intake-senders": group.INTAKE_SENDERS,
        "pfi": _pfi(layout),
    }
    for name, content in written.items():
        (layout.config / f"{name}.json").write_text(json.dumps(content, ensure_ascii=False, indent=1), "utf-8")


def _pfi(layout: Layout) -> dict[str, object]:
    """What report is told of the platform of the hospital: it carries everything of the last site."""
    certificate, key = layout.pki.pair("ris-client")
    platform = {
        "name": "ch-exemple",
        "label": "PFI du CH d’Exemple",
        "kind": "pfi",
        # Between containers, each simulator has a name and the same port.
        "host": "localhost" if layout.ports else "sim-pfi",
        "port": layout.ports.get("sim-pfi", 9443),
        "ca": str(layout.pki.igc_ca),
        "cert": str(certificate),
        "key": str(key),
        "answer_seconds": 10,
        "application": group.PFI_APPLICATION,
        "facility": group.PFI_FACILITY,
        "sending_facility": "RIVES-C",
        "patient_domain": group.PATIENT_DOMAIN,
    }
    carried = dict.fromkeys(("dmp", "professionals", "patient"), platform["name"])
    return {"platforms": [platform], "sites": [{"site_id": group.SITES[-1]["site_id"], **carried}]}


async def create_topics(bootstrap: str, partitions: int) -> None:
    """Create the topics that do not exist; services never do."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        missing = sorted(set(topic_names()) - set(await admin.list_topics()))
        if missing:
            await admin.create_topics([NewTopic(name, partitions, 1) for name in missing])
    finally:
        await admin.close()


def main() -> None:
    """Entry point of the set-up container."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--mongo-uri", required=True)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--partitions", type=int, default=3)
    options = parser.parse_args()
    layout = Layout("compose", options.directory)
    write_materials(layout)
    write_secret(layout.keys.mongo_uri, options.mongo_uri)
    asyncio.run(create_topics(options.bootstrap, options.partitions))


if __name__ == "__main__":
    main()
