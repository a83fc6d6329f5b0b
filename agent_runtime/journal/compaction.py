"""A journal from which texts were erased comes in; the same journal in a new file goes out. DuckDB frees the
blocks of what is gone but leaves them as they were: the words could still be read from the file.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import duckdb

from agent_runtime.journal.database import CONFIG


def mark(journal: Path) -> None:
    """Note that this journal is to be compacted. Raises `OSError`."""
    _note(journal).touch()


def is_marked(journal: Path) -> bool:
    return _note(journal).exists()


def compact(journal: Path) -> None:
    """Rewrite a marked journal that nobody has open, wholly or not at all. Raises duckdb.Error, OSError."""
    fresh = journal.with_suffix(".compact.duckdb")
    fresh.unlink(missing_ok=True)
    spilled = journal.with_suffix(".compact.tmp")  # by itself DuckDB would spill into the working directory
    try:
        with duckdb.connect(config=CONFIG | {"temp_directory": str(spilled)}) as connection:
            connection.execute(f"attach {_quoted(journal)} as old")
            connection.execute("checkpoint old")
            connection.execute(f"attach {_quoted(fresh)} as fresh")
            connection.execute("copy from database old to fresh")
            connection.execute("checkpoint fresh")
        shutil.copymode(journal, fresh)
        with fresh.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(fresh, journal)
    finally:
        for left in (fresh, fresh.with_name(f"{fresh.name}.wal")):
            left.unlink(missing_ok=True)
        shutil.rmtree(spilled, ignore_errors=True)
    _note(journal).unlink()


def _note(journal: Path) -> Path:
    return journal.with_suffix(".compact")


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
