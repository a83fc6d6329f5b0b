"""One line of talk: a player's or a model's text comes in, a clean single line goes out.

Both ways the same rules, so nothing can be smuggled past by being said by the other side. It never judges
what the words say: `[[ACTION:` typed by a player stays literal text, which prompt and speech treat as data.
"""

from __future__ import annotations

import unicodedata

from agent_runtime.bridge.parts import MAX_LINE
from agent_runtime.bridge.text import visible

__all__ = ["clean_line", "visible"]


def clean_line(text: str) -> str:
    """A player's line: visible characters, composed (NFC), single spaces, at most 500 characters."""
    return " ".join(unicodedata.normalize("NFC", visible(text)).split())[:MAX_LINE].rstrip()
