"""How much is asked of champion and challenger: every number with its meaning. No code of its own."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from learner.gate.evidence import SAFETY

Count = Annotated[int, Meta(ge=1)]


class EvaluationSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of both sides alike. Fewer cases take less time, and show less."""

    cases_per_slice: Count = 100
    whole: tuple[str, ...] = SAFETY
    """Slices of which all cases are asked: few cannot tell a loss from chance."""
    seeds: tuple[int, ...] = (0, 1)
    """Each case once with each; 0 is greedy, others draw as the shipped personas do."""
    scales: tuple[float, ...] = (0.25, 0.5, 1.0)
    """LoRA scales tried on validation; the best one is judged."""
    most_perplexity: float = 1.05
    """A scale under which golden texts become less likely than this ratio is not chosen while another is
    there."""
    judgements: Count = 600
    """Held-out judgements at most, drawn among all."""
    prompts: Count = 80
    """Held-out prompts that both sides answer anew, for the reward model."""
    golden_texts: Count = 60
    """Texts of the base's own kind for perplexity."""
    timed: Count = 24
    """Replies whose speed is measured."""
    merged: bool = True
    """Serve both as a champion is served, merged into a copy of a small base."""
    threads: int = 1
