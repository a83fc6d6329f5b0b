"""A grammar that sleeps: a reply's tokens come in, the grammar that holds for the next one goes out.

Asleep it costs a look at the last few bytes per token, so a reply without an action is as fast as ever.
"""

from __future__ import annotations

import logging

from agent_runtime.engine.backend import Backend
from agent_runtime.engine.interface import Grammar

_log = logging.getLogger("townsfolk.engine")


class Guard:
    """Watches one reply. `held` is the backend's grammar for the next token, None while it sleeps."""

    def __init__(self, backend: Backend, grammar: Grammar) -> None:
        self._backend = backend
        self._grammar = grammar
        self._begin, self._end = grammar.begin.encode(), grammar.end.encode()
        self._recent: list[tuple[int, bytes]] = []
        self._awake = False
        self.held: object = None

    def feed(self, token: int, piece: bytes) -> None:
        """Take a token that was said."""
        recent = self._recent
        recent.append((token, piece))
        text = b"".join(piece for _, piece in recent)
        start = text.find(self._begin)
        if start < 0:
            while recent and len(text) - len(recent[0][1]) >= len(self._begin) - 1:
                text = text[len(recent.pop(0)[1]) :]
            return
        if not self._awake:
            self._awake = True
            self._wake(start)
        _, ended, rest = text[start + len(self._begin) :].partition(self._end)
        if ended:
            self.free()
            # What follows the end may be the next beginning.
            self._recent = [(token, rest)]

    def free(self) -> None:
        """Let go of the grammar."""
        self._awake = False
        if self.held is not None:
            self._backend.free(self.held)
            self.held = None

    def _wake(self, start: int) -> None:
        """Begin to hold, with the token in which `begin` begins."""
        self.held = self._backend.grammar(self._grammar.text)
        if self.held is None:
            _log.error("a grammar cannot be read, and holds nothing: %s", self._grammar.text)
            return
        place = 0
        for token, piece in self._recent:
            place += len(piece)
            if place > start and not self._backend.accept(self.held, token):
                self._backend.free(self.held)
                self.held = None
                return
