"""How the next token is drawn: a persona's settings come in, the stages of a sampler chain go out.

Each request draws from a seeded stream of its own. Neighbours in the batch change nothing about that; the
logits it draws from they may change by a rounding.
"""

from __future__ import annotations

import secrets

from agent_runtime.npc.persona import Sampling

# The name of a stage of the chain and its arguments.
Stage = tuple[str, tuple[float, ...]]

_MAX_SEED = 2**32 - 2
_PENALTY_WINDOW = 64


def choose_seed(seed: int) -> int:
    """The seed as given, folded into what the sampler takes; a fresh one for 0. Never 0 itself."""
    # 2³²−1 means "random" to the library, so it is left out.
    return (seed - 1) % _MAX_SEED + 1 if seed else secrets.randbelow(_MAX_SEED) + 1


def stages(sampling: Sampling, seed: int) -> tuple[Stage, ...]:
    """The chain: penalties over the reply's own tokens, min-p before top-p, then temperature.

    Min-p comes first because it needs no sorting and leaves top-p few tokens to sort; with a
    vocabulary of 150,000 that is most of the time a draw takes.
    """
    chain: list[Stage] = []
    if sampling.repeat_penalty != 1.0:
        chain.append(("penalties", (_PENALTY_WINDOW, sampling.repeat_penalty, 0.0, 0.0)))
    if sampling.temperature == 0:
        return (*chain, ("greedy", ()))
    if sampling.min_p > 0:
        chain.append(("min_p", (sampling.min_p, 1)))
    if sampling.top_p < 1:
        chain.append(("top_p", (sampling.top_p, 1)))
    return (*chain, ("temp", (sampling.temperature,)), ("dist", (seed,)))
