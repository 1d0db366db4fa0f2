"""`python -m navette_ins import FILE --site SITE`: identities of another system, at a bounded pace, resumable."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from navette_chassis import Mode, Service
from navette_chassis.outbox import OUTBOX
from navette_documents.sites import load_sites

from navette_ins.adapters.import_file import fingerprint, format_of, read_lines
from navette_ins.adapters.imports import OvertakenError, Progress, find_progress, save_progress, write_rejects
from navette_ins.api.french import RULES
from navette_ins.domain.import_lines import Format, HeaderRefused, Line
from navette_ins.settings import InsSettings
from navette_ins.use_cases.desk import Desk
from navette_ins.use_cases.import_patients import import_patients

DONE, STOPPED, REFUSED = 0, 1, 2
"""Exit statuses: every line dealt with; to be resumed; nothing was done."""

BACKLOG = 2_000
"""Events that may wait for the broker before the import pauses."""

_FLUSH_SECONDS = 60.0
_SAY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Import:
    """What was asked for."""

    path: Path
    form: Format
    site_id: str
    by: str
    rejects: Path
    resume: bool
    per_second: float
    batch: int


class ImportRefused(Exception):  # noqa: N818 - the import is refused
    """Nothing was done; the sentence says why."""


@dataclass(slots=True)
class Pace:
    """Holds the mean rate of lines under a bound, from when it was made."""

    per_second: float
    started: float = field(default_factory=time.monotonic)
    lines: int = 0

    async def after(self, lines: int) -> None:
        """Wait until that many more lines are due."""
        self.lines += lines
        await asyncio.sleep(max(0.0, self.started + self.lines / self.per_second - time.monotonic()))


def parse(arguments: list[str]) -> Import:
    """The arguments of the command; a wrong one ends the process with a sentence on standard error."""
    parser = argparse.ArgumentParser(prog="navette_ins import", description=__doc__)
    parser.add_argument("file", type=Path, help=".csv with a header, or .jsonl")
    parser.add_argument("--site", required=True, help="site whose IPP the file holds")
    parser.add_argument("--resume", action="store_true", help="go on where the same file was left")
    parser.add_argument("--rejects", type=Path, help="reject file; default FILE.rejets.csv")
    parser.add_argument("--rate", type=float, default=200.0, help="identities (and events) per second at most")
    parser.add_argument("--batch", type=int, default=100, help="lines of one transaction, 1 to 500")
    parser.add_argument("--by", default="import", help="who is written in the history")
    read = parser.parse_args(arguments)
    form = format_of(read.file)
    if form is None or not read.file.is_file():
        parser.error("FILE must exist and end in .csv, .jsonl or .ndjson")
    if read.rate <= 0 or not 1 <= read.batch <= 500:
        parser.error("--rate must be positive, --batch from 1 to 500")
    rejects = read.rejects or read.file.with_name(f"{read.file.name}.rejets.csv")
    return Import(read.file, form, read.site, read.by, rejects, read.resume, read.rate, read.batch)


async def run_import(service: Service, desk: Desk, settings: InsSettings, asked: Import) -> int:
    """Run the import with the relay of the service beside it, so that events leave as it goes; the exit status."""
    if settings.sites_file is not None and asked.site_id not in load_sites(settings.sites_file.read_bytes()):
        return _refused("ce site n’existe pas")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await service.start(Mode.API)
    try:
        progress = await _begin(service, asked)
        if not progress.done:
            progress = await _read_on(service, desk, asked, progress, stop)
        return await _conclude(service, asked, progress, stop)
    except (ImportRefused, HeaderRefused) as refused:
        return _refused(str(refused))
    except OvertakenError:
        return _refused("un autre processus importe ce fichier")
    finally:
        await service.stop()


async def _begin(service: Service, asked: Import) -> Progress:
    import_id = await asyncio.to_thread(fingerprint, asked.path, asked.site_id)
    # The header is read before anything is written.
    next(read_lines(asked.path, asked.form, after=0, today=service.clock.now().date()), None)
    known = await find_progress(service.database, import_id)
    if known is not None:
        if not known.done and not asked.resume:
            raise ImportRefused(f"import commencé, arrêté à la ligne {known.line} : --resume pour le reprendre")
        return known
    progress = Progress(import_id=import_id, site_id=asked.site_id, by=asked.by, started_at=service.clock.now())
    await service.transact(save_progress, None, progress)
    return progress


async def _read_on(service: Service, desk: Desk, asked: Import, progress: Progress, stop: asyncio.Event) -> Progress:
    lines = read_lines(asked.path, asked.form, after=progress.line, today=service.clock.now().date())
    pace, said = Pace(asked.per_second), time.monotonic()
    began = time.monotonic()
    for batch in _batches(lines, asked.batch):
        if stop.is_set():
            return progress
        await _drained(service, stop)
        now = time.monotonic()
        progress = await service.transact(import_patients, desk, progress=progress, lines=batch, seconds=now - began)
        began = now
        if now - said >= _SAY_SECONDS:
            said = now
            _say(f"ligne {progress.line} : {progress.created} créées, {progress.rejected} rejetées")
        await pace.after(len(batch))
    done = progress.model_copy(update={"done": True, "seconds": progress.seconds + time.monotonic() - began})
    await service.transact(save_progress, progress, done)
    return done


async def _conclude(service: Service, asked: Import, progress: Progress, stop: asyncio.Event) -> int:
    await write_rejects(service.database, progress.import_id, asked.rejects, _explain)
    if not progress.done:
        _say(f"arrêté à la ligne {progress.line} : --resume pour reprendre")
        return STOPPED
    deadline = time.monotonic() + _FLUSH_SECONDS
    while (left := (await service.backlog())[0]) is not None and not stop.is_set() and time.monotonic() < deadline:
        await _moment(stop)
    if left is not None:
        _say("des événements attendent encore le courtier : le service les enverra")
    rate = progress.lines / progress.seconds if progress.seconds else 0.0
    _say(
        f"{progress.lines} lignes en {progress.seconds:.1f} s ({rate:.0f} par seconde) : {progress.created} créées, "
        f"{progress.known} déjà connues, {progress.rejected} rejetées (voir {asked.rejects.name})"
    )
    return DONE


async def _drained(service: Service, stop: asyncio.Event) -> None:
    """Wait while the broker is behind: an import must not fill the disk of the database."""
    outbox = service.database[OUTBOX]
    while not stop.is_set() and await outbox.count_documents({}, limit=BACKLOG) >= BACKLOG:
        await _moment(stop)


async def _moment(stop: asyncio.Event) -> None:
    """A tenth of a second, less when the process is asked to stop."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), 0.1)


def _batches(lines: Iterator[Line], size: int) -> Iterator[list[Line]]:
    while batch := list(itertools.islice(lines, size)):
        yield batch


def _explain(rule: str) -> str:
    return RULES.get(rule, "")


def _refused(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return REFUSED


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()
