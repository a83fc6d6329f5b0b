"""Looks at everything that a working server needs; one finding after the other comes out, each with its fix.

Changes nothing, except that the embedded model's GGUF is made when it is not there.
"""

from __future__ import annotations

import http.client
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from agent_runtime import config
from agent_runtime.doctor import machine
from agent_runtime.doctor.finding import Finding, State
from agent_runtime.doctor.model import model_findings
from agent_runtime.errors import ConfigError, JournalError, JournalLocked, TownsfolkError


def examine(home: Path | None = None) -> Iterator[Finding]:
    """All findings, cheap ones first."""
    yield Finding("fine", "Python", sys.version.split()[0])
    yield from machine_findings()
    try:
        settings = config.load(home)
    except ConfigError as error:
        for problem in error.problems:
            yield Finding("broken", "settings", problem)
        return
    for warning in settings.warnings():
        yield Finding("warning", "settings", warning)
    yield home_finding(settings.home)
    yield personas_finding(settings)
    yield token_finding(settings)
    yield port_finding(settings)
    yield journal_finding(settings.journal_path)
    yield from model_findings(settings)


def machine_findings() -> Iterator[Finding]:
    """The Luanti server and the Lua libraries of this machine."""
    engine = machine.luanti_server()
    if engine is None:
        elsewhere = "fine when the game runs on another machine; otherwise install luanti-server"
        yield Finding("warning", "Luanti server", "not found here", elsewhere)
    elif engine.version < machine.SAFE_LUANTI:
        yield Finding(
            "warning",
            "Luanti server",
            f"{engine.text} ({engine.program}); before {machine.text(machine.SAFE_LUANTI)} any other mod "
            "can take over a trusted mod's rights (CVE-2026-40960)",
            "use mods you trust only, or upgrade the server",
        )
    else:
        yield Finding("fine", "Luanti server", f"{engine.text} ({engine.program})")
    if machine.has_luasocket():
        yield Finding("fine", "LuaSocket", "found")
    else:
        state: State = "broken" if engine else "warning"
        yield Finding(state, "LuaSocket", "not found: the mod cannot connect", "apt install lua-socket")
    if machine.has_messagepack():
        yield Finding("fine", "Lua MessagePack", "found")
    else:
        fix = "apt install lua-messagepack"
        yield Finding("warning", "Lua MessagePack", "not found: the link falls back to JSON", fix)


def home_finding(home: Path) -> Finding:
    """Whether the runtime can write where it must."""
    folder = home
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        fix = f"make {folder} writable for this user, or choose another folder with --home"
        return Finding("broken", "home", f"{home} cannot be written", fix)
    return Finding("fine", "home", f"{home}{'' if home.exists() else ' (made on first start)'}")


def personas_finding(settings: config.Settings) -> Finding:
    """Whether every persona file can be used."""
    from agent_runtime.npc.persona import load_personas

    try:
        personas = load_personas(*settings.persona_folders)
    except TownsfolkError as error:
        return Finding("broken", "personas", str(error), "correct the file, or remove it")
    if not personas:
        return Finding("broken", "personas", "there are none", f"put one into {settings.personas_folder}")
    return Finding("fine", "personas", ", ".join(personas))


def token_finding(settings: config.Settings) -> Finding:
    """The token, without making one."""
    from agent_runtime.bridge.token import load_or_create_token

    path = settings.token_path
    if not path.exists():
        return Finding("fine", "token", f"{path} (made on first start)")
    try:
        load_or_create_token(path)
    except ConfigError as error:
        return Finding("broken", "token", str(error))
    if path.stat().st_mode & 0o077:
        return Finding("warning", "token", f"{path} can be read by other users", f"chmod 600 {path}")
    return Finding("fine", "token", str(path))


def port_finding(settings: config.Settings) -> Finding:
    """Whether the port is free, or our own runtime answers there."""
    host, port = settings.server.host, settings.server.port
    where = f"{host}:{port}"
    try:
        with socket.create_server((host, port), family=_family(host)):
            return Finding("fine", "port", f"{where} is free")
    except OSError as error:
        reason = error.strerror or str(error)
    status = _knock(settings)
    if status == http.client.SWITCHING_PROTOCOLS:
        return Finding("fine", "port", f"a runtime with this token serves {where}")
    if status == http.client.UNAUTHORIZED:
        fix = "is it another home's? compare the tokens, or choose another server.port"
        return Finding("warning", "port", f"a runtime with another token serves {where}", fix)
    fix = "stop the program that has it, or choose another server.port"
    return Finding("broken", "port", f"{where} cannot be listened on: {reason}", fix)


def journal_finding(path: Path) -> Finding:
    """Whether the journal opens."""
    from agent_runtime.journal.database import Database

    if not path.exists():
        return Finding("fine", "journal", f"{path} (made on first start)")
    try:
        Database(path, read_only=True).close()
    except JournalLocked:
        return Finding("fine", "journal", f"{path} is open in a running runtime")
    except JournalError as error:
        return Finding("broken", "journal", str(error))
    return Finding("fine", "journal", f"{path} opens, {path.stat().st_size / 2**20:.1f} MiB")


def _knock(settings: config.Settings) -> int | None:
    """The status with which whoever has the port answers our handshake; None when it speaks no HTTP."""
    from agent_runtime.bridge.token import load_or_create_token

    path = settings.token_path
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.server.host, settings.server.host)
    connection = http.client.HTTPConnection(host, settings.server.port, timeout=3)
    try:
        headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "dG93bnNmb2xrIGRvY3Rvcg==",
            "Sec-WebSocket-Protocol": "townsfolk.v1+json",
            "Authorization": f"Bearer {load_or_create_token(path) if path.exists() else ''}",
        }
        connection.request("GET", "/", headers=headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException, ConfigError):
        return None
    finally:
        connection.close()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
