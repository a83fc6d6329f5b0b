"""Tables for a terminal: other people's text is text, whatever is in it."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console, RenderableType

from agent_runtime.journal import render
from agent_runtime.journal.rows import TurnRow
from agent_runtime.journal.views import RatingView, TurnSummary
from agent_runtime.npc.prompt import Message
from tests.support import rows as make

HOSTILE = "\x1b]0;title\x07\x1b[2J\r\u202e\u200b[red]x[/red]\n"


def drawn(renderable: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=160, force_terminal=False)
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def summary(row: TurnRow) -> TurnSummary:
    known = {
        name: getattr(row, name) for name in row.__struct_fields__ if name in TurnSummary.__struct_fields__
    }
    return TurnSummary(**known, rating=None, actions=())


def test_plain_keeps_letters_of_every_script_and_no_controls() -> None:
    assert render.plain("Straße ☃ 日本 [b]").plain == "Straße ☃ 日本 [b]"
    assert render.plain(HOSTILE).plain == "·]0;title··[2J···[red]x[/red]·"
    assert render.plain(None).plain == ""


@pytest.mark.parametrize("field", ["line", "reply", "raw", "npc_name", "flag_reason"])
def test_nothing_in_a_turn_reaches_the_terminal_raw(field: str) -> None:
    row = make.turn(1, flagged=True, **{field: HOSTILE})
    shown = drawn(render.turn(row, [], [])) + drawn(render.turns([summary(row)]))
    assert "[red]x[/red]" in shown
    assert not set(shown) & set("\x1b\x07\r\u202e\u200b")


def test_a_prompt_keeps_its_lines() -> None:
    shown = drawn(
        render.turn(make.turn(1, prompt=(Message("user", f"[1] torch: coal\nalice: {HOSTILE}"),)), [], [])
    )
    assert "│ [1] torch: coal" in shown
    assert "│ alice: ·]0;title" in shown


def test_a_canned_turn_has_no_figures_and_says_why() -> None:
    row = make.turn(
        1,
        source="slow_down",
        raw="",
        prompt=(),
        quoted=(),
        sampling=None,
        prompt_tokens=None,
        first_token_ms=None,
        first_sentence_ms=None,
        finish=None,
    )
    shown = drawn(render.turn(row, [], []))
    assert "said (canned: slow_down)" in shown
    assert "tokens" not in shown
    assert "None" not in shown


def test_thumbs_are_words() -> None:
    rating = RatingView(**msgspec.structs.asdict(make.rating(1, turn=2, scale="thumb")), latest=True)
    assert "good" in drawn(render.ratings([rating]))
    assert "bad" in drawn(render.ratings([msgspec.structs.replace(rating, value=1)]))
