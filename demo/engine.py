"""A Luanti engine that can be started: the machine's own, or one in a root of its own (see `engines`).

Looks at the machine and answers with a command line; starts nothing that lasts."""

from __future__ import annotations

import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from agent_runtime.doctor import machine
from demo.errors import EngineMissing

PLACES = machine.FOLDERS
GAMES = ("minetest_game", "minetest", "mineclonia", "mineclone2")
"""Games that the scene can be played in, best first; Debian 12 calls Minetest Game `minetest`."""

HOW_TO_GET = (
    "install a Luanti server and its Lua libraries: "
    "apt install minetest-server lua-socket lua-messagepack (on newer systems luanti-server)"
)


@dataclass(frozen=True)
class Engine:
    """A server program, its version, and the game to play. `root` is None for the machine's own."""

    version: str
    program: str
    game: str
    root: Path | None = None

    def __str__(self) -> str:
        return self.version

    def command(self, arguments: list[str], *, shared: Path) -> list[str]:
        """The command line that starts the server with these arguments.

        An engine in a root sees the folder `shared` at the same path. Its mounts are made in a mount
        namespace of their own, so they end with it and nothing has to be unmounted."""
        return within_root(self.root, [self.program, *arguments], shared)


def within_root(root: Path | None, command: list[str], shared: Path | None = None) -> list[str]:
    """The command line that runs `command` in that root, with /proc and /dev, seeing the folder `shared`."""
    if root is None:
        return command
    quoted = shlex.quote(str(root))
    steps = [f"mount -t proc proc {quoted}/proc", f"mount --rbind /dev {quoted}/dev"]
    if shared:
        inside = shlex.quote(str(root / shared.resolve().relative_to("/")))
        steps += [f"mkdir -p {inside}", f"mount --bind {shlex.quote(str(shared.resolve()))} {inside}"]
    steps.append(f"exec chroot {quoted} {shlex.join(command)}")
    return ["unshare", "--mount", "sh", "-c", " && ".join(steps)]


def machine_engine() -> Engine:
    """The engine installed on this machine; raises EngineMissing."""
    for name in machine.SERVERS:
        if program := machine.find(name, PLACES):
            return inspect(str(program))
    raise EngineMissing(f"no Luanti server found ({' or '.join(machine.SERVERS)}): {HOW_TO_GET}")


def inspect(program: str, root: Path | None = None) -> Engine:
    """Asks a server program for its version and its games."""
    told = _output(within_root(root, [program, "--version"]))
    version = machine.told_version(told)
    if not version:
        raise EngineMissing(f"{program} does not tell a version of Luanti: {told[:200]!r}")
    games = _output(within_root(root, [program, "--gameid", "list"])).split()
    game = next((game for game in GAMES if game in games), None)
    if not game:
        raise EngineMissing(f"{program} has no game to play: it knows {games}, and one of {GAMES} is needed")
    return Engine(machine.text(version), program, game, root)


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineMissing(f"{shlex.join(command)} cannot be run: {error}") from error
    return done.stdout + done.stderr
