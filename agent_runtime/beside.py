"""An event loop beside the main thread, for commands that talk with a person: coroutines come in, results go
out, while the main thread waits for the keyboard, where Ctrl-C reaches it at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Result = TypeVar("Result")


class Beside:
    """The loop goes on between two calls, so that an engine can look after itself."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for this work; raises what it raises. Ctrl-C cancels it."""
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise


@contextmanager
def loop_beside() -> Iterator[Beside]:
    """A loop in a thread of its own, which ends with the block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="loop")
    thread.start()
    beside = Beside(loop)
    try:
        yield beside
    finally:
        beside.run(loop.shutdown_default_executor())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
