"""Puts the mod into a world, and the settings it needs into the server's configuration when told to.

A crash leaves the old copy, the new copy, or none with the old one beside it; never half a mod.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent_runtime import luanti_conf
from agent_runtime.errors import ModInstallError

MOD = "townsfolk"
DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 30301
"""Where the mod looks for the runtime when its configuration names no other place."""

_SAME_MACHINE = (DEFAULT_HOST, "localhost")
_EVERYWHERE = ("0.0.0.0", "::")
"""Listening there, the runtime is reached at the mod's default, and at any other name of its machine."""

_NOT_SHIPPED = shutil.ignore_patterns("spec", ".*", "*.py")

Outcome = Literal["installed", "replaced", "unchanged"]


@dataclass(frozen=True, slots=True)
class Installed:
    """Where the mod is now, and what happened to the folder."""

    path: Path
    outcome: Outcome


def install(source: Path, world: Path) -> Installed:
    """Copy the mod into `world`/worldmods, where Luanti loads it without further ado.

    Raises `ModInstallError` when `world` is not a world, or when what is in the way is not our mod.
    """
    if not (world / "world.mt").is_file():
        raise ModInstallError(
            f"{world}: is not a world (no world.mt in it); give the folder that holds world.mt, "
            f"or start the server once with --world {world} so that it makes one"
        )
    target = world / "worldmods" / MOD
    if target.is_symlink():
        raise ModInstallError(f"{target}: is a link to {target.resolve()}; remove the link first")
    if target.exists() and not _is_ours(target):
        raise ModInstallError(f"{target}: holds something else than our mod; move it away first")
    new, old = world / f".{MOD}-new", world / f".{MOD}-old"
    try:
        _remove(new)
        shutil.copytree(source, new, ignore=_NOT_SHIPPED, copy_function=shutil.copyfile)
        if target.exists() and _files(new) == _files(target):
            _remove(new)
            return Installed(target, "unchanged")
        _make_readable(new)
        if not target.parent.exists():
            target.parent.mkdir()
            target.parent.chmod(0o755)  # the server's user may be another one, whatever the umask says
        _remove(old)
        replaced = target.exists()
        if replaced:
            target.rename(old)
        new.rename(target)
        _remove(old)
    except OSError as error:
        raise ModInstallError(
            f"{world}: the mod cannot be copied: {error}; run this as a user who may write there"
        ) from error
    return Installed(target, "replaced" if replaced else "installed")


def needed_settings(conf: str, token: str, host: str, port: int) -> dict[str, str]:
    """What the server's configuration has to say, given what it says now.

    `port` 0 is any free one, which the configuration cannot know."""
    trusted = luanti_conf.get(conf, "secure.trusted_mods")
    needed = {
        "secure.trusted_mods": luanti_conf.with_trusted(trusted, MOD),
        f"{MOD}.token": token,
    }
    if host not in _EVERYWHERE:
        wanted = DEFAULT_HOST if host in _SAME_MACHINE else host
        needed |= _unless_default(conf, f"{MOD}.host", wanted, DEFAULT_HOST)
    if port:
        needed |= _unless_default(conf, f"{MOD}.port", str(port), str(DEFAULT_PORT))
    return needed


def read_conf(path: Path) -> str:
    """The text of a server's configuration. Raises `ModInstallError`."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModInstallError(
            f"{path}: cannot be read: {error}; give the file that the server is started with (--config)"
        ) from error


def apply(path: Path, settings: Mapping[str, str]) -> bool:
    """Write `settings` into the configuration and keep the text before as `.bak`; False when it said
    all that already. Raises `ModInstallError`."""
    before = read_conf(path)
    if all(luanti_conf.get(before, name) == value for name, value in settings.items()):
        return False
    real = path.resolve()
    new = real.with_name(real.name + ".new")
    try:
        shutil.copy2(real, real.with_name(real.name + ".bak"))
        shutil.copy2(real, new)
        new.write_text(luanti_conf.merge(before, settings), encoding="utf-8")
        status = real.stat()
        os.chown(new, status.st_uid, status.st_gid)
        new.replace(real)
    except OSError as error:
        raise ModInstallError(f"{path}: cannot be written: {error}; run this as its owner") from error
    return True


def _unless_default(conf: str, name: str, value: str, default: str) -> dict[str, str]:
    """The setting, unless it is the default and the configuration names no other value."""
    return {} if value == default == (luanti_conf.get(conf, name) or default) else {name: value}


def _is_ours(folder: Path) -> bool:
    try:
        text = (folder / "mod.conf").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return luanti_conf.get(text, "name") == MOD


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _make_readable(folder: Path) -> None:
    """The server often runs as another user than the one who installs."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
