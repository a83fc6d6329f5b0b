"""A selection of the journal comes in, a Parquet, JSON-lines or CSV file goes out: whole, or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import duckdb
import msgspec

from agent_runtime.errors import JournalError
from agent_runtime.journal import statements
from agent_runtime.journal.database import Database, explained
from agent_runtime.journal.statements import ExportName
from agent_runtime.journal.views import Filter

Format = Literal["parquet", "jsonl", "csv"]
FORMATS: tuple[Format, ...] = get_args(Format)

_TIME = "%Y-%m-%dT%H:%M:%S.%fZ"
_LINES_AT_ONCE = 100
_OPTIONS: dict[Format, str] = {
    # DuckDB gathers a whole row group in memory, and a turn is several kilobytes.
    "parquet": "format parquet, compression zstd, row_group_size 2048",
    "csv": f"format csv, header, timestampformat '{_TIME}'",
}


WRITTEN = ".export-"
"""So begins the name of an export that its asker has not taken yet."""
_FORMULA = r"^[=+\-@\t\r]"


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
    path = database.exports / f"{WRITTEN}{secrets.token_hex(8)}.{format}"
    try:
        with database.cursor() as cursor:
            copy_to(cursor, statement.sql, statement.parameters, path, format)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def remove_exports(folder: Path) -> None:
    """Delete exports that were not taken: nobody can tell whose words they hold. Raises `JournalError`."""
    with explained(folder):
        for left in folder.glob(f"{WRITTEN}*"):
            left.unlink(missing_ok=True)


def copy_to(
    cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object], path: Path, format: Format
) -> int:
    """Write a query's rows to a file only its owner can read; returns how many. Raises `duckdb.Error`."""
    if format == "jsonl":
        return _write_lines(cursor, sql, parameters, path)
    if format == "csv":
        sql = _without_formulas(cursor, sql, parameters)
    quoted = str(path).replace("'", "''")
    copied = cursor.execute(f"copy ({sql}) to '{quoted}' ({_OPTIONS[format]})", parameters).fetchone()
    os.chmod(path, 0o600)
    return int(copied[0]) if copied else 0


def rewrite(lines: Path, target: Path, format: Format) -> int:
    """Write a file of JSON lines in another format; returns how many rows. Raises `JournalError`."""
    with explained(target), duckdb.connect(config={"threads": 1}) as connection:
        return copy_to(connection, "select * from read_json_auto(?)", [str(lines)], target, format)


def _write_lines(
    cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object], path: Path
) -> int:
    """DuckDB's own JSON is made of 2,048 rows at a time, which of long turns is more memory than there is."""
    kinds = {name: kind for name, kind, *_ in cursor.execute(f"describe {sql}", parameters).fetchall()}
    texts = {name for name, kind in kinds.items() if kind == "JSON"}
    times = [f'strftime("{name}", \'{_TIME}\') as "{name}"' for name in kinds if "TIME" in kinds[name]]
    cursor.execute(f"select * replace ({', '.join(times)}) from ({sql})" if times else sql, parameters)
    count = 0
    with path.open("wb") as file:
        while rows := cursor.fetchmany(_LINES_AT_ONCE):
            for row in rows:
                fields = dict(zip(kinds, row, strict=True))
                raw = {name: msgspec.Raw(fields[name].encode()) for name in texts if fields[name] is not None}
                file.write(msgspec.json.encode(fields | raw) + b"\n")
            count += len(rows)
    os.chmod(path, 0o600)
    return count


def _without_formulas(cursor: duckdb.DuckDBPyConnection, sql: str, parameters: Sequence[object]) -> str:
    """Spreadsheets run a cell that begins like a formula; an apostrophe before it makes it text."""
    columns = cursor.execute(f"describe {sql}", parameters).fetchall()
    texts = [f'"{name}"' for name, kind, *_ in columns if kind in ("VARCHAR", "JSON")]
    cells = [f"if(regexp_matches({name}, '{_FORMULA}'), '''' || {name}, {name}) as {name}" for name in texts]
    return f"select * replace ({', '.join(cells)}) from ({sql})" if cells else sql


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
