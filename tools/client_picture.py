"""Takes docs/images/client.png: the real Luanti client in the real game, with an NPC that answers.

`python -m tools.client_picture` needs the packages minetest (the client), xvfb, openbox,
xdotool and imagemagick. Nothing in the picture is drawn afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from demo.engine import machine_engine
from demo.errors import DemoError
from demo.process import Process
from demo.runtime import Runtime
from demo.server import Server

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "images" / "client.png"
PLAYER = "alice"
SIZE = (1280, 720)
LINES = ["Hello Mira!", "How do I make a torch?"]
SOCKETS = Path("/tmp/.X11-unix")
CLIENTS = ("luanti", "minetest")
PATH = f"{os.environ.get('PATH', '')}:/usr/games"
DRAWING_SECONDS = 15
"""How long a renderer without a graphics card may take to show the surroundings."""
PROGRAMS = ("Xvfb", "openbox", "xdotool", "import", "convert")

CLIENT = {
    "screen_w": str(SIZE[0]),
    "screen_h": str(SIZE[1]),
    "video_driver": "opengl",
    "enable_sound": "false",
    "fps_max": "20",
    "viewing_range": "60",
    "smooth_lighting": "true",
    "enable_clouds": "true",
    "console_alpha": "200",
    "recent_chat_messages": "6",
    "gui_scaling": "1",
}

# A place to stand that the map generator chose, and eyes a little below the horizon.
STAGE = """
core.settings:remove("static_spawnpoint")
core.register_on_joinplayer(function(player)
    player:set_look_horizontal(0)
    player:set_look_vertical(0.1)
end)
"""


class Screen:
    """An X server of our own with a window manager, without which no window gets the keys."""

    def __init__(self, folder: Path) -> None:
        taken = {path.name for path in SOCKETS.glob("X*")}
        self._number = next(number for number in range(70, 1000) if f"X{number}" not in taken)
        self.env = {"DISPLAY": f":{self._number}", "LIBGL_ALWAYS_SOFTWARE": "1", "HOME": str(folder)}
        self._server = Process("the X server", folder / "xvfb.log")
        self._manager = Process("the window manager", folder / "openbox.log")

    async def open(self, stack: AsyncExitStack) -> None:
        width, height = SIZE
        command = ["Xvfb", self.env["DISPLAY"], "-screen", "0", f"{width}x{height}x24", "-nolisten", "tcp"]
        await self._server.start(command, {})
        stack.push_async_callback(self._server.stop)
        await _until(lambda: (SOCKETS / f"X{self._number}").exists())
        await self._manager.start(["openbox"], self.env)
        stack.push_async_callback(self._manager.stop)

    async def run(self, *command: str) -> None:
        process = await asyncio.create_subprocess_exec(*command, env={**os.environ, **self.env})
        if await process.wait() != 0:
            raise DemoError(f"{command[0]} ended with {process.returncode}")

    async def type(self, line: str) -> None:
        """Open the chat, type a line, send it."""
        await self.run("xdotool", "key", "t")
        await asyncio.sleep(3)
        await self.run("xdotool", "type", "--delay", "60", line)
        await asyncio.sleep(0.5)
        await self.run("xdotool", "key", "Return")

    async def take(self, path: Path) -> None:
        await self.run("import", "-window", "root", "-strip", "-define", "png:compression-level=9", str(path))


async def picture(target: Path, persona: str, lines: list[str], seed: str) -> None:
    """Play the scene and take the picture."""
    async with AsyncExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="townsfolk-picture-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        runtime = await stack.enter_async_context(Runtime(folder / "home"))
        server = await stack.enter_async_context(_server(folder, runtime, seed))
        screen = Screen(folder)
        await screen.open(stack)
        conf = folder / "client.conf"
        conf.write_text("".join(f"{key} = {value}\n" for key, value in CLIENT.items()))
        client = Process("the client", folder / "client.log")
        command = [_client(), "--config", str(conf), "--address", server.host, "--port", str(server.port)]
        command += ["--name", PLAYER, "--password", "password", "--go"]
        await client.start(command, screen.env)
        stack.push_async_callback(client.stop)
        await _until(lambda: f"{PLAYER} [127.0.0.1] joins game" in server.log_text())
        await _spawn_before_player(server, persona)
        await asyncio.sleep(DRAWING_SECONDS)
        for number, line in enumerate(lines, 1):
            await screen.type(line)
            while len(await runtime.rows("turns")) < number:  # noqa: ASYNC110 (it asks the journal)
                await asyncio.sleep(0.5)
            await asyncio.sleep(2)
        target.parent.mkdir(parents=True, exist_ok=True)
        await screen.take(target)


def _server(folder: Path, runtime: Runtime, seed: str) -> Server:
    stage = folder / "stage"
    stage.mkdir()
    (stage / "mod.conf").write_text("name = stage\n")
    (stage / "init.lua").write_text(STAGE)
    return Server(
        machine_engine(),
        mods={"townsfolk": ROOT / "luanti_bridge_mod", "stage": stage},
        settings={
            "mg_name": "v7",
            "fixed_map_seed": seed,
            "time_speed": "0",
            "secure.trusted_mods": "townsfolk",
            "townsfolk.port": str(runtime.port),
            "townsfolk.token": runtime.token,
            "townsfolk.idle_lines": "false",
        },
    )


async def _spawn_before_player(server: Server, persona: str) -> None:
    """An admin who is gone again when the picture is taken; the player looks north."""
    admin = await server.join_admin()
    await admin.say(f"/teleport {PLAYER}")
    await asyncio.sleep(2)
    x, y, z = admin.pos
    await admin.say(f"/teleport {x:.1f},{y + 0.5:.1f},{z + 3:.1f}")
    await asyncio.sleep(2)
    await admin.say(f"/npc spawn {persona}")
    await asyncio.sleep(1)
    await admin.leave()


def _client() -> str:
    path = next((shutil.which(name, path=PATH) for name in CLIENTS if shutil.which(name, path=PATH)), None)
    if path is None:
        raise DemoError(f"no Luanti client found ({' or '.join(CLIENTS)})")
    return path


async def _until(test: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not test():  # noqa: ASYNC110 (other processes tell us in no other way)
            await asyncio.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.client_picture", description=__doc__)
    parser.add_argument("--out", type=Path, default=TARGET)
    parser.add_argument("--persona", default="mira")
    parser.add_argument("lines", nargs="*", default=LINES, help="what the player says, one after the other")
    parser.add_argument("--seed", default="2026")
    arguments = parser.parse_args()
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        parser.error(f"install {', '.join(missing)} first")
    asyncio.run(picture(arguments.out, arguments.persona, arguments.lines, arguments.seed))


if __name__ == "__main__":
    main()
