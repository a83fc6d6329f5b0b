"""A reply's text as it grows: the bytes of tokens come in, whole characters up to a stop string go out."""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class TextStream:
    """Holds back half characters, and whatever may be the beginning of a stop string."""

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""
        self.stopped = False

    def feed(self, data: bytes) -> str:
        """The text that is now certain. After a stop string, `stopped` is true and the rest is dropped."""
        text = self._held + self._decoder.decode(data)
        if not self._stops:
            return text
        found = [place for place in (text.find(stop) for stop in self._stops) if place >= 0]
        if found:
            self._held = ""
            self.stopped = True
            return text[: min(found)]
        keep = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """What was held back, once no more comes; half a character is dropped."""
        held, self._held = self._held, ""
        return held


def _overlap(text: str, stop: str) -> int:
    """How much of the end of `text` is a beginning of `stop`, in characters."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
