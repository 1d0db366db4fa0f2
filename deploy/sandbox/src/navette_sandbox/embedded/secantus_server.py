"""The process of the embedded database: SecantusDB by its own class, because its command cannot switch expiry off.

Its sweeper of expired rows keeps, from one sweep to the next, the view of the database it read last. Nothing that
was written since can then leave the cache, so under load each statement takes longer until none returns; and a sweep
reads every row. The sandbox lives for hours and what expires is kept for days, so it goes without.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys

from secantus.server import SecantusDBServer


def main() -> int:
    """Serve until SIGTERM. Every commit is on disk before it is answered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--storage-path", required=True)
    parser.add_argument("--cache-size", required=True, help="such as 1G")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    server = SecantusDBServer(
        options.host,
        options.port,
        options.storage_path,
        cache_size=options.cache_size,
        sync_on_commit=True,
        ttl_sweep_seconds=0,
        enable_test_commands=False,
    )

    def stop(_signal: int, _frame: object) -> None:
        server.stop()
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    server.start()
    server.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
