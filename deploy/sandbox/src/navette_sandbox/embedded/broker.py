"""What the two embedded brokers have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, Literal

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaConnectionError, KafkaError, TopicAlreadyExistsError, for_code

from navette_sandbox.ports import HOST, is_listening
from navette_sandbox.processes import Child, SandboxError

BrokerKind = Literal["kafka", "tansu"]


async def _with_admin_create(bootstrap: str, names: Iterable[str], partitions: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=60000)
    await admin.start()
    try:
        existing = set(await admin.list_topics())
        wanted = [
            NewTopic(name, num_partitions=partitions, replication_factor=1)
            for name in dict.fromkeys(names)
            if name not in existing
        ]
        if not wanted:
            return
        answer = await admin.create_topics(wanted)
        for topic, code, *_ in answer.topic_errors:
            error = for_code(code)
            if code and error is not TopicAlreadyExistsError:
                raise SandboxError(f"The broker refused to create the topic {topic}: {error.__name__}.")
    finally:
        await admin.close()


async def _metadata_answers(bootstrap: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2000)
    try:
        await admin.start()
        await admin.list_topics()
    except (KafkaConnectionError, KafkaError, OSError):
        return False
    finally:
        await admin.close()
    return True


def run_apart(coroutine_function: object, *args: object) -> object:
    """Run a coroutine function in a loop of its own, whether or not the caller's thread runs a loop."""

    def work() -> object:
        return asyncio.run(coroutine_function(*args))  # type: ignore[operator]  # checked by the callers

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(work).result()


class EmbeddedBroker:
    """A single-node broker process on the loopback interface."""

    kind: ClassVar[BrokerKind]
    idempotent: ClassVar[bool]
    """Whether it accepts an idempotent producer."""
    durable: ClassVar[bool]
    """Whether messages and offsets survive `stop()` and `kill()`."""
    fetch_wait_ms: ClassVar[int] = 500
    """How long a consumer's poll should wait for a message, milliseconds."""

    def __init__(self, port: int, child: Child) -> None:
        self.port = port
        self.bootstrap = f"{HOST}:{port}"
        self.child = child
        self._topics: dict[str, int] = {}

    def answers(self) -> bool:
        """Whether the broker answers a metadata request."""
        return is_listening(self.port) and bool(run_apart(_metadata_answers, self.bootstrap))

    @property
    def log(self) -> Path:
        """File with what the broker printed."""
        return self.child.log

    def start(self) -> None:
        """Start and wait until it answers; a broker without a disk gets its topics again, empty."""
        self.child.start()
        if self._topics and not self.durable:
            for partitions in set(self._topics.values()):
                names = [name for name, count in self._topics.items() if count == partitions]
                run_apart(_with_admin_create, self.bootstrap, names, partitions)

    def stop(self) -> None:
        """End the broker in order."""
        self.child.stop()

    def kill(self) -> None:
        """SIGKILL."""
        self.child.kill()

    def restart(self) -> None:
        """Stop, then start on the same port."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the broker: connections stay open, nothing answers, nothing is forgotten."""
        self.child.pause()

    def resume(self) -> None:
        """Let a frozen broker go on."""
        self.child.resume()

    def create_topics(self, names: Iterable[str], partitions: int = 1) -> None:
        """Create the topics that do not exist yet.

        Raises:
            SandboxError: the broker refused one.
        """
        wanted = list(names)
        run_apart(_with_admin_create, self.bootstrap, wanted, partitions)
        self._topics.update(dict.fromkeys(wanted, partitions))
