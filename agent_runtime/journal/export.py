"""A selection of the journal comes in, a Parquet, JSON-lines or CSV file goes out: whole, or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path
from typing import Literal, get_args

from agent_runtime.errors import JournalError
from agent_runtime.journal import statements
from agent_runtime.journal.database import Database
from agent_runtime.journal.statements import ExportName
from agent_runtime.journal.views import Filter

Format = Literal["parquet", "jsonl", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)

_OPTIONS: dict[Format, str] = {
    # DuckDB gathers a whole row group in memory, and a turn is several kilobytes.
    "parquet": "format parquet, compression zstd, row_group_size 4096",
    "jsonl": "format json, timestampformat '%Y-%m-%dT%H:%M:%S.%fZ'",
    "csv": "format csv, header, timestampformat '%Y-%m-%dT%H:%M:%S.%fZ'",
}


def format_of(path: Path) -> Format:
    """The format that a file's name asks for. Raises `JournalError`."""
    for name in FORMATS:
        if path.suffix.lower() == f".{name}":
            return name
    raise JournalError(f"{path}: cannot tell the format; give --format {', '.join(FORMATS)}")


def write_export(database: Database, name: ExportName, chosen: Filter, format: Format) -> Path:
    """Write a selection below the journal's own export folder, the only place SQL can write to; returns the
    file, which is the caller's to `publish` or delete."""
    statement = statements.export(name, chosen)
    database.exports.mkdir(exist_ok=True)
    path = database.exports / f".export-{secrets.token_hex(8)}.{format}"
    quoted = str(path).replace("'", "''")
    try:
        with database.cursor() as cursor:
            cursor.execute(f"copy ({statement.sql}) to '{quoted}' ({_OPTIONS[format]})", statement.parameters)
        os.chmod(path, 0o600)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def publish(written: Path, target: Path) -> None:
    """Move a written export to where it is wanted, over whatever is there. Raises `JournalError`."""
    beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        shutil.move(written, beside)  # copies where it must: the target may be on another file system
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(beside, target)
    except OSError as error:
        raise JournalError(f"{target}: {error.strerror}; choose another file") from error
    finally:
        written.unlink(missing_ok=True)
        beside.unlink(missing_ok=True)
