"""One reply in the making: the prompt's tokens, what is in the KV cache of it, and what was said so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from agent_runtime.engine.backend import Version
from agent_runtime.engine.guard import Guard
from agent_runtime.engine.interface import Finish, FinishReason, Grammar, Priority
from agent_runtime.engine.prefix import Prefix
from agent_runtime.engine.text import TextStream
from agent_runtime.npc.persona import Sampling


@dataclass(slots=True, eq=False)
class Talk:
    """`ticket` is whatever the caller knows this reply by. The first `shared` tokens of the prompt
    belong to a prefix; at most `limit` tokens are said (none: the prompt is only read). The KV cells
    are kept for the next reply of the same `key`, unless that is empty. Times are seconds of the
    engine's monotonic clock."""

    ticket: object
    prompt: list[int]
    shared: int
    limit: int
    sampling: Sampling
    seed: int
    created: float
    deadline: float
    version: Version
    text: TextStream = field(default_factory=TextStream)
    key: str = ""
    player: str = ""
    priority: Priority = Priority.PLAYER
    grammar: Grammar | None = None

    sequence: int = -1
    prefix: Prefix | None = None
    begun: bool = False
    cells: int = 0
    cached: int = 0
    fed: int = 0
    tokens: list[int] = field(init=False)
    sampler: object = None
    guard: Guard | None = None
    first_token: float | None = None

    def __post_init__(self) -> None:
        self.tokens = list(self.prompt)

    @property
    def pending(self) -> int:
        """Known tokens that are not in the KV cache yet."""
        return len(self.tokens) - self.fed

    @property
    def said(self) -> int:
        """Tokens of the reply so far."""
        return len(self.tokens) - len(self.prompt)

    @property
    def start(self) -> int:
        """Where the cells of its own begin."""
        return self.shared if self.prefix else 0

    def finish(self, reason: FinishReason, now: float) -> Finish:
        """The end of this reply. Where no token came, the first-token time is the total time."""
        first = now if self.first_token is None else self.first_token
        return Finish(
            reason=reason,
            seed=self.seed,
            prompt_tokens=len(self.prompt),
            cached_tokens=self.cached,
            completion_tokens=self.said,
            first_token_ms=(first - self.created) * 1000,
            total_ms=(now - self.created) * 1000,
            lane=self.version.lane,
        )
