"""The replies under way: a player's line comes in as work, which goes on as a task until it is done or ended.

Players go by their pseudonym.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

Work = Callable[[], Coroutine[Any, Any, None]]


class Underway:
    """The tasks of all sessions."""

    def __init__(self) -> None:
        self._tasks: defaultdict[tuple[str, str], set[asyncio.Task[None]]] = defaultdict(set)
        self._waiting: set[asyncio.Task[None]] = set()
        self._held: dict[str, asyncio.Event] = {}

    def begin(self, session: str, player: str, work: Work) -> None:
        """Start the work of a session's player, or let it wait while there is to be `none_of` theirs."""
        owner = (session, player)
        task = asyncio.create_task(self._run(player, work))
        self._tasks[owner].add(task)
        self._waiting.add(task)

        def done(task: asyncio.Task[None]) -> None:
            self._waiting.discard(task)
            self._tasks[owner].discard(task)
            if not self._tasks[owner]:
                del self._tasks[owner]

        task.add_done_callback(done)

    def tasks(self, *, session: str | None = None, player: str | None = None) -> list[asyncio.Task[None]]:
        """What goes on, of all or of these only."""
        return [
            task
            for owner, tasks in self._tasks.items()
            if session in (None, owner[0]) and player in (None, owner[1])
            for task in tasks
        ]

    def end(self, *, session: str | None = None, player: str | None = None) -> list[asyncio.Task[None]]:
        """End what goes on, of all or of these only; returns the tasks that end."""
        ending = self.tasks(session=session, player=player)
        for task in ending:
            task.cancel()
        return ending

    @asynccontextmanager
    async def none_of(self, player: str) -> AsyncIterator[None]:
        """Inside the block nothing of this player goes on: it is ended, and what has not started waits. One
        block for a player at a time."""
        opened = self._held[player] = asyncio.Event()
        try:
            ending = [task for task in self.tasks(player=player) if task not in self._waiting]
            for task in ending:
                task.cancel()
            await asyncio.gather(*ending, return_exceptions=True)
            yield
        finally:
            del self._held[player]
            opened.set()

    async def _run(self, player: str, work: Work) -> None:
        while held := self._held.get(player):
            await held.wait()
        task = asyncio.current_task()
        assert task is not None
        self._waiting.discard(task)
        await work()
