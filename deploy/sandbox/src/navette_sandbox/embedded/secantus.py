"""SecantusDB: a database that speaks the MongoDB wire protocol, as a single-node replica set.

A development dependency: no service imports it and no image ships it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from navette_sandbox.ports import HOST, free_port
from navette_sandbox.processes import Child

REPLICA_SET = "secantus"

CACHE = "2G"
"""Most memory for its cache: what open transactions hold must stay well below a fifth of it, or all statements wait."""


class MongoServer:
    """One SecantusDB process on the loopback interface.

    The data survive `kill()` and `stop()`: `start()` opens the same directory on the same port.
    """

    def __init__(self, directory: Path, *, port: int | None = None) -> None:
        self.port = port or free_port()
        self.uri = f"mongodb://{HOST}:{self.port}/?replicaSet={REPLICA_SET}"
        directory.mkdir(parents=True, exist_ok=True)
        command = [
            *(sys.executable, "-m", "navette_sandbox.embedded.secantus_server"),
            *("--host", HOST, "--port", str(self.port)),
            *("--storage-path", str(directory / "data"), "--cache-size", CACHE),
        ]
        self.child = Child("database (SecantusDB)", command, log=directory / "secantus.log", ready=self._answers)

    def _answers(self) -> bool:
        try:
            with MongoClient[dict[str, object]](
                self.uri, directConnection=False, serverSelectionTimeoutMS=1000, connectTimeoutMS=1000
            ) as client:
                return bool(client.admin.command("ping")["ok"])
        except PyMongoError:
            return False

    @property
    def log(self) -> Path:
        """File with what the server printed."""
        return self.child.log

    def start(self) -> None:
        """Start and wait until it answers."""
        self.child.start()

    def stop(self) -> None:
        """End the server in order."""
        self.child.stop()

    def kill(self) -> None:
        """SIGKILL; committed data survive."""
        self.child.kill()

    def restart(self) -> None:
        """Stop, then start on the same port with the same data."""
        self.child.restart()
