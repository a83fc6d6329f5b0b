"""Writes until files may not grow any more, goes on trying, and then may write again: a full disk that
somebody clears. Prints what the journal did, a line each, and dies without closing anything.

The second argument is the file that grows first: `.duckdb.wal` or `.acks`.
"""

import asyncio
import os
import resource
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from agent_runtime.errors import JournalError
from agent_runtime.journal import writer
from agent_runtime.journal.rows import RatingRow


def limit_files(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def row(id: str) -> RatingRow:
    return RatingRow(id=id, turn="t" * 5000, player="p", value=3, scale="stars", rated_at=datetime.now(UTC))


async def main(path: Path, grows: str) -> None:
    alarms: list[str | None] = []
    journal = writer.Journal.open(path, on_alarm=alarms.append)
    await journal.add(row("before"))
    if grows == ".acks":
        with journal.database.cursor() as cursor:
            cursor.execute("checkpoint")  # the write-ahead log begins anew, the ack log goes on
    limit_files(path.with_suffix(grows).stat().st_size + 1000)
    try:
        await journal.add(row("during"))
        print("acknowledged")
    except JournalError as error:
        print("refused" if "Free the disk" in str(error) else error)
    print("read-only" if journal.read_only else "writable")
    refused_at = time.monotonic()
    limit_files(resource.RLIM_INFINITY)
    while journal.read_only:
        try:
            await journal.add(row("after"))
        except JournalError:
            await asyncio.sleep(0.05)
            if time.monotonic() > refused_at + 20:
                break
    print("writable" if not journal.read_only else "still read-only")
    await journal.add(row("during"))
    print("alarm ended" if len(alarms) == 2 and alarms[0] and alarms[1] is None else alarms)
    sys.stdout.flush()
    os._exit(0)


signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
