"""A real Luanti server in a scratch world: an engine, a mod and settings come in, a running server comes out.

Everything it writes lies in one folder, which is removed at the end unless it is to be kept."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.engine import Engine
from demo.errors import ServerFailed
from demo.player import Player

START_WITHIN = 60.0
STOP_WITHIN = 15.0
ADMIN = "admin"

SETTINGS: dict[str, str] = {
    "server_name": "Townsfolk scratch world",
    "server_announce": "false",
    "name": ADMIN,
    "bind_address": "127.0.0.1",
    "mg_name": "flat",
    "fixed_map_seed": "2026",
    "static_spawnpoint": "0,8.5,0",
    "creative_mode": "false",
    "enable_damage": "false",
    "max_users": "60",
    "default_password": "",
    "secure.enable_security": "true",
    "world_start_time": "9000",
    "enable_rollback_recording": "false",
}
"""What every scratch world starts from: flat grassland (the topmost nodes at y = 8), in the morning.
The step is the engine's default (0.09 s)."""


def free_port() -> int:
    """A UDP port of the loopback interface that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A server that is running, or can be started (again) in the same world.

    Use as `async with Server(engine, …) as server:`, then join `server.host`, `server.port`.
    `mods` are copied into the world as their folder's name, or under the given name."""

    host = "127.0.0.1"

    def __init__(
        self,
        engine: Engine,
        *,
        mods: Mapping[str, Path] | None = None,
        settings: Mapping[str, str] | None = None,
        folder: Path | None = None,
        port: int | None = None,
    ) -> None:
        self.engine = engine
        self.settings = {**SETTINGS, **(settings or {})}
        self.port = port or free_port()
        self._keep = folder is not None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="townsfolk-world-"))
        self.world = self.folder / "world"
        self.config = self.folder / "luanti.conf"
        self.log = self.folder / "server.log"
        self._mods = dict(mods or {})
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The server's process id; raises ServerFailed when it does not run."""
        if self._process is None or self._process.returncode is not None:
            raise ServerFailed("the Luanti server does not run")
        return self._process.pid

    async def start(self) -> None:
        """Starts the server and returns when it listens; raises ServerFailed."""
        self._write_world()
        arguments = ["--world", str(self.world), "--gameid", self.engine.game, "--config", str(self.config)]
        arguments += ["--port", str(self.port)]
        heard_before = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self.engine.command(arguments, shared=self.folder),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "HOME": str(self.folder), "LC_ALL": "C.UTF-8"},
            )
        deadline = time.monotonic() + START_WITHIN
        while "listening on" not in self.log_text(heard_before):
            if self._process.returncode is not None:
                raise ServerFailed(f"the Luanti server ended while starting:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                await self.stop()
                raise ServerFailed(
                    f"the Luanti server did not listen in {START_WITHIN:.0f} s:\n{self.log_tail()}"
                )
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Asks the server to shut down, and ends it when it does not."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(process.wait(), STOP_WITHIN)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def join(self, name: str, password: str = "password") -> Player:
        """A player joins."""
        return await Player.join(self.host, self.port, name, password)

    async def join_admin(self) -> Player:
        """The admin joins and takes every privilege there is."""
        admin = await self.join(ADMIN)
        await admin.say("/grantme all")
        await admin.until(lambda: "give" in admin.privileges, within=5, what="the privileges")
        return admin

    def kill(self) -> None:
        """Ends the server at once, as a crash would."""
        os.killpg(self.pid, signal.SIGKILL)

    def log_text(self, start: int = 0) -> str:
        """What the server has written since byte `start`."""
        return self.log.read_bytes()[start:].decode("utf-8", "replace")

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log."""
        return "\n".join(self.log_text().splitlines()[-lines:])

    def remove(self) -> None:
        """Removes the scratch folder, unless it was given to us."""
        if not self._keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            self.remove()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        self.remove()

    def _write_world(self) -> None:
        mods = self.world / "worldmods"
        mods.mkdir(parents=True, exist_ok=True)
        for name, source in self._mods.items():
            # Copied, not linked: an engine in a root of its own sees only this folder.
            shutil.copytree(source, mods / name, dirs_exist_ok=True)
        described = self.world / "world.mt"
        if not described.exists():
            described.write_text(
                f"gameid = {self.engine.game}\nworld_name = townsfolk\nbackend = sqlite3\n"
                "player_backend = sqlite3\nauth_backend = sqlite3\nmod_storage_backend = sqlite3\n"
            )
        self.config.write_text("".join(f"{key} = {value}\n" for key, value in self.settings.items()))
