"""A peer in its own process: the benchmark's side sends orders and reads answers, the peer's serves them.

An order is a JSON line `{"do": NAME, …arguments}`; the answer is one line with what that function returned.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Handler = Callable[..., Awaitable[Any]]


class Peer:
    """Use as `with Peer(module, model, threads) as peer:`; `module` is a file of this folder."""

    def __init__(self, module: str, *arguments: str) -> None:
        self.name = module
        self._command = [sys.executable, "-m", f"benchmarks.peers.{module}", *arguments]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent.parent,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def do(self, name: str, **arguments: Any) -> Any:
        """What the peer's function returns. Raises `RuntimeError` when the peer ended; its own traceback
        stands on the terminal."""
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write(json.dumps({"do": name, **arguments}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer {self.name} ended in the middle of {name!r}")
        return json.loads(line)


async def serve(handlers: Mapping[str, Handler]) -> None:
    """Carry out orders from standard input until it ends."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        answer = await handlers[order.pop("do")](**order)
        print(json.dumps(answer), flush=True)


@contextmanager
def busy_core(busy: bool) -> Iterator[None]:
    """While this lasts, a process does nothing but keep a core busy, if wanted."""
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if busy else None
    try:
        yield
    finally:
        if neighbour:
            neighbour.kill()
            neighbour.wait()
