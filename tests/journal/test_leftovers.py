"""What killed processes left beside a journal is gone once it is opened again; what was sealed stays."""

from __future__ import annotations

from pathlib import Path

from agent_runtime.files import set_aside
from agent_runtime.journal.export import write_export
from agent_runtime.journal.sealed import Scope, verify
from agent_runtime.journal.snapshot import SEALING, seal, write_snapshot
from agent_runtime.journal.views import Filter
from agent_runtime.journal.writer import Journal
from tests.support import rows as make


async def test_the_next_start_takes_it_away(journal: Journal, path: Path) -> None:
    await journal.add(make.turn(1), make.rating(2, turn=1), make.consent(3))
    sealed = seal(write_snapshot(journal.database, Scope()))
    exports = journal.database.exports
    write_snapshot(journal.database, Scope())
    (write_snapshot(journal.database, Scope()) / "manifest.json").unlink()
    write_snapshot(journal.database, Scope()).rename(exports / f"{SEALING}0")
    set_aside(write_snapshot(journal.database, Scope()))
    write_export(journal.database, "turns", Filter(), "csv")
    (exports / ".admins").mkdir()
    await journal.close()
    await Journal.open(path).close()
    assert sorted(exports.iterdir()) == [exports / ".admins", sealed]
    verify(sealed)
