"""A slip of the fingers is forgiven in long words, and only one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.npc.spelling import Spelling, one_slip

NAMES = Spelling(["torch", "pickax", "lighthous", "mill", "bread"])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("torhc", "torch"),
        ("toorch", "torch"),
        ("trch", "trch"),  # four letters have too many neighbours
        ("lighthose", "lighthose"),  # two slips
        ("lighthuos", "lighthous"),
        ("pikax", "pickax"),
        ("torch", "torch"),
        ("mil", "mil"),
        ("porch", "porch"),  # another first letter is another word
        ("broad", "bread"),
    ],
)
def test_one_slip_is_forgiven(typed: str, meant: str) -> None:
    assert NAMES.correct(typed) == meant


@given(st.text("abcdef", min_size=5, max_size=9), st.integers(0, 8))
def test_a_lost_letter_is_one_slip_from_either_side(word: str, at: int) -> None:
    shorter = word[: at % len(word)] + word[at % len(word) + 1 :]
    assert one_slip(word, shorter)
    assert one_slip(shorter, word)
