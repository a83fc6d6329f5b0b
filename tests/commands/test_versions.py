"""What a person sees and can do with versions, while no server runs; with one, see test_serving.py."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from agent_runtime.cli import app
from agent_runtime.commands import versions
from agent_runtime.engine import modelfile
from agent_runtime.errors import RegistryError
from agent_runtime.models import embedded_model
from agent_runtime.registry.canary import Trial
from agent_runtime.registry.manifest import Verdict
from agent_runtime.registry.status import Memo, Status, StatusFiles
from agent_runtime.registry.store import Registry
from tests.support.adapters import random_adapter
from tests.support.versions import added, dataset


@pytest.fixture
def registry(home: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    monkeypatch.setenv("COLUMNS", "140")
    return Registry(home / "registry")


def run(*arguments: str | int) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def rows(output: str) -> dict[str, str]:
    """The table's lines by version."""
    return {line.split()[0]: line for line in output.splitlines() if line[:1].isdigit()}


def test_an_empty_registry_says_what_serves_and_what_to_do(registry: Registry) -> None:
    shown = run("versions")
    assert "the base as it comes along" in rows(shown)["0"]
    assert "champion" in rows(shown)["0"]
    assert "townsfolk learn run" in shown
    assert "no server runs here" in shown
    assert not registry.root.exists()


def test_versions_are_listed_with_what_was_learned_and_what_they_are(registry: Registry) -> None:
    for number in (1, 2, 3, 4):
        added(registry, learned=f"lesson {number}", dataset=dataset(number))
    run("promote", 1)
    run("promote", 2)
    run("challenge", 3)
    run("versions", "ban", 4, "--why", "odd data")
    shown = rows(run("versions"))
    assert list(shown) == ["4", "3", "2", "1", "0"]
    assert "lesson 2" in shown["2"]
    assert "passed better on 12 of 14 slices" in shown["2"]
    assert "champion" in shown["2"]
    assert "challenger (5% of players)" in shown["3"]
    assert "last_good" in shown["1"]
    assert "banned: odd data" in shown["4"]


def test_promote_and_rollback_say_what_happened(registry: Registry) -> None:
    added(registry)
    said = run("promote", 1, "--why", "I like it")
    assert "version 1 is the champion" in said
    assert "goes back to 0" in said
    assert "from the next `townsfolk serve`" in said
    assert "already" in run("promote", 1)
    said = run("rollback", "--why", "it swears")
    assert "version 0 is the champion again; version 1 is banned" in said
    entry = registry.audit()[-1]
    assert entry.who.startswith("admin")
    assert (entry.what, entry.why) == ("rollback", "it swears")
    assert registry.state().flagged == {dataset(1): "it swears"}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["promote", "7"], "there is no version 7"),
        (["rollback"], "nothing is behind it"),
        (["challenge", "0"], "it cannot challenge itself"),
        (["versions", "show", "7"], "there is no version 7"),
        (["versions", "ban", "0"], "bare base"),
        (["versions", "unban", "1"], "not banned"),
    ],
)
def test_what_cannot_be_is_one_line_with_status_2(
    home: Path, registry: Registry, arguments: list[str], why: str
) -> None:
    added(registry)
    done = subprocess.run(
        [sys.executable, "-m", "agent_runtime", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert why in done.stderr
    assert "Traceback" not in done.stderr


def test_what_the_gate_refused_needs_a_word_more(registry: Registry) -> None:
    added(registry, verdict=Verdict("refused", "safety 3 of 40 lost"))
    with pytest.raises(RegistryError, match="safety 3 of 40 lost"):
        run("promote", 1)
    with pytest.raises(RegistryError, match="--anyway"):
        run("challenge", 1)
    run("promote", 1, "--anyway")
    assert registry.state().champion == 1


def test_a_trial_can_be_widened_and_ended_and_says_how_many_raters_are_missing(registry: Registry) -> None:
    added(registry)
    run("challenge", 1, "--share", 5)
    run("challenge", 1, "--share", 20)
    assert registry.state().share == 0.2
    trial = Trial(0, 1, 0, 0, 0)
    for _ in range(3):
        trial.evidence.add("challenger", 1.0)
    StatusFiles(registry.root).write_memo(msgspec.json.encode(Memo(trial=trial)))
    said = " ".join(run("versions").split())
    assert "on trial with 20% of the players: 3 raters against 0" in said
    assert "more raters of version 1 and" in said
    assert "no longer on trial" in run("versions", "drop")
    assert "no version is on trial" in run("versions", "drop")


def test_another_share_is_the_servers_once_the_server_says_so(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "WAIT_SECONDS", 0.1)
    added(registry)
    run("challenge", 1, "--share", 5)
    now = datetime.now(UTC)
    status = Status(pid=os.getpid(), base="", champion=0, challenger=1, share=0.05, suspect=1, since=now)
    StatusFiles(registry.root).write_status(status)
    assert "the server has not taken it up yet" in run("challenge", 1, "--share", 20)
    assert "the server has it" in run("challenge", 1, "--share", 5)


def test_show_tells_where_a_version_comes_from_and_who_decided_what(registry: Registry) -> None:
    version = added(registry)
    run("promote", 1, "--why", "I [like] it")
    shown = run("versions", "show", 1)
    for part in (
        version.id,
        "greets by name",
        "method=sft rank=8",
        "train=7",
        "What was learned",
        "I [like] it",
    ):
        assert part in shown
    assert "champion 0 → 1" in " ".join(shown.split())


def test_prune_keeps_what_matters_and_can_be_tried(registry: Registry) -> None:
    for _ in range(4):
        added(registry)
    run("promote", 2)
    assert "nothing to remove" in run("versions", "prune")
    assert "would remove version 1" in run("versions", "prune", "--keep", 1, "--days", 0, "--dry-run")
    assert len(registry.versions()) == 5
    said = run("versions", "prune", "--keep", 1, "--days", 0)
    assert said.splitlines() == ["removed version 1", "removed version 3"]
    assert [version.number for version in registry.versions()] == [0, 2, 4]


def test_verify_finds_what_changed(registry: Registry) -> None:
    version = added(registry)
    assert "as it was added" in run("versions", "verify", 1)
    assert version.card
    version.card.chmod(0o644)
    version.card.write_text("better")
    with pytest.raises(RegistryError, match=r"card\.md"):
        run("versions", "verify", 1)


def test_a_version_that_cannot_be_read_hides_no_other(registry: Registry) -> None:
    version = added(registry)
    added(registry)
    assert version.folder
    (version.folder / "manifest.json").chmod(0o644)
    (version.folder / "manifest.json").write_text("{")
    shown = run("versions")
    assert set(rows(shown)) == {"0", "2"}
    assert "1-" in shown
    assert "cannot be used" in shown


def test_a_version_is_merged_into_one_file_for_other_engines(registry: Registry, tmp_path: Path) -> None:
    base = embedded_model(registry.root.parent)
    adapter = random_adapter(tmp_path / "a.gguf", base)
    added(registry, adapter, base=modelfile.digest(base))
    out = tmp_path / "merged.gguf"
    assert "answers as version 1 does" in run("versions", "merge", 1, out)
    assert modelfile.read_header(out).values["general.version"] == "1"


def test_a_version_of_another_model_is_not_merged(registry: Registry, tmp_path: Path) -> None:
    added(registry)
    with pytest.raises(RegistryError, match="trained for another model"):
        run("versions", "merge", 1, tmp_path / "merged.gguf")
