"""Text as players see it: the engine's escape sequences (colours, translation marks) are taken out."""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b(?:\([^)]*\)|.)", re.DOTALL)


def plain(text: str) -> str:
    """The text without colours and translation marks."""
    return _ESCAPES.sub("", text)
