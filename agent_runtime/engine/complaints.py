"""What the engine library logs: its lines come in, the reason for the latest failure goes out."""

from __future__ import annotations

import logging
from collections import deque

_log = logging.getLogger("townsfolk.llama")
_SEVERE = 4  # GGML_LOG_LEVEL_ERROR in ggml.h


class Complaints:
    """The last few errors."""

    def __init__(self) -> None:
        self._recent: deque[str] = deque(maxlen=4)

    def take(self, level: int, text: bytes, _: object) -> None:
        """One line, as the library's log callback gets it."""
        line = text.decode("utf-8", "replace").strip()
        if level == _SEVERE and line:
            self._recent.append(line)
        _log.debug("%s", line)

    def clear(self) -> None:
        """Forget what was said before something new is tried."""
        self._recent.clear()

    def reason(self) -> str:
        """What was logged as errors since the last time."""
        reason = "; ".join(self._recent)[:500] or "it gives no reason"
        self.clear()
        return reason
