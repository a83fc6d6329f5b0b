"""A runtime in a process of its own that can be killed in mid-reply: all of it is real but the model, which
says `word` ten times a second until its deadline. Arguments: home and port."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.support.engine import Reply, ScriptedEngine
from tests.support.runtime import town


async def main(home: Path, port: int) -> None:
    engine = ScriptedEngine([Reply("word ", between=0.1, endless=True)])
    async with town(home, engine, port=port) as running:
        print(f"ready on {running.port}", flush=True)
        await asyncio.Event().wait()


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
