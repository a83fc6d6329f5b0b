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

from demo.errors import DemoError
from demo.process import Process
from demo.stage import NPC_AT, Stage

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "images" / "client.png"
PLAYER = "alice"
SIZE = (1280, 720)
LINES = ["Hello Mira!", "how do I make a torch?", "where is the river?"]
STANDS = NPC_AT._replace(z=NPC_AT.z - 3)
"""South of her: a new player looks north."""
SOCKETS = Path("/tmp/.X11-unix")
CLIENTS = ("luanti", "minetest")
TITLE = r"(Luanti|Minetest) .*\[Multiplayer"
PATH = f"{os.environ.get('PATH', '')}:/usr/games"
ANSWER_SECONDS = 30
DRAWING_SECONDS = 15
"""How long a renderer without a graphics card may take to show the surroundings."""
PROGRAMS = ("Xvfb", "openbox", "xdotool", "import")

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
    "recent_chat_messages": "10",
    "gui_scaling": "1",
}


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
        await self.run("xdotool", "search", "--onlyvisible", "--name", TITLE, "windowactivate", "--sync")
        await self.run("xdotool", "key", "t")
        await asyncio.sleep(3)
        await self.run("xdotool", "type", "--delay", "60", line)
        await asyncio.sleep(0.5)
        await self.run("xdotool", "key", "Return")

    async def take(self, path: Path) -> None:
        await self.run("import", "-window", "root", "-strip", "-define", "png:compression-level=9", str(path))


async def picture(target: Path, lines: list[str]) -> None:
    """Play the scene of the demo with the real client, and take the picture."""
    async with AsyncExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="townsfolk-picture-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        stage = await stack.enter_async_context(Stage(print))
        screen = Screen(folder)
        await screen.open(stack)
        conf = folder / "client.conf"
        conf.write_text("".join(f"{key} = {value}\n" for key, value in CLIENT.items()))
        server = stage.server
        client = Process("the client", folder / "client.log")
        command = [_client(), "--config", str(conf), "--address", server.host, "--port", str(server.port)]
        command += ["--name", PLAYER, "--password", "password", "--go"]
        await client.start(command, screen.env)
        stack.push_async_callback(client.stop)
        await server.process.ready(lambda log: f"{PLAYER} [127.0.0.1] joins game" in log, within=60)
        async with await server.join_admin(stage.admin_password) as admin:
            await admin.say(f"/teleport {PLAYER} {STANDS.x},{STANDS.y},{STANDS.z}")
            await asyncio.sleep(DRAWING_SECONDS)
        for number, line in enumerate(lines, 1):
            await screen.type(line)
            async with asyncio.timeout(ANSWER_SECONDS):
                while len(await stage.runtime.rows("turns")) < number:  # noqa: ASYNC110 (it asks the journal)
                    await asyncio.sleep(0.5)
            await asyncio.sleep(2)
        target.parent.mkdir(parents=True, exist_ok=True)
        await screen.take(target)


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
    parser.add_argument("lines", nargs="*", default=LINES, help="what the player says, one after the other")
    arguments = parser.parse_args()
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        parser.error(f"install {', '.join(missing)} first")
    asyncio.run(picture(arguments.out, arguments.lines))


if __name__ == "__main__":
    main()
