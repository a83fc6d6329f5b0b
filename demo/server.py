"""A real Luanti server in a scratch world: an engine, mods and settings come in, a running server comes out.

Everything it writes lies in one folder, which is removed at the end unless it is to be kept."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from agent_runtime import mod_install
from demo.engine import Engine
from demo.player import Player
from demo.ports import free_port, from_here
from demo.process import Process
from demo.runtime import Runtime

MOD = Path(__file__).parent.parent / "luanti_bridge_mod"
START_WITHIN = 60.0
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
    # Engines with Prometheus built in listen on one fixed TCP port otherwise; 0 takes a free one.
    "prometheus_listener_address": "127.0.0.1:0",
}
"""What every scratch world starts from: flat grassland (the topmost nodes at y = 8), in the morning.
The step is the engine's default (0.09 s)."""


class Server:
    """A server that is running, or can be started (again) in the same world.

    Use as `async with Server(engine, …) as server:`, then join `server.host`, `server.port`. For a `runtime`
    that is running, our mod is installed as people install it, and told where the runtime is. `mods` are
    copied as they are, under the given names. `settings` go over all others."""

    def __init__(
        self,
        engine: Engine,
        *,
        runtime: Runtime | None = None,
        mods: Mapping[str, Path] | None = None,
        settings: Mapping[str, str] | None = None,
        folder: Path | None = None,
        port: int | None = None,
    ) -> None:
        self.engine = engine
        needed = mod_install.needed_settings("", runtime.token, runtime.host, runtime.port) if runtime else {}
        self.settings = {**SETTINGS, **needed, **(settings or {})}
        self.host = from_here(self.settings["bind_address"])
        self.port = port or free_port(self.settings["bind_address"])
        self._keep = folder is not None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="townsfolk-world-"))
        self.world = self.folder / "world"
        self.config = self.folder / "luanti.conf"
        self.process = Process("the Luanti server", self.folder / "server.log")
        self._with_ours = runtime is not None
        self._mods = dict(mods or {})

    async def start(self) -> None:
        """Starts the server and returns when it listens; raises ServerFailed."""
        self._write_world()
        arguments = ["--world", str(self.world), "--gameid", self.engine.game, "--config", str(self.config)]
        # Debian's wrapper names a log below /var/log, which only root and its own user may write.
        arguments += ["--port", str(self.port), "--logfile", str(self.folder / "luanti.log")]
        command = self.engine.command(arguments, shared=self.folder)
        await self.process.start(command, {"HOME": str(self.folder), "LC_ALL": "C.UTF-8"})
        await self.process.ready(lambda log: "listening on" in log, within=START_WITHIN)

    async def stop(self) -> None:
        """Shuts the server down as Ctrl-C in its terminal would: it saves the world."""
        await self.process.stop(signal.SIGINT)

    async def join(self, name: str, password: str = "password") -> Player:
        """A player joins."""
        return await Player.join(self.host, self.port, name, password)

    async def join_admin(self, password: str = "password") -> Player:
        """The admin joins and takes every privilege there is."""
        admin = await self.join(ADMIN, password)
        await admin.say("/grantme all")
        await admin.until(lambda: "give" in admin.privileges, within=5, what="the privileges")
        return admin

    def log_text(self) -> str:
        """All that the server has written, over every start."""
        return self.process.log.read_text("utf-8", "replace")

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of the log since the last start."""
        return self.process.tail(lines)

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
        described = self.world / "world.mt"
        if not described.exists():
            described.write_text(
                f"gameid = {self.engine.game}\nworld_name = townsfolk\nbackend = sqlite3\n"
                "player_backend = sqlite3\nauth_backend = sqlite3\nmod_storage_backend = sqlite3\n"
            )
        if self._with_ours:
            mod_install.install(MOD, self.world)
        for name, source in self._mods.items():
            # Copied, not linked: an engine in a root of its own sees only this folder.
            shutil.copytree(source, mods / name, dirs_exist_ok=True)
        self.config.write_text("".join(f"{key} = {value}\n" for key, value in self.settings.items()))
