"""Examples come in; token rows, and the order in which training meets them, go out.

A row is a prompt and a reply as the serving engine would see them. The order is a function of the seed
and the epoch alone, so a resumed run meets what it would have met.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from tokenizers import Tokenizer

from agent_runtime.engine.template import ChatTemplate
from agent_runtime.errors import ModelFileError, TrainingError
from agent_runtime.npc.prompt import Message, shortened
from learner.base.tokenize import Encoder
from learner.examples import Example
from learner.gate.evidence import SAFETY
from learner.train.profiles import Schedule

Objective = Literal["sft", "keep", "kto", "dpo"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
_POOL = 16  # as many batches' examples are sorted by length together


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids; the first `prompt` of them are given, the others are the reply."""

    ids: tuple[int, ...]
    prompt: int


@dataclass(frozen=True, slots=True)
class Item:
    """One example. `rows` are the reply; for DPO also the rejected one; for KTO also another example's
    reply to this prompt, which tells how far the model has drifted."""

    objective: Objective
    rows: tuple[Row, ...]
    weight: float
    label: bool = True

    @property
    def tokens(self) -> int:
        """The longest row's."""
        return max(len(row.ids) for row in self.rows)


def load_encoder(base: Path) -> Encoder:
    """The tokenizer of a base's folder with its own chat template. Raises `ModelFileError`."""
    try:
        config = json.loads((base / "tokenizer_config.json").read_text(encoding="utf-8"))
        tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
        apart = base / "chat_template.jinja"
        source = apart.read_text(encoding="utf-8") if apart.exists() else config["chat_template"]
        bos, eos = _spelling(config.get("bos_token")), _spelling(config["eos_token"])
        template = ChatTemplate(source, bos, eos)
        return Encoder(tokenizer, template, eos, bos if config.get("add_bos_token") else "")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{base}: its tokenizer cannot be used ({error!r})") from error


def _spelling(token: object) -> str:
    return str(token["content"]) if isinstance(token, dict) else str(token or "")


def make_row(messages: Sequence[Message], completion: str, encoder: Encoder, limit: int) -> Row | None:
    """As in serving, a talk too long is told with less of its history; `None` when that is not enough."""
    rows = make_rows(messages, (completion,), encoder, limit)
    return rows[0] if rows else None


def make_rows(
    messages: Sequence[Message], completions: Sequence[str], encoder: Encoder, limit: int
) -> tuple[Row, ...] | None:
    """The same for several replies to one prompt, which is told with as much of its history as the longest
    reply leaves room for."""
    replies = [encoder.reply(completion) for completion in completions]
    longest = max(map(len, replies))
    kept: Sequence[Message] | None = messages
    while kept is not None:
        prompt = encoder.messages(kept)
        if len(prompt) + longest <= limit:
            return tuple(Row((*prompt, *reply), len(prompt)) for reply in replies)
        kept = shortened(kept)
    return None


def make_items(examples: Iterable[Example], encoder: Encoder, limit: int, seed: int) -> list[Item]:
    """Everything that can be trained on; what is too long or has no weight is left out. What may not be lost
    is imitated again, for holding on to it loses a little.

    Raises `TrainingError` (`no_data`) for an example that is no example of its kind.
    """
    items: list[Item] = []
    thumbs: list[tuple[Example, Row]] = []
    for example in examples:
        _check(example)
        row = make_row(example.messages, example.completion, encoder, limit)
        if row is None or example.weight == 0:
            continue
        if example.kind == "thumb":
            thumbs.append((example, row))
        elif example.kind == "pair":
            rows = make_rows(example.messages, (example.completion, example.rejected or ""), encoder, limit)
            if rows is not None:
                items.append(Item("dpo", rows, example.weight))
        elif example.kind == "replay":
            items.append(Item("sft" if example.slice in SAFETY else "keep", (row,), example.weight))
        else:
            items.append(Item("sft", (row,), example.weight))
    strangers = list(range(len(thumbs)))
    random.Random(f"strangers:{seed}").shuffle(strangers)
    for place, number in enumerate(strangers):
        example, row = thumbs[number]
        stranger = thumbs[strangers[place - 1]][0]
        rows = make_rows(example.messages, (example.completion, stranger.completion), encoder, limit)
        items.append(Item("kto", rows or (row, row), example.weight, bool(example.label)))
    return items


def some_judged(items: Sequence[Item], most: int, seed: int) -> list[Item]:
    """All items but of thumbs and of pairs at most so many each, drawn by chance; 0 means all."""
    left_out: set[int] = set()
    for objective in ("kto", "dpo"):
        numbers = [number for number, item in enumerate(items) if item.objective == objective]
        if most and len(numbers) > most:
            kept = random.Random(f"{objective}:{seed}").sample(numbers, most)
            left_out |= set(numbers) - set(kept)
    return [item for number, item in enumerate(items) if number not in left_out]


def _check(example: Example) -> None:
    wrong = (
        (not math.isfinite(example.weight) or example.weight < 0, f"weight {example.weight}"),
        (example.kind == "thumb" and example.label is None, "no label"),
        (example.kind == "pair" and example.rejected is None, "no rejected reply"),
        (not example.messages or example.messages[-1].role != "user", "no player's line at the end"),
    )
    for bad, reason in wrong:
        if bad:
            raise TrainingError(
                "no_data", f"example {example.id} ({example.kind}) has {reason}; make it anew"
            )


def batches(items: Sequence[Item], schedule: Schedule, seed: int, epoch: int) -> list[list[int]]:
    """One epoch's batches, as numbers of items: one objective each, of like length, in random order."""
    rng = random.Random(f"order:{seed}:{epoch}")
    made: list[list[int]] = []
    for objective in OBJECTIVES:
        numbers = [number for number, item in enumerate(items) if item.objective == objective]
        rng.shuffle(numbers)
        pool = _POOL * schedule.batch
        for start in range(0, len(numbers), pool):
            part = sorted(numbers[start : start + pool], key=lambda number: items[number].tokens)
            made.extend(cut(part, items, schedule))
    rng.shuffle(made)
    return made


def cut(numbers: Sequence[int], items: Sequence[Item], schedule: Schedule) -> list[list[int]]:
    """Batches of items that are sorted by length, so that the last of a batch is its longest."""
    made: list[list[int]] = [[]]
    for number in numbers:
        size = (len(made[-1]) + 1) * items[number].tokens * len(items[number].rows)
        if made[-1] and (len(made[-1]) >= schedule.batch or size > schedule.batch_tokens):
            made.append([])
        made[-1].append(number)
    return [batch for batch in made if batch]
