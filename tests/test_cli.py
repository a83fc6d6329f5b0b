"""The command line as a person meets it: what it prints, what it writes, how it fails."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agent_runtime import __version__, config
from agent_runtime.cli import app
from agent_runtime.commands.settings import template, toml_value
from agent_runtime.journal.rows import NpcRow
from agent_runtime.journal.store import Store


def run(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def process(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent_runtime", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))


@pytest.fixture
def world(tmp_path: Path) -> Path:
    folder = tmp_path / "world"
    folder.mkdir()
    (folder / "world.mt").write_text("gameid = minetest\n")
    return folder


def test_help_names_every_command() -> None:
    done = process("--help")
    assert done.returncode == 0
    for command in ("serve", "chat", "npc", "journal", "model", "config", "mod", "doctor"):
        assert f" {command} " in done.stdout


def test_version() -> None:
    assert run("--version") == f"townsfolk {__version__}\n"


def test_errors_are_lines_with_status_2_and_no_traceback(home: Path) -> None:
    (home / config.FILE_NAME).write_text("[server]\nprot = 1\nport = -1\n")
    done = process("config", "check")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "townsfolk: server.port: -1 (from townsfolk.toml) cannot be used; "
        "give a whole number from 0 to 65535",
        "townsfolk: server.prot: there is no such setting; did you mean server.port?",
    ]


def test_a_home_given_on_the_command_line_is_used(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / config.FILE_NAME).write_text("[server]\nport = 4321\n")
    assert run("--home", other, "config", "show", "server.port") == "4321\n"
    assert run("config", "show", "server.port") == "30301\n"


def test_config_check_tells_where_each_value_comes_from(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / config.FILE_NAME).write_text("[server]\nport = 4321\n")
    monkeypatch.setenv("TOWNSFOLK_LOG__LEVEL", "debug")
    lines = run("config", "check").splitlines()
    assert "server.port = 4321  # townsfolk.toml" in lines
    assert 'log.level = "debug"  # TOWNSFOLK_LOG__LEVEL' in lines
    assert "model.slots = 16  # default" in lines
    assert len(lines) == 1 + len(list(config.all_keys()))


def test_a_key_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWNSFOLK_ENGINE__API_KEY", "sk-1234")
    assert config.load().engine.api_key.get_secret_value() == "sk-1234"
    assert "sk-1234" not in run("config", "check") + run("config", "show", "engine.api_key")


def test_config_show_prints_paths_and_refuses_what_is_not_there(home: Path) -> None:
    assert f"journal = {home}/journal.duckdb" in run("config", "show")
    assert process("config", "show", "server.prot").returncode == 2


def test_the_drafted_settings_are_the_defaults(home: Path) -> None:
    assert tomllib.loads(template()) == {section: {} for section in config.Settings.model_fields}
    uncommented = [
        line[2:]
        if line.startswith("# ") and line.split()[1] in {key.name for key in config.all_keys()}
        else line
        for line in template().splitlines()
    ]
    values = tomllib.loads("\n".join(line for line in uncommented if not line.startswith("#")))
    for key in config.all_keys():
        assert values[key.section][key.name] == ("" if key.default is None else key.default)
    (home / config.FILE_NAME).write_text("\n".join(uncommented))
    assert config.load().model_dump() == config.load(home / "absent").model_dump()


def test_config_init_writes_once(home: Path) -> None:
    assert run("config", "init") == template()
    assert not (home / config.FILE_NAME).exists()
    run("config", "init", "--write")
    assert (home / config.FILE_NAME).read_text() == template()
    again = process("config", "init", "--write")
    assert again.returncode == 2
    assert "is there already" in again.stderr


def test_text_with_quotes_and_backslashes_survives_toml() -> None:
    for text in ('a "b" \\ c', "C:\\new", "ü"):
        assert tomllib.loads(f"x = {toml_value(text)}")["x"] == text


def test_personas_are_listed_and_shown(home: Path) -> None:
    (home / "personas").mkdir()
    (home / "personas" / "olga.toml").write_text(
        'name = "Olga"\nrole = "a fisher"\nvoice = "plain"\nabout = "Olga fishes."\n'
        'inventory = {"default:apple" = 3}\n[canned]\noffline = ["Not now."]\n'
    )
    assert "olga         Olga, a fisher" in run("npc", "personas").splitlines()
    shown = run("npc", "show", "olga")
    assert "carries: 3 default:apple" in shown
    assert "offline: Not now." in shown
    unknown = process("npc", "show", "nobody")
    assert unknown.returncode == 2
    assert "there is no such persona; there are" in unknown.stderr


def test_mod_install_shows_what_the_server_needs_and_writes_nothing_untold(
    home: Path, world: Path, tmp_path: Path
) -> None:
    conf = tmp_path / "minetest.conf"
    conf.write_text("secure.trusted_mods = irc\n")
    shown = run("mod", "install", "--world", world, "--config", conf)
    token = (home / "token").read_text().strip()
    assert f"    townsfolk.token = {token}" in shown.splitlines()
    assert "    secure.trusted_mods = irc, townsfolk" in shown.splitlines()
    assert conf.read_text() == "secure.trusted_mods = irc\n"
    assert (world / "worldmods" / "townsfolk" / "mod.conf").is_file()


def test_mod_install_writes_when_told_to_and_only_once(home: Path, world: Path, tmp_path: Path) -> None:
    conf = tmp_path / "minetest.conf"
    conf.write_text("# mine\n")
    conf.chmod(0o644)
    first = CliRunner().invoke(
        app, ["mod", "install", "--world", str(world), "--config", str(conf), "--apply"]
    )
    assert first.exit_code == 0
    assert "installed" in first.stdout
    assert "chmod o-r" in first.stderr
    token = (home / "token").read_text().strip()
    assert conf.read_text() == f"# mine\nsecure.trusted_mods = townsfolk\ntownsfolk.token = {token}\n"
    second = run("mod", "install", "--world", world, "--config", conf, "--apply")
    assert "up to date" in second
    assert "nothing to change" in second


def test_mod_install_says_what_is_missing(tmp_path: Path, world: Path) -> None:
    done = process("mod", "install", "--world", tmp_path)
    assert done.returncode == 2
    assert "no world.mt" in done.stderr
    done = process("mod", "install", "--world", world, "--apply")
    assert done.returncode == 2
    assert "--config FILE" in done.stderr
    assert not (world / "worldmods").exists()


def test_doctor_ends_with_1_when_something_is_broken(home: Path) -> None:
    (home / config.FILE_NAME).write_text("[server]\nprot = 1\n")
    done = process("doctor")
    assert done.returncode == 1
    assert "✗ settings: server.prot" in done.stdout


def test_npcs_are_listed_from_the_journal(home: Path) -> None:
    store = Store(home / "journal.duckdb", wait_s=0)
    npc = NpcRow(
        id="01JD0000000000000000000001",
        server="01JD0000000000000000000002",
        name="Mira",
        persona="mira",
        x=10.4,
        y=8,
        z=-3,
        state="moved",
        seen_at=datetime(2026, 11, 20, 12, tzinfo=UTC),
    )
    store.commit([npc], new=True)
    store.close()
    (line,) = run("npc", "list").splitlines()
    assert line.split()[:4] == ["Mira", "mira", "at", "10,8,-3"]
    assert "0 turns" in line


def test_serve_says_who_may_have_the_port(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("TOWNSFOLK_SERVER__PORT", str(server.getsockname()[1]))
        done = process("serve")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "choose another port" in done.stderr


def test_serve_is_ready_and_stops_on_sigterm(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWNSFOLK_SERVER__PORT", "0")
    command = [sys.executable, "-m", "agent_runtime", "serve"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stderr
        try:
            events = []
            for line in serving.stderr:
                events.append(json.loads(line)["event"])
                if events[-1] == "ready":
                    serving.send_signal(signal.SIGTERM)
        finally:
            serving.kill()
    assert "ready" in events
    assert events[-1] == "stopped"
    assert serving.returncode == 0
