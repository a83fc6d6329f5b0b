"""Text at the border to the game: any string comes in, what a person can see goes out.

It removes what could hide, recolour, reorder or forge text on a screen, in a log or in a prompt. It never
changes letters, in any script, and never judges what the words say.
"""

from __future__ import annotations

import re

# Whole sequences first, so that their visible parts go with them; a bare escape last. Each alternative
# stops at the next escape, so a megabyte of unfinished sequences costs one pass.
_ESCAPE = (
    r"\x1b\((?:\\[^\x1b]|[^)\\\x1b])*\)"  # Luanti: (c@#ff0000) (b@…) (T@domain), with \) inside
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # ANSI operating-system command: window titles, links
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # ANSI control sequence: colours, cursor
    r"|\x1b[@-Z\\^_a-z]?"  # Luanti \x1bT \x1bE \x1bF, two-letter ANSI, or the escape alone
)

_UNSEEN = (
    "\x00-\x1f\x7f-\x9f"  # C0 and C1 controls
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # soft hyphen, joiners, fillers
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"  # zero width, bidirectional controls
    "\ufe00-\ufe0f\U000e0100-\U000e01ef\U000e0000-\U000e007f"  # variation selectors and tags: hidden text
    "\ufff9-\ufffb\ufdd0-\ufdef\ufffe\uffff"  # interlinear marks, noncharacters
    "\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff"  # surrogates, private use
)

_BREAK = "\t\n\x0b\x0c\r\x85\u2028\u2029"

_HOSTILE = re.compile(f"{_ESCAPE}|[{_BREAK}]|[{_UNSEEN}]")


def visible(text: str) -> str:
    """`text` without escapes and unseen characters; each line break and tab becomes one space.

    Spaces stay as they are, so parts of a stream can be treated one by one. Idempotent.
    """
    if text.isascii() and text.isprintable():
        return text
    return _HOSTILE.sub(_space_for_break, text)


def _space_for_break(match: re.Match[str]) -> str:
    return " " if match.group() in _BREAK else ""
