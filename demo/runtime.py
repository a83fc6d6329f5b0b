"""`townsfolk serve` in a home of its own: a folder comes in; a running runtime and its journal come out."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from demo.errors import ServerFailed
from demo.process import Process, environment

START_WITHIN = 60.0
COMMAND_WITHIN = 30.0


class Runtime:
    """Use as `async with Runtime(home) as runtime:`. Settings are given as the environment has them, such as
    `{"TOWNSFOLK_MODEL__THREADS": "1"}`; the port is a free one unless set."""

    def __init__(self, home: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.host = ""
        self.port = 0
        self.process = Process("the runtime", home / "serve.log")
        self._env = {"TOWNSFOLK_SERVER__PORT": "0", "TOWNSFOLK_LOG__FORMAT": "json", **(settings or {})}

    @property
    def token(self) -> str:
        """What game servers present."""
        return (self.home / "token").read_text().strip()

    async def start(self) -> dict[str, Any]:
        """Starts it and returns its `ready` line; raises ServerFailed."""
        self.home.mkdir(parents=True, exist_ok=True)
        await self.process.start(self._command("serve"), self._env)
        ready = await self.process.ready(_ready, within=START_WITHIN)
        self.host, _, port = ready["address"].removeprefix("ws://").rpartition(":")
        self.port = int(port)
        # The same port after a restart, so that the mod finds it again.
        self._env["TOWNSFOLK_SERVER__PORT"] = str(self.port)
        return ready

    async def stop(self) -> None:
        """Stops it as a service manager would (SIGTERM)."""
        await self.process.stop()

    async def run(self, *arguments: str, columns: int = 120) -> str:
        """Runs another command of `townsfolk` in the same home and returns what it prints, so wide."""
        process = await asyncio.create_subprocess_exec(
            *self._command(*arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment({**self._env, "COLUMNS": str(columns)}),
        )
        try:
            out, problems = await asyncio.wait_for(process.communicate(), COMMAND_WITHIN)
        except (TimeoutError, asyncio.CancelledError):
            process.kill()
            await process.wait()
            raise
        if process.returncode != 0:
            said = problems.decode("utf-8", "replace")
            raise ServerFailed(f"townsfolk {' '.join(arguments)} ended with {process.returncode}:\n{said}")
        return out.decode("utf-8", "replace")

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """The rows of `townsfolk journal TABLE`, newest first."""
        lines = (await self.run("journal", table, "--json")).splitlines()
        return [json.loads(line) for line in lines if line.strip()]

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "agent_runtime", "--home", str(self.home), *arguments]

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


def _ready(log: str) -> dict[str, Any] | None:
    for line in log.splitlines():
        if line.startswith("{") and '"ready"' in line:
            entry: dict[str, Any] = json.loads(line)
            if entry.get("event") == "ready":
                return entry
    return None
