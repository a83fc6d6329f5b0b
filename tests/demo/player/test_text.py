"""Text as players see it."""

from __future__ import annotations

from demo.player.text import plain


def test_colours_and_translation_marks_are_taken_out() -> None:
    assert (
        plain("\x1b(c@#ff0000)red\x1b(c@#ffffff) and \x1b(T@mod)\x1bFalice\x1bE joined\x1bE")
        == "red and alice joined"
    )


def test_other_text_stays() -> None:
    assert plain("a (b) [c] ü\n") == "a (b) [c] ü\n"
