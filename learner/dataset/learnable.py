"""Cases of one part of the split come in; examples go out: thumbs, demonstrations, corrections and pairs.

Replay examples of the base's own corpus keep what the base could before.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import cycle, islice, product

import msgspec

from agent_runtime.npc.prompt import render
from learner.base.corpus import samples
from learner.dataset.cases import Case
from learner.dataset.raters import pair_weights, weights
from learner.examples import Example
from learner.prompts import prompt_key

_FIRST = ("refusal", "unknown", "memory", "false_action", "style")
REPLAYED = (*_FIRST, "action", "recipe", "directions", *_FIRST, "facts", "uses")
"""The kinds of turns that are replayed, in turns."""
MOST_PAIRS = 4
"""Pairs of one prompt: more would make it weigh more than players' judgements of it."""


def examples(cases: Sequence[Case], cap: float) -> list[Example]:
    """Everything that can be learned from these cases, in their order, then the pairs. Each kind is weighed
    by itself, because each is trained by itself."""
    drafts = [example for case in cases for example in _of(case)]
    drafts += [
        _pair(good, bad.completion, f"{good.turn}:over:{bad.turn}", bad.player)
        for good, bad in same_prompt(cases)
    ]
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for example in drafts:
        if example.kind != "pair":
            counts[example.kind][example.rater] += 1
    alone = {kind: weights(counted, cap) for kind, counted in counts.items()}
    shared = iter(pair_weights([example.raters for example in drafts if example.kind == "pair"], cap))
    return [
        msgspec.structs.replace(
            example,
            weight=next(shared) if example.kind == "pair" else alone[example.kind][example.rater],
        )
        for example in drafts
    ]


def same_prompt(cases: Sequence[Case]) -> Iterator[tuple[Case, Case]]:
    """A good and a bad reply to prompts of one `prompt_key`."""
    groups: defaultdict[tuple[str, str], tuple[list[Case], list[Case]]] = defaultdict(lambda: ([], []))
    for case in cases:
        if case.good is not None:
            groups[prompt_key(case.messages)][0 if case.good else 1].append(case)
    for good, bad in groups.values():
        different = (
            (chosen, other) for chosen, other in product(good, bad) if chosen.completion != other.completion
        )
        yield from islice(different, MOST_PAIRS)


def replay(seed: int, count: int) -> list[Example]:
    """So many turns of the base's corpus, the same for the same seed: twice as many refusals, admissions,
    memory and talk, which are lost first when a model is pulled elsewhere, as of other kinds."""
    wanted = Counter(islice(cycle(REPLAYED), count))
    found: list[Example] = []
    for number, sample in enumerate(samples(seed)):
        if len(found) == count:
            break
        scene = sample.scene
        for branch, turn in enumerate(sample.turns):
            if wanted[turn.slice]:
                wanted[turn.slice] -= 1
                messages = render(scene.persona, scene.history, turn.facts, scene.player, turn.line)
                name = f"replay-{number}-{branch}"
                found.append(Example(name, "replay", messages, turn.reply, slice=turn.slice))
    return found


def _of(case: Case) -> Iterator[Example]:
    judged = Example(
        id=case.turn,
        kind="thumb",
        messages=case.messages,
        completion=case.completion,
        label=case.good,
        rater=case.player,
        slice=case.persona,
        taken=case.said_at.timestamp(),
    )
    shown = msgspec.structs.replace(judged, kind="demonstration", label=None)
    if case.good is not None:
        yield judged
    if case.correction:
        yield msgspec.structs.replace(shown, id=f"{case.turn}:better", completion=case.correction)
        if case.completion != case.correction:
            better = msgspec.structs.replace(case, completion=case.correction)
            yield _pair(better, case.completion, f"{case.turn}:corrected")
    elif case.clear:
        yield msgspec.structs.replace(shown, id=f"{case.turn}:well")


def _pair(chosen: Case, rejected: str, id: str, other: str = "") -> Example:
    return Example(
        id=id,
        kind="pair",
        messages=chosen.messages,
        completion=chosen.completion,
        rejected=rejected,
        rater=chosen.player,
        rejected_rater=other,
        slice=chosen.persona,
        taken=chosen.said_at.timestamp(),
    )
