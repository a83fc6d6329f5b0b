from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from agent_runtime.chat import embedded_catalogue
from agent_runtime.engine.modelfile import digest
from agent_runtime.models import embedded_model
from agent_runtime.registry.store import Registry
from tests.support.adapters import random_adapter
from tests.support.engine import Reply, ScriptedEngine
from tests.support.openai_server import OpenAIServer
from tests.support.versions import added


def talk(home: Path, lines: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agent_runtime", "--home", str(home), "chat", *arguments],
        input=lines,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "COLUMNS": "200"},
        check=False,
    )


def test_a_talk_in_the_terminal_until_an_empty_line(tmp_path: Path) -> None:
    done = talk(tmp_path, "hello\n\n")
    assert done.returncode == 0, done.stderr
    assert "Mira, " in done.stdout
    assert done.stdout.count("first words") == 1


def test_the_end_of_the_input_ends_the_talk(tmp_path: Path) -> None:
    assert talk(tmp_path, "", "--npc", "brom").returncode == 0


class Terminal:
    """A person at a terminal with `townsfolk chat`: what is shown, and keys to press. An engine elsewhere
    answers."""

    def __init__(self, home: Path, url: str) -> None:
        self._own, theirs = os.openpty()
        command = [sys.executable, "-m", "agent_runtime", "--home", str(home), "chat"]
        engine = {"TOWNSFOLK_ENGINE__BACKEND": "openai", "TOWNSFOLK_ENGINE__URL": url}
        # The terminal is that of the program, or Ctrl-C would not reach it.
        self.process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", *command],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, **engine},
        )
        os.close(theirs)
        self.shown = ""

    async def wait_for(self, text: str) -> None:
        """Read on until this is shown; fails when the program ends first."""
        while text not in self.shown:
            read = asyncio.to_thread(os.read, self._own, 4096)
            self.shown += (await read).decode(errors="replace")

    def press(self, keys: str) -> None:
        os.write(self._own, keys.encode())

    async def ended(self) -> int:
        """The exit status."""
        return await asyncio.to_thread(self.process.wait, 10)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._own)


@asynccontextmanager
async def terminal(home: Path, reply: Reply) -> AsyncIterator[Terminal]:
    engine = ScriptedEngine([reply])
    await engine.start()
    async with OpenAIServer(engine, model="stand-in") as server:
        person = Terminal(home, server.url)
        try:
            await person.wait_for("you:")
            yield person
        finally:
            person.close()


async def test_ctrl_c_in_mid_line_ends_the_talk_at_once(tmp_path: Path) -> None:
    async with terminal(tmp_path, Reply("Good day.")) as person:
        person.press("hello\n")
        await person.wait_for("first words")
        person.press("half a li\x03")
        assert await person.ended() == 0
        assert "Traceback" not in person.shown


async def test_ctrl_c_in_mid_reply_ends_the_talk_at_once(tmp_path: Path) -> None:
    async with terminal(tmp_path, Reply("Long ago. ", between=0.05, endless=True)) as person:
        person.press("tell me a story\n")
        await person.wait_for("Long ago.")
        person.press("\x03")
        assert await person.ended() == 0
        assert "first words" not in person.shown


def test_the_champion_answers_or_the_version_that_was_asked_for(tmp_path: Path) -> None:
    base = embedded_model(tmp_path)
    registry = Registry(tmp_path / "registry")
    adapter = random_adapter(tmp_path / "adapter.gguf", base, strength=0.02)
    added(registry, adapter, base=digest(base))
    added(registry, adapter, base="f" * 64)
    assert "version" not in talk(tmp_path, "").stdout
    assert "version 1 · Mira" in talk(tmp_path, "hello\n\n", "--version", "1").stdout
    registry.promote(1, expected=0, who="ann", why="better")
    assert "version 1 · Mira" in talk(tmp_path, "").stdout
    refused = talk(tmp_path, "", "--version", "2")
    assert refused.returncode == 2
    assert "another base" in refused.stderr


def test_an_unknown_persona_is_told_with_those_there_are(tmp_path: Path) -> None:
    done = talk(tmp_path, "", "--npc", "nobody")
    assert done.returncode == 2
    assert "mira" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["torch", "stone pickaxe", "chest"])
def test_the_shipped_catalogue_knows_what_players_ask_for(name: str) -> None:
    catalogue = embedded_catalogue()
    item = catalogue.find(name)
    assert item is not None
    assert catalogue.recipes(item)
