"""A registry whose process dies at any system call: everything is wholly as before or wholly as after."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.registry import audit
from agent_runtime.registry.audit import State
from agent_runtime.registry.manifest import WORDS
from agent_runtime.registry.store import Registry
from tests.support.versions import added, staged

STEPS = (
    "open",
    "write",
    "fsync",
    "ftruncate",
    "rename",
    "replace",
    "mkdir",
    "chmod",
    "unlink",
    "rmdir",
    "close",
)
DIED = 77
pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


def dying_at(step: int, work: Callable[[], object]) -> bool:
    """Do `work` in a child that dies right before its system call of that number; a write goes half way.
    Returns whether it died, that is, whether there was such a call."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == DIED
    count = 0

    def counting(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **options: Any) -> Any:
            nonlocal count
            count += 1
            if count > step:
                if name == "write" and len(arguments[1]) > 1:
                    call(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                os._exit(DIED)
            return call(*arguments, **options)

        return counted

    try:
        for name in STEPS:
            setattr(os, name, counting(name, getattr(os, name)))
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def until_it_survives(
    folder: Path,
    begin: Callable[[Registry], None],
    work: Callable[[Registry], object],
    check: Callable[[Registry, bool], None],
) -> int:
    """Kill `work` at its first system call, its second, and so on until it comes through; each time from the
    same beginning. Returns how many deaths there were."""
    beginning = folder / "beginning"
    beginning.mkdir()
    begin(Registry(beginning / "registry"))
    for step in range(1000):
        home = folder / str(step)
        shutil.copytree(beginning, home)
        registry = Registry(home / "registry")
        died = dying_at(step, lambda: work(Registry(home / "registry")))  # noqa: B023
        check(registry, died)
        shutil.rmtree(home)
        if not died:
            return step
    raise AssertionError("it never ends")


def two_versions(registry: Registry) -> None:
    added(registry)
    added(registry, b"GGUF two")
    registry.promote(1, expected=0, who="ann", why="first")


def meaning(state: State) -> tuple[object, ...]:
    return state.aliases, state.banned, state.flagged, len(state.entries)


@pytest.mark.parametrize(
    "work",
    [
        lambda registry: registry.promote(2, expected=1, who="ann", why="better"),
        lambda registry: registry.rollback(who="ann", why="worse"),
        lambda registry: registry.challenge(2, 0.05, who="ann", why="try"),
    ],
    ids=["promote", "rollback", "challenge"],
)
def test_a_decision_is_wholly_made_or_not_at_all(tmp_path: Path, work: Callable[[Registry], object]) -> None:
    example = Registry(tmp_path / "example" / "registry")
    example.root.parent.mkdir()
    two_versions(example)
    before = meaning(example.state())
    work(example)
    after = meaning(example.state())
    seen = []

    def check(registry: Registry, died: bool) -> None:
        seen.append(meaning(registry.state()))
        assert seen[-1] in (before, after)
        assert died or seen[-1] == after
        # Whatever the dead one left, the next decision is made.
        registry.move("last_good", 0, expected=registry.state().last_good, who="ben", why="next")
        assert len(registry.audit()) == seen[-1][3] + 1

    assert until_it_survives(tmp_path, two_versions, work, check) >= 4
    assert before in seen
    assert after in seen[:-1], "no death came after the decision was on disk"


def test_a_version_is_wholly_there_or_not_at_all(tmp_path: Path) -> None:
    seen = []

    def begin(registry: Registry) -> None:
        added(registry)
        staged(registry.root.parent / "more", b"GGUF two" * 1000)

    def work(registry: Registry) -> None:
        more = registry.root.parent / "more"
        registry.add(more, staged(more, b"GGUF two" * 1000))

    def check(registry: Registry, died: bool) -> None:
        numbers = [version.number for version in registry.versions()]
        seen.append(numbers)
        assert numbers in ([0, 1], [0, 1, 2])
        assert registry.damaged() == []
        for version in registry.versions():
            registry.verify(version)
        assert died or numbers == [0, 1, 2]
        if 2 not in {entry.version for entry in registry.audit()}:
            work(registry)  # as the run does that was killed
            numbers = [version.number for version in registry.versions()]
        assert numbers == [0, 1, 2], "it came once"
        assert [entry.version for entry in registry.audit()] == [1, 2]
        assert added(registry, b"GGUF three").number == 3, "the next number is free"

    # Making the staged folder is part of the work that is killed; so most deaths leave everything as it was.
    assert until_it_survives(tmp_path, begin, work, check) >= 20
    assert [0, 1] in seen
    assert [0, 1, 2] in seen[:-1]


def test_a_removal_leaves_the_whole_version_or_nothing(tmp_path: Path) -> None:
    def check(registry: Registry, died: bool) -> None:
        numbers = [version.number for version in registry.versions()]
        assert numbers in ([0, 1], [0, 1, 2])
        assert registry.damaged() == []
        if 2 in numbers:
            registry.remove(2, who="ben", why="once more")

    until_it_survives(
        tmp_path, two_versions, lambda registry: registry.remove(2, who="ann", why="old"), check
    )


def test_a_version_whose_card_loses_its_words_verifies_at_any_moment(tmp_path: Path) -> None:
    shown = []

    def begin(registry: Registry) -> None:
        folder = registry.root.parent / "staged"
        draft = staged(folder)
        (folder / "card.md").write_text(f"# What\n\n{WORDS}\n\n| my secret |\n\n## Numbers\n\n54 %\n")
        registry.add(folder, draft)

    def mark(registry: Registry) -> None:
        registry.mark(1, who="ann", why="a player was erased")

    def card(registry: Registry) -> str:
        version = registry.get(1)
        registry.verify(version)
        assert version.card
        return version.card.read_text()

    def check(registry: Registry, died: bool) -> None:
        shown.append("my secret" in card(registry))
        assert not (registry.state().marked and shown[-1]), "marked, and still quoted"
        mark(registry)
        assert "my secret" not in card(registry)
        assert "54 %" in card(registry)

    until_it_survives(tmp_path, begin, mark, check)
    assert shown[0]
    assert not shown[-2], "no death came after the words were gone"


def test_a_line_cut_at_any_byte_never_happened(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "registry")
    two_versions(registry)
    whole = registry.log_path.read_bytes()
    entries = registry.audit()
    start = whole.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(whole)):
        registry.log_path.write_bytes(whole[:end])
        assert audit.read(registry.log_path).entries == entries[:-1]
    registry.promote(2, expected=0, who="ben", why="after the crash")
    assert [entry.who for entry in registry.audit()][-1] == "ben"
