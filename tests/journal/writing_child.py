"""Adds turns and ratings without end, and prints the id of each once it is acknowledged."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from agent_runtime.journal.rows import RatingRow, Row, TurnRow
from agent_runtime.journal.writer import Journal


async def main(path: Path, prefix: str) -> None:
    journal = Journal.open(path, commit_ms=1)

    async def write(writer: int) -> None:
        for number in range(1_000_000):
            id, now = f"{prefix}-{writer}-{number}", datetime.now(UTC)
            row: Row = RatingRow(id=id, turn="t", player="p", value=3, scale="stars", rated_at=now)
            if number % 2:
                row = TurnRow(
                    id=id, chat="c", session="s", server="v", npc="n", npc_name="Ada", persona="smith",
                    player="p", said_at=now, how="near", line="line " * 20, reply="reply " * 20,
                )  # fmt: skip
            await journal.add(row)
            print(id, flush=True)

    await asyncio.gather(*(write(writer) for writer in range(8)))


asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
