"""How many rows a second the journal takes, and how long until each is acknowledged (synced, twice); beside
bare DuckDB with one synced transaction per row in the same run.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb

from agent_runtime.journal.rows import TurnRow
from agent_runtime.journal.writer import Journal
from agent_runtime.npc.prompt import Message
from benchmarks.figures import Figure, machine, percentile, report
from tests.support import rows

ALONE = 150
APART = 60
WRITERS = 64
EACH = 60
BARE = 300


@dataclass(frozen=True, slots=True)
class Pace:
    """Rows a second, and the milliseconds that each took to be acknowledged."""

    rows_per_s: float
    latencies_ms: list[float]


def turn(number: int) -> TurnRow:
    """As long as a real one: a few thousand bytes, most of them prompt."""
    prompt = tuple(Message("user", f"[1] torch: 1 coal lump over 1 stick. {number} " * 4) for _ in range(16))
    return rows.turn(number, prompt=prompt)


async def through_add(writers: int, each: int, pause_s: float = 0.0) -> Pace:
    """So many callers, each adding its next turn when the last one is acknowledged, after a pause."""
    latencies: list[float] = []

    async def write(writer: int) -> None:
        for number in range(each):
            row = turn(writer * each + number)
            began = time.perf_counter()
            await journal.add(row)
            latencies.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(pause_s)

    with tempfile.TemporaryDirectory() as folder:
        journal = Journal.open(Path(folder) / "journal.duckdb")
        began = time.perf_counter()
        await asyncio.gather(*(write(writer) for writer in range(writers)))
        elapsed = time.perf_counter() - began
        await journal.close()
    return Pace(writers * each / elapsed, latencies)


def bare_rows_per_s() -> float:
    """DuckDB alone: a narrow row with the same text, by parameters, one transaction each."""
    texts = [str(turn(number).prompt) for number in range(BARE)]
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(f"{folder}/bare.duckdb") as connection:
        connection.execute("create table turns (id varchar primary key, prompt varchar)")
        began = time.perf_counter()
        for number, text in enumerate(texts):
            connection.execute("insert into turns values (?, ?)", [rows.ulid(number), text])
        return BARE / (time.perf_counter() - began)


async def measure() -> list[Figure]:
    alone = await through_add(1, ALONE)
    apart = await through_add(1, APART, pause_s=0.05)
    together = await through_add(WRITERS, EACH)
    bare = bare_rows_per_s()
    return [
        Figure("journal_rows_per_s", together.rows_per_s, "1/s", WRITERS * EACH),
        Figure("journal_ack_p50_ms_64_writers", percentile(together.latencies_ms, 0.5), "ms", WRITERS * EACH),
        Figure(
            "journal_ack_p95_ms_64_writers", percentile(together.latencies_ms, 0.95), "ms", WRITERS * EACH
        ),
        Figure("journal_rows_per_s_1_writer", alone.rows_per_s, "1/s", ALONE),
        Figure("journal_ack_p50_ms_1_writer", percentile(alone.latencies_ms, 0.5), "ms", ALONE),
        Figure("journal_ack_p95_ms_1_writer", percentile(alone.latencies_ms, 0.95), "ms", ALONE),
        Figure("journal_ack_p50_ms_one_row", percentile(apart.latencies_ms, 0.5), "ms", APART),
        Figure("journal_ack_p95_ms_one_row", percentile(apart.latencies_ms, 0.95), "ms", APART),
        Figure("bare_duckdb_rows_per_s", bare, "1/s", BARE),
    ]


if __name__ == "__main__":
    before = machine()
    report("journal", "python -m benchmarks.journal", asyncio.run(measure()), before)
