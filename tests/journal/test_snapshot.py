"""Snapshots: what is in, what is only counted, and that what is sealed stays as it is."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from agent_runtime.errors import JournalError, SnapshotError
from agent_runtime.files import set_aside
from agent_runtime.journal.consent import decide
from agent_runtime.journal.database import Database
from agent_runtime.journal.sealed import LeftOut, Scope, read_manifest, read_snapshot, verify
from agent_runtime.journal.snapshot import remove_snapshots_of, seal, snapshots_in, write_snapshot
from agent_runtime.journal.writer import Journal
from tests.support import rows as make

ALICE, BERT, CLEO, DIRK = ("a" * 16, "b" * 16, "c" * 16, "d" * 16)


@pytest.fixture
async def filled(journal: Journal) -> Journal:
    """Alice allowed, Bert never said, Cleo withdrew, Dirk was erased; each has two turns, one rated."""
    for number, player in enumerate((ALICE, BERT, CLEO, DIRK), 1):
        await journal.add(
            make.turn(number, player=player),
            make.turn(number + 10, player=player),
            make.turn(number + 20, player=player, source="busy", raw="", prompt=()),
            make.rating(number + 30, turn=number, player=player, value=2),
            make.rating(number + 40, turn=number, player=player, value=4),
        )
    await journal.add(make.action(60, turn=1), make.result(60), make.action(61, turn=2))
    await journal.add(make.demonstration(70, turn=1, player=ALICE))
    await decide(
        journal,
        make.consent(80, player=ALICE),
        make.consent(81, "withdraw", CLEO),
        make.consent(82, "erase", DIRK),
    )
    return journal


async def test_only_rated_turns_of_who_allowed_it(filled: Journal) -> None:
    snapshot = read_snapshot(seal(write_snapshot(filled.database, Scope())))
    assert snapshot.turns == [make.turn(1, player=ALICE)]
    assert [(rating.value, rating.latest) for rating in snapshot.ratings] == [(2, False), (4, True)]
    assert [(fate.name, fate.arguments, fate.result) for fate in snapshot.actions] == [
        ("follow", {"target": "alice"}, "done")
    ]
    assert snapshot.demonstrations == [make.demonstration(70, turn=1, player=ALICE)]
    manifest = snapshot.manifest
    assert manifest.left_out == LeftOut(
        players_without_consent=2,
        turns_without_consent=4,
        players_erased=1,
        turns_erased=2,
        turns_not_rated=1,
    )
    assert (manifest.erased, manifest.erasures) == ({DIRK: make.consent(82).decided_at}, 1)
    assert set(manifest.players) == {ALICE}, "of who is left out not even the pseudonym is there"
    assert (manifest.players[ALICE].turns, manifest.players[ALICE].first_at) == (3, make.turn(1).said_at)
    assert (manifest.first_at, manifest.tables["ratings"].rows) == (make.turn(1).said_at, 2)


async def test_opt_out_takes_who_never_said(filled: Journal) -> None:
    snapshot = read_snapshot(seal(write_snapshot(filled.database, Scope(consent="opt-out"))))
    assert {turn.player for turn in snapshot.turns} == {ALICE, BERT}
    assert snapshot.manifest.left_out.players_without_consent == 1


async def test_a_time_range(filled: Journal) -> None:
    await filled.add(make.rating(90, turn=11, player=ALICE))
    start = make.turn(11).said_at
    later = read_snapshot(seal(write_snapshot(filled.database, Scope(since=start))))
    assert [turn.id for turn in later.turns] == [make.ulid(11)]
    span = Scope(until=start, since=start - timedelta(days=1))
    before = read_snapshot(seal(write_snapshot(filled.database, span)))
    assert [turn.id for turn in before.turns] == [make.ulid(1)]


async def test_nothing_to_learn_from_is_an_empty_snapshot(journal: Journal) -> None:
    snapshot = read_snapshot(seal(write_snapshot(journal.database, Scope())))
    assert (snapshot.turns, snapshot.manifest.players, snapshot.manifest.last_at) == ([], {}, None)


async def test_the_same_journal_gives_the_same_data(filled: Journal, tmp_path: Path) -> None:
    one = verify(seal(write_snapshot(filled.database, Scope()), tmp_path / "one"))
    two = verify(seal(write_snapshot(filled.database, Scope()), tmp_path / "two"))
    assert one.digest == two.digest
    await filled.add(make.rating(91, turn=1, player=ALICE, value=1))
    assert verify(seal(write_snapshot(filled.database, Scope()), tmp_path / "three")).digest != one.digest


async def test_it_shows_one_moment_while_the_journal_is_written(filled: Journal) -> None:
    """Ratings of turns that came during the copy are not in without their turns."""

    async def write() -> None:
        for number in range(100, 160):
            await filled.add(
                make.turn(number, player=ALICE), make.rating(number + 100, turn=number, player=ALICE)
            )

    writing = asyncio.create_task(write())
    for _ in range(3):
        await asyncio.sleep(0.02)
        snapshot = read_snapshot(seal(await asyncio.to_thread(write_snapshot, filled.database, Scope())))
        assert {rating.turn for rating in snapshot.ratings} == {turn.id for turn in snapshot.turns}
    await writing


async def test_it_is_never_overwritten_and_its_files_are_its_owners(filled: Journal, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "snapshot"
    folder = seal(write_snapshot(filled.database, Scope()), target)
    assert folder == target
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o400}
    before = sorted(path.read_bytes() for path in folder.iterdir())
    with pytest.raises(SnapshotError, match="never overwritten"):
        seal(write_snapshot(filled.database, Scope()), target)
    assert sorted(path.read_bytes() for path in folder.iterdir()) == before
    assert list(filled.database.exports.iterdir()) == [], "what could not be sealed is gone"


async def test_where_it_cannot_go_it_says_so(filled: Journal, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SnapshotError, match="choose another folder"):
        seal(write_snapshot(filled.database, Scope()), tmp_path / "file" / "snapshot")
    assert list(filled.database.exports.iterdir()) == []


async def test_snapshots_are_found_and_removed_by_player(filled: Journal) -> None:
    one = seal(write_snapshot(filled.database, Scope()))
    assert snapshots_in(filled.database.exports) == [one]
    assert remove_snapshots_of(filled.database.exports, [BERT]) == []
    assert remove_snapshots_of(filled.database.exports, [ALICE, BERT]) == [one]
    assert snapshots_in(filled.database.exports) == []


class Interrupted(Database):
    """A journal's database; once its first reader is done, something happens."""

    def __init__(self, database: Database, then: Callable[[], object]) -> None:
        self.path, self.exports = database.path, database.exports
        self._real, self._then = database, then

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._real.cursor() as cursor:
            yield cursor
        then, self._then = self._then, bool
        then()


async def test_who_is_erased_during_the_copy_is_in_no_snapshot(filled: Journal) -> None:
    loop = asyncio.get_running_loop()

    def erase() -> None:
        asked = decide(filled, make.consent(90, "erase", ALICE))
        assert asyncio.run_coroutine_threadsafe(asked, loop).result(10) == []

    with pytest.raises(SnapshotError, match="was erased while it was made"):
        await asyncio.to_thread(write_snapshot, Interrupted(filled.database, erase), Scope())
    assert list(filled.database.exports.iterdir()) == []


async def test_who_is_erased_before_it_is_sealed_takes_it_with_them(filled: Journal) -> None:
    written = write_snapshot(filled.database, Scope())
    assert await decide(filled, make.consent(90, "erase", ALICE)) == [written]
    with pytest.raises(SnapshotError, match="before it could be sealed"):
        seal(written)
    assert list(filled.database.exports.iterdir()) == []


async def test_a_manifest_of_before_erasures_were_counted_is_read(filled: Journal) -> None:
    folder = seal(write_snapshot(filled.database, Scope()))
    path = folder / "manifest.json"
    os.chmod(path, 0o600)
    told = json.loads(path.read_text())
    del told["erasures"]
    path.write_text(json.dumps(told))
    assert read_manifest(folder).erasures is None


async def test_a_snapshot_nobody_can_read_is_not_passed_over_and_keeps_no_other(filled: Journal) -> None:
    folders = [
        seal(write_snapshot(filled.database, Scope()), filled.database.exports / name) for name in "abc"
    ]
    os.chmod(folders[1] / "manifest.json", 0o600)
    (folders[1] / "manifest.json").write_text("{}")
    with pytest.raises(SnapshotError, match=r"damaged.*delete it, then erase again"):
        remove_snapshots_of(filled.database.exports, [ALICE])
    assert list(filled.database.exports.iterdir()) == [folders[1]]


async def test_what_is_left_of_a_deleted_snapshot_goes_with_the_next_erasure(filled: Journal) -> None:
    half = seal(write_snapshot(filled.database, Scope()))
    (half / "manifest.json").unlink()
    set_aside(seal(write_snapshot(filled.database, Scope()), half.with_name("another")))
    (filled.database.exports / "an admin's").mkdir()
    assert remove_snapshots_of(filled.database.exports, [BERT]) == [half]
    assert [path.name for path in filled.database.exports.iterdir()] == ["an admin's"]


async def test_a_closed_journal_leaves_no_folder(journal: Journal) -> None:
    await journal.close()
    with pytest.raises(JournalError, match="closed"):
        write_snapshot(journal.database, Scope())
    assert list(journal.database.exports.iterdir()) == []
