"""What each kind of example teaches, told by the log-probabilities before and after a short training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
import torch

from agent_runtime.npc.prompt import Message
from learner.examples import Example, Kind, write_examples
from learner.train import losses
from learner.train.backends import BACKENDS
from learner.train.losses import (
    Objectives,
    divergence,
    log_probabilities,
    mean_sizes,
    mean_weights,
    references,
)
from learner.train.profiles import FOLDER, read_profile
from learner.train.rows import Item, Objective, Row, batches, load_encoder, make_items, make_row
from learner.train.run import load_trained, train
from tests.support.profiles import quick

PROFILE = quick(schedule={"epochs": 6, "learning_rate": 5e-3})
MESSAGES = (Message("system", "You are Mira."), Message("user", "alice: hello"))
GOOD, BAD = "Good day, alice.", "Go away."


def example(kind: Kind, completion: str, **fields: object) -> Example:
    made = Example(f"{kind}-{completion}", kind, MESSAGES, completion)
    return msgspec.structs.replace(made, **fields)


def gains(base: Path, folder: Path, taught: Sequence[Example]) -> tuple[float, float]:
    """How much likelier the good reply and the bad one became."""
    write_examples(folder / "train.jsonl", taught)
    train(folder, base, PROFILE, folder / "run")
    trainable = load_trained(base, folder / "run", PROFILE)
    trainable.dropout(False)
    encoder = load_encoder(base)
    rows = [row for reply in (GOOD, BAD) if (row := make_row(MESSAGES, reply, encoder, 256))]
    with torch.no_grad():
        after, _ = log_probabilities(trainable, rows)
        with trainable.model.disable_adapter():
            before, _ = log_probabilities(trainable, rows)
    good, bad = (after - before).tolist()
    return good, bad


def test_a_demonstration_becomes_likelier(base: Path, tmp_path: Path) -> None:
    good, bad = gains(base, tmp_path, [example("demonstration", GOOD)])
    assert good > 5
    assert good > bad


def test_thumbs_raise_what_was_liked_and_lower_what_was_not(base: Path, tmp_path: Path) -> None:
    good, bad = gains(
        base, tmp_path, [example("thumb", GOOD, label=True), example("thumb", BAD, label=False)]
    )
    assert bad < 0 < good


def test_replay_holds_the_model_to_what_the_base_would_say(base: Path, tmp_path: Path) -> None:
    elsewhere = (Message("system", "You are Bo."), Message("user", "ben: what time is it"))
    replayed = Example("old", "replay", elsewhere, "It is noon.")
    row = make_row(elsewhere, replayed.completion, load_encoder(base), 256)
    assert row

    def drift(name: str, taught: Sequence[Example]) -> float:
        folder = tmp_path / name
        folder.mkdir()
        write_examples(folder / "train.jsonl", taught)
        train(folder, base, PROFILE, folder / "run")
        with torch.no_grad():
            return divergence(load_trained(base, folder / "run", PROFILE), [row]).item()

    shown = example("demonstration", GOOD)
    free = drift("free", [shown])
    held = drift("held", [shown, replayed])
    assert 0 < held < free / 2


def test_where_the_base_might_end_a_reply_the_model_is_free(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainable = BACKENDS["cpu"].load(base, PROFILE, 1)
    torch.manual_seed(1)
    for weight in trainable.weights:
        weight.data.normal_(0, 0.3)
    row = make_row(MESSAGES, GOOD, load_encoder(base), 256)
    assert row
    after = trainable.logits(row.ids)[row.prompt - 1 : -1].log_softmax(-1)
    with trainable.model.disable_adapter():
        before = trainable.logits(row.ids)[row.prompt - 1 : -1].log_softmax(-1)
    moved = (before.exp() * (before - after)).sum(-1)
    ends = before[:, row.ids[-1]].exp()
    for limit in (ends.sort().values[len(ends) // 2].item(), 1.0, 0.0):
        monkeypatch.setattr(losses, "MAY_END", limit or 1e-30)
        with torch.no_grad():
            found = losses.divergence(trainable, [row]).item()
        held = moved[ends < limit]
        assert found == pytest.approx(held.mean().item() if len(held) else 0.0, rel=0.1)


def test_an_end_counts_little_where_the_base_ends_anyway(base: Path) -> None:
    trainable = BACKENDS["cpu"].load(base, PROFILE, 1)
    row = make_row(MESSAGES, GOOD, load_encoder(base), 256)
    assert row
    with torch.no_grad():
        chances = trainable.logits(row.ids)[row.prompt - 1 : -1].softmax(-1)[:, row.ids[-1]]
        (there,) = losses.ends_there(trainable, [row, row])[1:]
        each = {
            end: losses.imitation(trainable, [row], torch.ones(1), torch.tensor([end])).item()
            for end in (0.0, 0.5, 0.9, 1.0)
        }
        (last,), _ = log_probabilities(trainable, [Row(row.ids, len(row.ids) - 1)])
    passed = math.prod(1 - chance for chance in chances[:-1].tolist())
    assert there == pytest.approx(passed * chances[-1].item(), rel=0.1)
    count = len(row.ids) - row.prompt
    for end, share in ((0.5, 0.5), (0.9, losses.ENDS_ANYWAY), (1.0, losses.ENDS_ANYWAY)):
        assert each[end] - each[0.0] == pytest.approx((1 - share) * last.item() / count, rel=0.05)


def test_a_pair_puts_the_chosen_before_the_rejected(base: Path, tmp_path: Path) -> None:
    good, bad = gains(base, tmp_path, [example("pair", GOOD, rejected=BAD)])
    assert good > bad + 5


def test_the_heavier_of_two_opinions_wins(base: Path, tmp_path: Path) -> None:
    light, heavy = example("demonstration", GOOD, weight=0.1), example("demonstration", BAD, weight=2.0)
    good, bad = gains(base, tmp_path, [light, heavy])
    assert bad > good


def test_before_training_no_preference_is_known(base: Path) -> None:
    taught = [
        example("thumb", GOOD, label=True),
        example("thumb", BAD, label=False),
        example("pair", GOOD, rejected=BAD),
    ]
    items = make_items(taught, load_encoder(base), 256, 1)
    trainable = BACKENDS["cpu"].load(base, PROFILE, 1)
    parts = [[number for number, item in enumerate(items) if item.objective == o] for o in ("kto", "dpo")]
    known = references(trainable, items, parts)
    whole = msgspec.structs.replace(PROFILE.preference, share=1.0)
    objectives = Objectives(items, whole, known, mean_weights(items), {})
    kto, dpo = (objectives.loss(trainable, batch).item() for batch in parts)
    assert abs(kto - 0.5) < 1e-5
    assert abs(dpo - 0.693147) < 1e-5


def test_log_probabilities_are_those_of_the_reply_alone(base: Path) -> None:
    trainable = BACKENDS["cpu"].load(base, PROFILE, 1)
    trainable.dropout(False)
    row = make_row(MESSAGES, GOOD, load_encoder(base), 256)
    assert row
    with torch.no_grad():
        (sums,), (count,) = log_probabilities(trainable, [row])
    logits = trainable.logits(row.ids).log_softmax(-1)
    exact = sum(logits[at - 1, row.ids[at]].item() for at in range(row.prompt, len(row.ids)))
    assert count == len(row.ids) - row.prompt
    assert abs(sums.item() - exact) < 0.05 * abs(exact)


@pytest.mark.parametrize("objective", ["sft", "keep", "kto", "dpo"])
def test_who_is_alone_in_a_batch_counts_no_more_than_others(objective: Objective) -> None:
    schedule = read_profile(FOLDER / "embedded.toml").schedule
    sides = 1 if objective in ("sft", "keep") else 2
    lengths = [900 // sides if number < 6 else 200 for number in range(60)]
    items = [Item(objective, (Row((1,) * length, length - 12),) * sides, 1.0) for length in lengths]
    order = batches(items, schedule, 1, 0)
    assert 1 in map(len, order)
    assert max(map(len, order)) > 2
    objectives = Objectives(items, PROFILE.preference, {}, {}, mean_sizes(items, order))
    counted = [objectives.part(batch) / len(batch) for batch in order]
    assert counted == pytest.approx([counted[0]] * len(order))
    assert sum(objectives.part(batch) for batch in order) == pytest.approx(len(order))
