"""How many of a game server's messages may be refused in a while. Times come in, yes or no goes out."""

from __future__ import annotations

from agent_runtime.window import Window

ERRORS_ALLOWED = 50
WINDOW_SECONDS = 10.0


class ErrorBudget:
    """More than `allowed` errors within `window` seconds are a flood: a peer that is broken or hostile."""

    def __init__(self, allowed: int = ERRORS_ALLOWED, window: float = WINDOW_SECONDS) -> None:
        self._allowed = allowed
        self._errors = Window(window)

    def spend(self, now: float) -> bool:
        """Note one error at `now` (monotonic seconds); False when that is too many."""
        self._errors.add(now)
        return self._errors.count(now) <= self._allowed
