"""What players decide about their talk comes in; it is on disk, and with an erasure out of the journal and of
every snapshot and untaken export beside it, when `decide` returns."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent_runtime.journal.export import remove_exports
from agent_runtime.journal.rows import ConsentRow
from agent_runtime.journal.snapshot import remove_snapshots_of
from agent_runtime.journal.writer import Journal


async def decide(journal: Journal, *rows: ConsentRow) -> list[Path]:
    """Store decisions; returns the snapshots that were deleted because they held an erased player.

    Raises `JournalError`, and then it has to be asked again; asking twice is harmless.
    """
    await journal.add(*rows)
    erased = {row.player for row in rows if row.choice == "erase"}
    if not erased:
        return []
    return await asyncio.to_thread(_remove, journal.database.exports, erased)


def _remove(exports: Path, erased: set[str]) -> list[Path]:
    remove_exports(exports)
    return remove_snapshots_of(exports, erased)
