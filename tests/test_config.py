"""Settings: who wins, what is refused, and whether a person can act on the refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_runtime import config
from agent_runtime.errors import ConfigError


def problems(home: Path, text: str) -> list[str]:
    (home / config.FILE_NAME).write_text(text)
    with pytest.raises(ConfigError) as caught:
        config.load()
    return caught.value.problems


def test_defaults_hold_without_a_file(home: Path) -> None:
    settings = config.load()
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 30301)
    assert settings.model_path is None
    assert settings.journal_path == home / "journal.duckdb"
    assert settings.personas_folder == home / "personas"
    assert settings.token_path == home / "token"
    assert settings.warnings() == []


def test_environment_goes_over_file_over_default(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / config.FILE_NAME).write_text("[server]\nport = 1111\nheartbeat_s = 1\n")
    monkeypatch.setenv("TOWNSFOLK_SERVER__PORT", "2222")
    settings = config.load()
    assert settings.server.port == 2222
    assert settings.server.heartbeat_s == 1
    assert settings.server.max_connections == 64
    origins = {key.dotted: config.origin(key, home) for key in config.all_keys()}
    assert origins["server.port"] == "env"
    assert origins["server.heartbeat_s"] == "file"
    assert origins["server.max_connections"] == "default"


def test_a_home_given_goes_over_the_variable(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / config.FILE_NAME).write_text("[log]\nlevel = 'debug'\n")
    settings = config.load(other)
    assert settings.home == other
    assert settings.log.level == "debug"
    assert settings.journal_path == other / "journal.duckdb"


def test_paths_are_relative_to_home_and_know_the_tilde(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somebody")
    (home / config.FILE_NAME).write_text(
        '[model]\npath = "big.gguf"\n[journal]\npath = "/var/j.duckdb"\n[personas]\nfolder = "~/mine"\n'
    )
    settings = config.load()
    assert settings.model_path == home / "big.gguf"
    assert settings.journal_path == Path("/var/j.duckdb")
    assert settings.personas_folder == Path("/somebody/mine")


def test_all_problems_come_at_once_each_with_its_fix(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWNSFOLK_TURN__HISTORY", "many")
    found = problems(
        home, '[server]\nport = 70000\nheartbeat_s = nan\n[log]\nlevel = "loud"\n[model]\nslots = 0\n'
    )
    assert sorted(found) == [
        "log.level: 'loud' (from townsfolk.toml) cannot be used; give one of debug, info, warning, error",
        "model.slots: 0 (from townsfolk.toml) cannot be used; give a whole number from 1 to 256",
        "server.heartbeat_s: nan (from townsfolk.toml) cannot be used; give a number from 0.2 to 2",
        "server.port: 70000 (from townsfolk.toml) cannot be used; give a whole number from 0 to 65535",
        "turn.history: 'many' (from TOWNSFOLK_TURN__HISTORY) cannot be used; "
        "give a whole number from 0 to 64",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[server]\nprot = 1\n", "server.prot: there is no such setting; did you mean server.port?"),
        ("[sever]\nport = 1\n", "sever: there is no such setting; did you mean server?"),
        ("zzz = 1\n", "zzz: there is no such setting; remove it"),
        ("server = 1\n", "server: 1 is not a section; write [server]"),
        ("[server\n", "cannot be read as TOML"),
        ("[turn]\nhistory = 10\nmemory = 5\n", "turn.history: 10 exchanges cannot go into a prompt"),
    ],
)
def test_a_wrong_file_is_refused(home: Path, text: str, words: str) -> None:
    found = problems(home, text)
    assert len(found) == 1
    assert words in found[0]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("TOWNSFOLK_SERVER_PORT", "did you mean TOWNSFOLK_SERVER__PORT?"),
        ("TOWNSFOLK_SERVER__PROT", "did you mean server.port?"),
        ("TOWNSFOLK_SEVER__PORT", "did you mean TOWNSFOLK_SERVER__PORT?"),
        ("TOWNSFOLK_NONSENSE__AT_ALL", "there is no such setting"),
        ("TOWNSFOLK_MODEL", "set its keys one by one, such as TOWNSFOLK_MODEL__PATH"),
    ],
)
def test_a_variable_that_would_be_ignored_is_a_problem(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.setenv(name, "1")
    found = problems(home, "")
    assert len(found) == 1
    assert words in found[0]


def test_variables_of_others_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWNSFOLK_QUITE_DIFFERENT", "1")
    monkeypatch.setenv("SERVER__PORT", "nonsense")
    assert config.load().server.port == 30301


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config.load().server.port = 1


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "game.example"])
def test_an_open_address_is_warned_about(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("TOWNSFOLK_SERVER__HOST", host)
    (warning,) = config.load().warnings()
    assert host in warning
    assert "unencrypted" in warning


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_loopback_is_not_warned_about(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setenv("TOWNSFOLK_SERVER__HOST", host)
    assert config.load().warnings() == []


def test_what_is_shipped_is_found() -> None:
    assert (config.share_dir() / "luanti_bridge_mod").is_dir()
    assert (config.share_dir() / "data" / "base").is_dir()
