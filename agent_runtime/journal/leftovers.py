"""A journal's folder of snapshots comes in; what killed processes left in it goes: copies that were not
sealed, exports that were not taken, halves of what was being deleted. Sealed snapshots stay.
"""

from __future__ import annotations

from pathlib import Path

from agent_runtime import files
from agent_runtime.journal import snapshot
from agent_runtime.journal.export import remove_exports


def sweep(exports: Path) -> None:
    """Delete all of it. Only for who has just opened the journal for writing: nobody else writes there then,
    and who is about to seal a copy of an earlier runtime's is told to make it again. Raises `OSError` and
    `JournalError`."""
    for name in (snapshot.WRITTEN, snapshot.SEALING):
        for left in exports.glob(f"{name}*"):
            files.set_aside(left)
    files.remove_gone(exports)
    remove_exports(exports)
