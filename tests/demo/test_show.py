"""What the scene prints where there is no terminal, as in a log."""

from __future__ import annotations

import io

from rich.console import Console

from demo.show import Show
from demo.talk import Exchange


def shown() -> tuple[Show, io.StringIO]:
    out = io.StringIO()
    return Show(Console(file=out, width=60, highlight=False)), out


def test_a_step_is_a_line() -> None:
    show, out = shown()
    with show.steps() as step:
        step("starting [5.6.1]")
    assert "s  starting [5.6.1]" in out.getvalue()


def test_an_exchange_shows_both_and_the_time_to_the_first_words() -> None:
    show, out = shown()
    with show.exchange("alice", "Mira", "how do I make a torch?") as more:
        exchange = Exchange("how do I make a torch?", said=10.0, first_words=10.0634)
        exchange.growing = "One coal"
        more(exchange)
        exchange.sentences = [
            "One coal lump and one stick, dear.",
            "[[Then]] it burns for a long while, as you will see.",
        ]
        more(exchange)
    text = out.getvalue()
    assert "   alice  how do I make a torch?" in text
    assert "    Mira  One coal lump and one stick, dear. [[Then]] it" in text
    assert "\n          burns for a long while, as you will see." in text
    assert "first words after 63 ms" in text
    assert text.count("One coal") == 1


def test_figures_are_a_table() -> None:
    show, out = shown()
    show.figures("What happened", [("turns", "5"), ("first words, median", "63 ms")])
    assert "What happened" in out.getvalue()
    assert "│ turns               │ 5     │" in out.getvalue()
