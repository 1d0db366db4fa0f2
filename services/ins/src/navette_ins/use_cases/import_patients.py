"""Import one batch of lines: identities, rejects and the place in the file, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from navette_chassis import UnitOfWork, uuid7

from navette_ins.adapters.imports import Progress, add_rejects, save_progress
from navette_ins.adapters.prior_searches import PriorSearches
from navette_ins.domain.identity import Identity
from navette_ins.domain.import_lines import Line, differences
from navette_ins.use_cases.desk import Desk

DIFFERS = "differs_from_record"


async def import_patients(
    uow: UnitOfWork, desk: Desk, *, progress: Progress, lines: Sequence[Line], seconds: float
) -> Progress:
    """Create a provisional identity for each sound line whose (site, IPP) is not known yet.

    A known one is left as it is: what the line says otherwise is rejected field by field, for a person to decide.
    Raises OvertakenError.
    """
    identities = desk.identities(uow)
    local_ids = [str(line.traits.local_id) for line in lines if line.traits is not None]
    known = await PriorSearches(uow, desk.keyring, desk.index.tokens).with_local_ids(progress.site_id, local_ids)
    rejects: list[tuple[int, str, str]] = []
    created: list[Identity] = []
    recognised = rejected = 0
    for line in lines:
        problems = [(line.number, one.field, one.rule) for one in line.broken]
        record = None if line.traits is None else known.get(str(line.traits.local_id))
        if record is not None and line.traits is not None and not problems:
            problems = [(line.number, field, DIFFERS) for field in differences(record.traits, line.traits)]
        if problems or line.traits is None:
            rejects += problems
            rejected += 1
        elif record is not None:
            recognised += 1
        else:
            identity = Identity(
                patient_id=uuid7(),
                site_id=progress.site_id,
                revision=1,
                traits=line.traits,
                created_at=uow.now,
                updated_at=uow.now,
            )
            created.append(identity)
            known[str(line.traits.local_id)] = identity
    await identities.add(*created, by=progress.by)
    after = progress.model_copy(
        update={
            "line": lines[-1].number,
            "created": progress.created + len(created),
            "known": progress.known + recognised,
            "rejected": progress.rejected + rejected,
            "seconds": progress.seconds + seconds,
        }
    )
    await add_rejects(uow, progress.import_id, rejects)
    await save_progress(uow, progress, after)
    await uow.record_access(progress.by, "identity.import", "import", progress.import_id, progress.site_id, "granted")
    return after
