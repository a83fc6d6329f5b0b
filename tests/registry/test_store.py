from __future__ import annotations

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from agent_runtime.errors import RegistryConflict, RegistryError, VersionRefused
from agent_runtime.registry.audit import Alias, Entry, append
from agent_runtime.registry.store import Registry
from tests.support.versions import added, dataset, staged


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "registry")


def promoted(registry: Registry, *numbers: int) -> None:
    for number in numbers:
        registry.promote(number, expected=registry.state().champion, who="ann", why="better")


def test_without_any_file_the_bare_base_is_champion(registry: Registry) -> None:
    assert [(version.number, version.id) for version in registry.versions()] == [(0, "0-base")]
    state = registry.state()
    assert (state.champion, state.challenger, registry.get(0).adapter) == (0, None, None)
    assert registry.audit() == ()
    assert not registry.root.exists()


def test_a_version_is_kept_as_it_came_and_described_in_full(registry: Registry) -> None:
    version = added(registry, b"GGUF one", scale=0.5, parent=0)
    manifest = version.manifest
    assert version.folder
    assert manifest
    assert version.folder == registry.root / "versions" / f"1-{manifest.adapter[:12]}"
    assert (version.folder / "adapter.gguf").read_bytes() == b"GGUF one"
    assert (version.folder / "plots" / "loss.png").exists()
    assert set(manifest.files) == {"adapter.gguf", "report.json", "card.md", "plots/loss.png"}
    assert (manifest.adapter_bytes, manifest.scale, manifest.seeds) == (8, 0.5, {"train": 7})
    assert manifest.learned == "greets by name"
    assert registry.get(1) == registry.get(version.id) == registry.get("1") == version
    registry.verify(version)
    assert [(entry.what, entry.version, entry.who) for entry in registry.audit()] == [("add", 1, "learner")]


def test_its_files_are_read_only(registry: Registry) -> None:
    folder = added(registry).folder
    assert folder
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 5
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o444}


def test_numbers_are_never_used_again(registry: Registry) -> None:
    added(registry)
    added(registry, b"GGUF two")
    registry.remove(2, who="ann", why="no room")
    assert [version.number for version in registry.versions()] == [0, 1]
    assert added(registry, b"GGUF three").number == 3


def test_what_is_not_a_plain_folder_of_files_is_refused(registry: Registry, tmp_path: Path) -> None:
    source = tmp_path / "staged"
    draft = staged(source)
    (source / "evil").symlink_to("/etc/passwd")
    with pytest.raises(VersionRefused, match="plain files"):
        registry.add(source, draft)
    (source / "evil").unlink()
    os.mkfifo(source / "pipe")
    with pytest.raises(VersionRefused, match="plain files"):
        registry.add(source, draft)
    (source / "pipe").unlink()
    (source / "manifest.json").write_text("{}")
    with pytest.raises(VersionRefused, match="itself"):
        registry.add(source, draft)
    (source / "manifest.json").unlink()
    (source / "card.md").unlink()
    with pytest.raises(VersionRefused, match=r"card\.md"):
        registry.add(source, draft)
    assert [version.number for version in registry.versions()] == [0]
    assert not list((registry.root / "staging").iterdir())


def test_an_adapter_that_is_not_the_judged_one_is_refused(registry: Registry, tmp_path: Path) -> None:
    source = tmp_path / "staged"
    draft = staged(source)
    (source / "adapter.gguf").write_bytes(b"GGUF another")
    with pytest.raises(VersionRefused, match="judged"):
        registry.add(source, draft)
    assert registry.audit() == ()


@pytest.mark.parametrize(
    ("field", "value"),
    [("base", "x"), ("dataset", ""), ("scale", 0.0), ("scale", float("nan")), ("learned", "two\nlines")],
)
def test_drafts_that_cannot_be_true_are_refused(
    registry: Registry, tmp_path: Path, field: str, value: object
) -> None:
    source = tmp_path / "staged"
    with pytest.raises(VersionRefused, match=field):
        registry.add(source, staged(source, **{field: value}))


def changed_file(folder: Path) -> None:
    path = folder / "adapter.gguf"
    path.chmod(0o644)
    path.write_bytes(b"GGUF adaptee")


def linked_file(folder: Path) -> None:
    path = folder / "adapter.gguf"
    path.rename(folder.parent.parent / "elsewhere")
    path.symlink_to(folder.parent.parent / "elsewhere")


def lost_file(folder: Path) -> None:
    (folder / "report.json").unlink()


def new_file(folder: Path) -> None:
    (folder / "extra.txt").write_text("?")


@pytest.mark.parametrize("damage", [changed_file, linked_file, lost_file, new_file])
def test_whatever_changed_later_is_found(registry: Registry, damage: Callable[[Path], None]) -> None:
    version = added(registry)
    assert version.folder
    damage(version.folder)
    with pytest.raises(VersionRefused):
        registry.verify(registry.get(1))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"report.json"', '"../report.json"', r"\.\./report"),
        ('"report.json"', '"/etc/passwd"', "/etc/passwd"),
        ('"number": 1', '"number": 2', "names itself"),
        ('"format": 1', '"format": 2', "newer"),
        ('"scale": 1.0', '"scale": "much"', "scale"),
        ("{", "", "cannot be used"),
    ],
)
def test_a_manifest_that_lies_is_refused_and_hides_no_other_version(
    registry: Registry, old: str, new: str, why: str
) -> None:
    version = added(registry)
    added(registry, b"GGUF two")
    assert version.folder
    path = version.folder / "manifest.json"
    path.chmod(0o644)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(VersionRefused, match=why):
        registry.get(1)
    assert [found.number for found in registry.versions()] == [0, 2]
    assert len(registry.damaged()) == 1
    with pytest.raises(RegistryError):
        registry.promote(1, expected=0, who="ann", why="")


def test_a_version_folder_that_is_a_link_is_refused(registry: Registry, tmp_path: Path) -> None:
    version = added(registry)
    assert version.folder
    version.folder.rename(tmp_path / "moved")
    version.folder.symlink_to(tmp_path / "moved")
    with pytest.raises(VersionRefused, match="symbolic"):
        registry.get(1)


def test_a_promotion_keeps_the_old_champion_as_last_good(registry: Registry) -> None:
    added(registry)
    added(registry)
    promoted(registry, 1, 2)
    state = registry.state()
    assert (state.champion, state.last_good) == (2, 1)
    entry = state.entries[-1]
    assert (entry.who, entry.what, entry.why) == ("ann", "promote", "better")
    assert entry.moves == {"champion": (1, 2), "last_good": (0, 1)}
    promoted(registry, 2)
    assert registry.state().last_good == 1, "promoting the champion again changes nothing"


def test_one_of_many_wins_and_the_others_are_told_who(registry: Registry) -> None:
    for number in range(8):
        added(registry, b"GGUF %d" % number)

    def promote(number: int) -> int | RegistryConflict:
        try:
            Registry(registry.root).promote(number, expected=0, who=f"admin {number}", why="mine")
        except RegistryConflict as error:
            return error
        return number

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(promote, range(1, 9)))
    (winner,) = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert registry.state().champion == winner
    told = {str(outcome) for outcome in outcomes if not isinstance(outcome, int)}
    assert told
    assert all(f"admin {winner} made it {winner}" in text for text in told)
    assert len([entry for entry in registry.audit() if entry.what == "promote"]) == 1


def test_a_rollback_bans_the_version_and_flags_its_data(registry: Registry) -> None:
    for number in (1, 2, 3):
        added(registry, dataset=dataset(number))
    promoted(registry, 1, 2, 3)
    registry.rollback(who="ann", why="rude")
    state = registry.state()
    assert (state.champion, state.last_good) == (2, 1)
    assert state.banned == {3: "rude"}
    assert registry.state().flagged == {dataset(3): "rude"}
    with pytest.raises(RegistryError, match="banned"):
        promoted(registry, 3)
    with pytest.raises(RegistryError, match="banned"):
        registry.challenge(3, 0.05, who="ann", why="")
    registry.rollback(who="ann", why="rude too")
    registry.rollback(who="ann", why="and this")
    state = registry.state()
    assert (state.champion, state.last_good) == (0, 0)
    with pytest.raises(RegistryError, match="nothing is behind"):
        registry.rollback(who="ann", why="again")


def test_going_back_from_the_bare_base_bans_nothing(registry: Registry) -> None:
    added(registry)
    promoted(registry, 1, 0)
    registry.rollback(who="ann", why="it was better")
    state = registry.state()
    assert (state.champion, state.banned) == (1, {})


def test_a_guards_rollback_spares_a_version_that_it_did_not_mean(registry: Registry) -> None:
    added(registry)
    added(registry)
    promoted(registry, 1, 2)
    with pytest.raises(RegistryConflict, match="ann"):
        registry.rollback(who="guard", why="slow", expected=1)
    assert registry.state().champion == 2


def test_a_ban_can_be_taken_back(registry: Registry) -> None:
    added(registry)
    with pytest.raises(RegistryError, match="not banned"):
        registry.unban(1, who="ann", why="")
    registry.ban(1, who="ann", why="odd data")
    assert registry.state().flagged == {dataset(1): "odd data"}
    registry.unban(1, who="ann", why="it was fine")
    assert registry.state().flagged == {}
    promoted(registry, 1)
    with pytest.raises(RegistryError, match="champion"):
        registry.ban(1, who="ann", why="")


def test_data_stays_flagged_while_another_banned_version_was_made_of_it(registry: Registry) -> None:
    for number in (1, 2):
        added(registry, b"GGUF %d" % number)
        registry.ban(number, who="ann", why="odd data")
    registry.unban(1, who="ann", why="it was fine")
    assert registry.state().banned == {2: "odd data"}
    assert registry.state().flagged == {dataset(1): "odd data"}
    registry.unban(2, who="ann", why="so was that")
    assert registry.state().flagged == {}


def test_a_challenge_from_start_to_end(registry: Registry) -> None:
    added(registry)
    added(registry)
    promoted(registry, 1)
    with pytest.raises(RegistryError, match="itself"):
        registry.challenge(1, 0.05, who="ann", why="")
    with pytest.raises(RegistryError, match="at most 50%"):
        registry.challenge(2, 5, who="ann", why="")
    registry.challenge(2, 0.05, who="ann", why="try it")
    assert (registry.state().challenger, registry.state().share) == (2, 0.05)
    with pytest.raises(RegistryConflict, match="ann made it 2"):
        registry.challenge(2, 0.05, who="ben", why="")
    registry.set_share(2, 0.2, expected=0.05, who="canary", why="no harm")
    assert registry.state().share == 0.2
    with pytest.raises(RegistryConflict, match=r"share is no longer 5%: canary made it 20%"):
        registry.set_share(2, 0.2, expected=0.05, who="ben", why="no harm")
    promoted(registry, 2)
    state = registry.state()
    assert (state.champion, state.challenger, state.last_good, state.share) == (2, None, 1, 0.0)
    with pytest.raises(RegistryConflict):
        registry.set_share(2, 0.5, who="canary", why="no harm")


def test_a_winner_is_promoted_only_while_it_is_on_trial(registry: Registry) -> None:
    added(registry)
    registry.challenge(1, 0.05, who="ann", why="")
    registry.drop(1, who="ann", why="it swears")
    with pytest.raises(RegistryConflict, match="ann made it nothing"):
        registry.promote(1, expected=0, challenger=1, who="canary", why="")
    registry.challenge(1, 0.05, who="ann", why="")
    state = registry.promote(1, expected=0, challenger=1, who="canary", why="")
    assert (state.champion, state.challenger) == (1, None)


def test_a_dropped_challenger_may_be_banned(registry: Registry) -> None:
    added(registry)
    registry.challenge(1, 0.05, who="ann", why="")
    registry.drop(1, who="canary", why="players like it less", ban=True)
    state = registry.state()
    assert (state.challenger, set(state.banned)) == (None, {1})


def test_a_refused_version_leaves_the_one_that_serves(registry: Registry) -> None:
    for _ in range(3):
        added(registry)
    promoted(registry, 1, 2)
    registry.challenge(3, 0.05, who="ann", why="")
    registry.refuse(3, instead=2, who="runtime", why="wrong base")
    assert registry.state().challenger is None
    promoted(registry, 3)
    registry.refuse(3, instead=2, who="runtime", why="wrong base")
    state = registry.state()
    assert (state.champion, state.last_good, state.banned) == (2, 1, {})


def test_a_challenger_that_is_the_way_back_too_is_neither_once_it_is_banned(registry: Registry) -> None:
    for _ in range(2):
        added(registry)
    promoted(registry, 1, 2)
    registry.challenge(1, 0.05, who="ann", why="was the old one better?")
    state = registry.drop(1, who="guard", why="it swears", ban=True)
    assert state.aliases == {"champion": 2, "challenger": None, "last_good": 0}
    state = registry.rollback(who="ann", why="rude")
    assert (state.champion, set(state.banned)) == (0, {1, 2})


def test_a_version_that_was_banned_does_not_come_back_for_one_that_is_refused(registry: Registry) -> None:
    for _ in range(5):
        added(registry)
    promoted(registry, 3, 4, 5)
    registry.ban(3, who="ann", why="odd data")
    state = registry.refuse(5, instead=3, who="runtime", why="wrong base")
    assert state.aliases == {"champion": 4, "challenger": None, "last_good": 0}


def test_a_challenger_that_takes_over_for_a_refused_champion_is_on_trial_no_longer(
    registry: Registry,
) -> None:
    for _ in range(2):
        added(registry)
    promoted(registry, 1, 2)
    registry.challenge(1, 0.05, who="ann", why="was the old one better?")
    state = registry.refuse(2, instead=1, who="runtime", why="wrong base")
    assert (state.aliases, state.share) == ({"champion": 1, "challenger": None, "last_good": 0}, 0.0)


def test_the_bare_base_is_never_banned(registry: Registry) -> None:
    added(registry)
    promoted(registry, 1)
    registry.challenge(0, 0.05, who="ann", why="is it any better?")
    state = registry.drop(0, who="canary", why="players like it less", ban=True)
    assert (state.challenger, state.banned) == (None, {})


def test_the_way_back_leads_past_what_was_refused_until_it_is_named_again(registry: Registry) -> None:
    for _ in range(3):
        added(registry)
    promoted(registry, 1, 2, 3)
    state = registry.refuse(2, instead=3, who="runtime", why="damaged")
    assert state.last_good == 1
    state = registry.rollback(who="guard", why="rude")
    assert (state.champion, state.last_good) == (1, 0)
    promoted(registry, 2, 0)
    assert registry.state().last_good == 2
    assert registry.rollback(who="ann", why="it was better").champion == 2


def test_where_the_way_back_is_refused_another_one_is_never_the_champion_itself(registry: Registry) -> None:
    for _ in range(4):
        added(registry)
    promoted(registry, 1, 2, 3)
    registry.rollback(who="ann", why="rude")
    promoted(registry, 4)
    state = registry.rollback(who="ann", why="rude too")
    assert (state.champion, state.last_good) == (2, 1)
    state = registry.refuse(1, instead=0, who="runtime", why="damaged")
    assert (state.champion, state.last_good) == (2, 0)
    assert registry.rollback(who="guard", why="slow", expected=2).champion == 0


def test_a_log_whose_way_back_is_the_champion_still_leads_back(registry: Registry) -> None:
    """As an earlier Townsfolk could leave it."""
    for _ in range(2):
        added(registry)
    promoted(registry, 1, 2)
    line = registry.log_path.read_bytes().splitlines(keepends=True)[-1]
    entry = msgspec.json.decode(line, type=Entry)
    moves: dict[Alias, tuple[int | None, int | None]] = {"last_good": (1, 2)}
    append(registry.log_path, msgspec.structs.replace(entry, what="refuse", version=1, moves=moves))
    state = registry.rollback(who="ann", why="rude")
    assert (state.champion, state.last_good, set(state.banned)) == (0, 0, {2})


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (0, "version 0 is the bare base: it cannot be banned"),
        (2, "version 2 is champion: `townsfolk rollback` bans it"),
        (3, "version 3 is challenger: `townsfolk versions drop` first"),
        (1, "version 1 is last_good: promote another one first"),
    ],
)
def test_who_would_ban_what_serves_is_told_what_to_do_first(
    registry: Registry, number: int, why: str
) -> None:
    for _ in range(3):
        added(registry)
    promoted(registry, 1, 2)
    registry.challenge(3, 0.05, who="ann", why="try it")
    with pytest.raises(RegistryError, match=f"^{why}$"):
        registry.ban(number, who="ann", why="odd data")
    assert registry.state().banned == {}


def test_what_an_alias_names_cannot_be_removed(registry: Registry) -> None:
    added(registry)
    promoted(registry, 1)
    with pytest.raises(RegistryError, match="champion"):
        registry.remove(1, who="ann", why="")
    with pytest.raises(RegistryError, match="bare"):
        registry.remove(0, who="ann", why="")


def test_the_log_is_one_json_object_per_line_with_who_when_and_why(registry: Registry) -> None:
    added(registry)
    promoted(registry, 1)
    rows = [msgspec.json.decode(line) for line in registry.log_path.read_bytes().splitlines()]
    assert [row["what"] for row in rows] == ["add", "promote"]
    assert {"who", "at", "why", "version", "moves"} <= set(rows[1])
