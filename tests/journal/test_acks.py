"""The ack log: what was acknowledged comes back, what was cut short does not, and damage is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from agent_runtime.errors import JournalError
from agent_runtime.journal.acks import AckLog
from agent_runtime.journal.rows import Row
from tests.support import rows as make


@pytest.fixture
def acks(tmp_path: Path) -> Iterator[AckLog]:
    log = AckLog(tmp_path / "journal.acks")
    yield log
    log.close()


def append(log: AckLog, *batches: Sequence[Row]) -> None:
    for rows in batches:
        log.append([(rows[0].table, msgspec.json.encode(rows))])


def test_rows_come_back_in_order_and_whole(acks: AckLog) -> None:
    batches = [
        [make.turn(1, line="tab\t, \x1b, “ü”, \u2028 and ☃"), make.turn(2)],
        [make.rating(3, turn=1)],
        [make.action(4, turn=2), make.action(5, turn=2)],
    ]
    append(acks, *batches)
    assert list(AckLog(acks.path).read()) == batches


def test_any_unfinished_end_is_cut_off_and_the_log_goes_on(acks: AckLog) -> None:
    append(acks, [make.rating(1, turn=1)])
    whole = acks.size
    append(acks, [make.rating(2, turn=1)])
    content = acks.path.read_bytes()
    for length in range(whole, len(content)):
        acks.path.write_bytes(content[:length])
        again = AckLog(acks.path)
        assert list(again.read()) == [[make.rating(1, turn=1)]]
        append(again, [make.rating(3, turn=1)])
        again.close()
        assert [rows[0].id for rows in AckLog(acks.path).read()] == [
            make.rating(1, turn=1).id,
            make.rating(3, turn=1).id,
        ]


def test_damage_before_the_end_is_refused_aloud(acks: AckLog) -> None:
    append(acks, [make.rating(1, turn=1)], [make.rating(2, turn=1)])
    content = bytearray(acks.path.read_bytes())
    content[40] ^= 1
    acks.path.write_bytes(content)
    with pytest.raises(JournalError, match=r"line 1 is damaged.*Restore the file, or move it away"):
        list(AckLog(acks.path).read())


def test_clear_empties_it(acks: AckLog) -> None:
    append(acks, [make.rating(1, turn=1)])
    acks.clear()
    append(acks, [make.rating(2, turn=1)])
    assert list(AckLog(acks.path).read()) == [[make.rating(2, turn=1)]]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"missing/journal\.acks: No such file"):
        AckLog(tmp_path / "missing" / "journal.acks")
