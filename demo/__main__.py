"""`python -m demo` plays the scripted scene, lets a night that learns follow, and exits; `python -m demo
scene` ends before the night, and `python -m demo play` stays up for people.

Exit status 0 when all worked, 1 with a message when something did not, 130 on Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine

from agent_runtime.errors import NightError, TownsfolkError
from agent_runtime.nights.child import how_to_install, missing
from demo import night, scene
from demo.engine import Engine, machine_engine
from demo.engines import SUITES, build
from demo.ports import LOOPBACK, chosen_port, to_join
from demo.server import ADMIN
from demo.show import Show
from demo.stage import NPC, Stage

PORT = 30000
"""Luanti's own default port, which clients try first."""


async def scripted(show: Show, engine: Engine, with_night: bool) -> None:
    """The scene, from an empty folder to the journal's rows, and then, if wanted, a night."""
    with show.steps() as step:
        async with Stage(step, engine=engine, runtime=night.SETTINGS if with_night else None) as stage:
            await stage.during(scene.play(stage, show))
            if with_night:
                await stage.during(night.play(stage, show))
    show.note("to walk up to her yourself: make play; to talk without a game: .venv/bin/townsfolk chat")


async def open_house(show: Show, engine: Engine, address: str, port: int | None) -> None:
    """The same stage, for people with a real client, until Ctrl-C."""
    port = chosen_port(port, address, PORT)
    settings = {"bind_address": address, "townsfolk.idle_lines": "true"}
    with show.steps() as step:
        async with Stage(step, engine=engine, settings=settings, port=port) as stage:
            joined = to_join(address)[0]
            hosts = " or ".join(to_join(address))
            show.figures(
                "Come in",
                [
                    ("join", f"{hosts}, port {port} (Luanti or Minetest client, any name and password)"),
                    ("or", f"luanti --address {joined} --port {port} --name YOU --password WORD --go"),
                    ("talk", f"walk up to {NPC}, say something in the chat; or right-click her"),
                    ("rate", "/npc good   /npc bad   /npc rate 4"),
                    ("admin", f"name {ADMIN}, password {stage.admin_password}"),
                    ("world, journal", f"{stage.folder}; removed at the end"),
                ],
            )
            step("open; Ctrl-C ends it")
            await stage.closed()


def main() -> int:
    """Parses the arguments and runs what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("what", nargs="?", choices=("all", "scene", "play"), default="all")
    parser.add_argument("--engine", choices=("own", *SUITES), default="own", help="the Luanti engine to use")
    parser.add_argument(
        "--address", default=LOOPBACK, help="play: where to listen; 0.0.0.0 lets other machines in, too"
    )
    parser.add_argument("--port", type=int, help=f"play: the UDP port (default {PORT}, or a free one)")
    options = parser.parse_args()
    show = Show()
    try:
        if options.what == "all" and missing():
            raise NightError(how_to_install())
        engine = machine_engine() if options.engine == "own" else build(options.engine)
        if options.what == "play":
            return asyncio.run(_until_told(open_house(show, engine, options.address, options.port)))
        return asyncio.run(_until_told(scripted(show, engine, options.what == "all")))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except TownsfolkError as error:
        show.console.print("[bold red]failed:[/bold red]", end=" ")
        show.console.print(str(error), markup=False, soft_wrap=True)
        return 1


async def _until_told(work: Coroutine[None, None, None]) -> int:
    """Runs the work and returns the exit status. SIGINT and SIGTERM cancel it, so that all that was started
    is stopped in good order."""
    task = asyncio.ensure_future(work)
    told: list[int] = []

    def end(number: int) -> None:
        told.append(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end, number)
    try:
        await task
    except asyncio.CancelledError:
        if not told:
            raise
    return 128 + told[0] if told else 0


if __name__ == "__main__":
    sys.exit(main())
