"""The arrays of a batch, as the engine library reads them."""

from __future__ import annotations

from agent_runtime.engine.backend import Row
from agent_runtime.engine.batch import Batch


def _read(batch: Batch) -> dict[str, list[int]]:
    fields = batch.fields
    count = batch.tokens
    return {name: fields[name][:count] for name in ("token", "pos", "n_seq_id", "logits")} | {
        "sequences": [fields["seq_id"][place][0] for place in range(count)]
    }


def test_rows_lie_one_after_the_other_and_say_where_their_logits_will_be() -> None:
    batch = Batch(8)
    places = batch.fill([Row(3, 10, [7, 8], True), Row(1, 0, [5, 6, 4], False), Row(2, 2, [9], True)])
    assert places == [1, -1, 5]
    assert _read(batch) == {
        "token": [7, 8, 5, 6, 4, 9],
        "pos": [10, 11, 0, 1, 2, 2],
        "n_seq_id": [1] * 6,
        "logits": [0, 1, 0, 0, 0, 1],
        "sequences": [3, 3, 1, 1, 1, 2],
    }


def test_nothing_is_left_of_the_batch_before() -> None:
    batch = Batch(4)
    batch.fill([Row(3, 10, [7, 8, 9, 1], True)])
    assert batch.fill([Row(0, 0, [2], False)]) == [-1]
    assert _read(batch)["logits"] == [0]
