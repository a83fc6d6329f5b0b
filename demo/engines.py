"""Roots with other Luanti engines in them: a Debian suite and a folder come in, an `Engine` comes out.

Needs root and `debootstrap`; a root is about 200 MB and is built once. Mounts that the building needs live in
a mount namespace of their own, so none is left on the machine whatever happens."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import platformdirs
from rich.console import Console

from agent_runtime.files import locked
from demo.engine import Engine, inspect, machine_engine
from demo.errors import DemoError, EngineMissing

SUITES = ("trixie", "sid")
"""Debian suites whose engine the mod is tested with, besides the machine's own."""

PACKAGES = ("luanti-server", "lua-socket", "lua-messagepack")
PROGRAM = "/usr/games/luantiserver"
SOURCES = Path("/etc/apt")
BUILD_SECONDS = 900


def default_folder() -> Path:
    """Where roots are kept: $LUANTI_ENGINES, or the platform's cache folder."""
    given = os.environ.get("LUANTI_ENGINES")
    return Path(given) if given else Path(platformdirs.user_cache_dir("townsfolk")) / "engines"


def mirror(sources: Path = SOURCES) -> str:
    """The Debian mirror that this machine installs from, out of its apt sources; raises EngineMissing."""
    for uri, suites, components in _sources(sources):
        security = "security" in uri or any("-security" in suite for suite in suites)
        if "main" in components and uri.startswith("http") and "debian" in uri and not security:
            return uri
    raise EngineMissing(f"no Debian mirror in the apt sources of {sources}: give one with --mirror URL")


def _sources(folder: Path) -> list[tuple[str, list[str], list[str]]]:
    """Each address, its suites and its components, from deb822 files and from one-line files."""
    found = []
    for path in sorted(folder.glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text()):
            fields = dict(re.findall(r"^(\w[\w-]*):[ \t]*(.*(?:\n[ \t]+.*)*)", stanza, re.MULTILINE))
            for uri in fields.get("URIs", "").split():
                found.append((uri, fields.get("Suites", "").split(), fields.get("Components", "").split()))
    for path in [folder / "sources.list", *sorted(folder.glob("sources.list.d/*.list"))]:
        lines = path.read_text().splitlines() if path.exists() else []
        for line in lines:
            match = re.match(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.+)", line.strip())
            if match:
                found.append((match[1], [match[2]], match[3].split()))
    return found


def have(suite: str, folder: Path | None = None) -> Engine | None:
    """The engine of that suite, when its root has been built and we may enter it (as root)."""
    root = (folder or default_folder()) / suite
    there = os.geteuid() == 0 and (root / PROGRAM.lstrip("/")).exists()
    return inspect(PROGRAM, root) if there else None


def build(suite: str, folder: Path | None = None, *, source: str | None = None) -> Engine:
    """The engine of that suite, building its root where it is missing; raises EngineMissing."""
    folder = folder or default_folder()
    engine = have(suite, folder)
    if engine:
        return engine
    if os.geteuid() != 0:
        raise EngineMissing(f"building the engine of {suite} needs root: sudo python -m demo.engines {suite}")
    if not shutil.which("debootstrap"):
        raise EngineMissing("building an engine needs debootstrap: apt install debootstrap")
    source = source or mirror()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder / f"{suite}.lock", BUILD_SECONDS):
            if not have(suite, folder):  # nobody built it while we waited
                _build(suite, folder, source)
    except TimeoutError as error:
        raise EngineMissing(str(error)) from error
    engine = have(suite, folder)
    if engine is None:
        raise EngineMissing(f"the root of {suite} has no {PROGRAM}")
    return engine


def _build(suite: str, folder: Path, source: str) -> None:
    unfinished = folder / f"{suite}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite]
    _run_shown(["unshare", "--mount", *command, str(unfinished), source], f"the engine of Debian {suite}")
    unfinished.rename(folder / suite)


def _run_shown(command: list[str], what: str) -> None:
    """Runs a long command and shows its last line as it goes; raises EngineMissing with its output."""
    console = Console(stderr=True)
    lines: list[str] = []
    with console.status(f"building {what} …") as status:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        watchdog = threading.Timer(BUILD_SECONDS, process.kill)
        watchdog.start()
        try:
            assert process.stdout
            for line in process.stdout:
                lines.append(line.rstrip())
                status.update(f"building {what}: {lines[-1][:70]}")
            code = process.wait()
        finally:
            watchdog.cancel()
            if process.poll() is None:
                process.terminate()
                process.wait()
    if code != 0:
        tail = "\n".join(lines[-15:])
        raise EngineMissing(f"{' '.join(command)} failed with {code}:\n{tail}")
    console.print(f"built {what}")


def main() -> int:
    """`python -m demo.engines [SUITE …]`: builds what is missing and lists what there is."""
    parser = argparse.ArgumentParser(prog="python -m demo.engines", description=main.__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", default=list(SUITES))
    parser.add_argument("--folder", type=Path, default=default_folder(), help="where the roots are kept")
    parser.add_argument("--mirror", help="the Debian mirror (default: the one in this machine's apt sources)")
    options = parser.parse_args()
    try:
        print(f"{machine_engine()} ({machine_engine().program})")
    except EngineMissing as error:
        print(error, file=sys.stderr)
    try:
        for suite in options.suites:
            engine = build(suite, options.folder, source=options.mirror)
            print(f"{engine} ({engine.root})")
    except DemoError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
