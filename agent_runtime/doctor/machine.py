"""What this machine has: the Luanti server and its version, the Lua libraries of the mod, graphics cards."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

Version = tuple[int, ...]

SAFE_LUANTI: Version = (5, 15, 2)
"""Before it, any mod can obtain a trusted mod's insecure environment: CVE-2026-40960."""

SERVERS = ("luantiserver", "minetestserver")
PROGRAMS = (*SERVERS, "luanti", "minetest")
FOLDERS = ("/usr/games", "/usr/local/games", "/usr/local/bin", "/usr/bin", "/snap/bin")

# Where Debian's LuaJIT looks, besides the current folder.
LUA_FOLDERS = ("/usr/local/share/lua/5.1", "/usr/share/lua/5.1", "/usr/local/lib/lua/5.1", "/usr/lib/lua/5.1")


@dataclass(frozen=True, slots=True)
class Luanti:
    """A Luanti program on this machine."""

    program: Path
    version: Version

    @property
    def text(self) -> str:
        return text(self.version)


def text(version: Version) -> str:
    """A version as people write it."""
    return ".".join(map(str, version))


def find(name: str, folders: tuple[str, ...] = FOLDERS) -> Path | None:
    """The program of that name on the path, or else in the usual folders."""
    found = shutil.which(name) or shutil.which(name, path=":".join(folders))
    return Path(found) if found else None


def told_version(output: str) -> Version | None:
    """The version in what a Luanti program prints for `--version`."""
    match = re.search(r"(?:Minetest|Luanti)\s+(\d+)\.(\d+)\.(\d+)", output)
    return tuple(map(int, match.groups())) if match else None


def luanti_server(folders: tuple[str, ...] = FOLDERS) -> Luanti | None:
    """The first Luanti program on the path or in the usual folders that tells its version."""
    for name in PROGRAMS:
        program = find(name, folders)
        found = _inspect(program) if program else None
        if found:
            return found
    return None


def has_luasocket(folders: tuple[str, ...] = LUA_FOLDERS) -> bool:
    """Whether LuaSocket is where the engine's LuaJIT finds it."""
    return _has("socket.lua", folders)


def has_messagepack(folders: tuple[str, ...] = LUA_FOLDERS) -> bool:
    """Whether lua-MessagePack is where the engine's LuaJIT finds it."""
    return _has("MessagePack.lua", folders)


def gpus() -> list[str]:
    """The cards that a GPU build of llama.cpp could use, by their names."""
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return ["an Apple GPU"]
    try:
        # Such as `GPU 0: NVIDIA GeForce RTX 3060 (UUID: GPU-…)`.
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=10, check=False)
        cards = re.findall(r"^GPU \d+: (.*?)(?: \(UUID.*)?$", listed.stdout, re.M)
    except (OSError, subprocess.TimeoutExpired):
        cards = []
    return cards or (["an AMD GPU"] if Path("/dev/kfd").exists() else [])


def _has(file: str, folders: tuple[str, ...]) -> bool:
    return any(Path(folder, file).is_file() for folder in folders)


def _inspect(program: Path) -> Luanti | None:
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    version = told_version(done.stdout + done.stderr)
    return Luanti(program, version) if version else None
