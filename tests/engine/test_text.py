"""The text of a reply: whole characters only, and nothing of a stop string."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.engine.text import TextStream


def _all(stream: TextStream, parts: list[bytes]) -> list[str]:
    said = []
    for part in parts:
        said.append(stream.feed(part))
        if stream.stopped:
            return said
    return [*said, stream.flush()]


def test_a_character_comes_when_its_last_byte_does() -> None:
    assert _all(TextStream(), [b"a\xe2", b"\x82", b"\xac!"]) == ["a", "", "€!", ""]


def test_half_a_character_at_the_end_is_dropped() -> None:
    assert "".join(_all(TextStream(), [b"ab\xf0\x9f\x98"])) == "ab"


def test_bytes_that_are_no_text_become_replacement_characters() -> None:
    assert "".join(_all(TextStream(), [b"a\xffb"])) == "a\ufffdb"


def test_a_stop_string_over_three_tokens_is_never_seen() -> None:
    stream = TextStream(["\nPlayer:"])
    said = _all(stream, [b"Yes.\n", b"Pla", b"yer: no", b"more"])
    assert "".join(said) == "Yes."
    assert stream.stopped


def test_what_only_looked_like_a_stop_string_comes_after_all() -> None:
    stream = TextStream(["STOP"])
    assert _all(stream, [b"x ST", b"AR", b" S"]) == ["x ", "STAR", " ", "S"]


def test_the_earliest_stop_string_wins() -> None:
    stream = TextStream(["cd", "b"])
    assert stream.feed(b"abcd") == "a"


@given(st.text(alphabet="abé€😀", max_size=30), st.lists(st.integers(1, 4), max_size=40))
def test_any_cut_of_the_bytes_gives_the_same_text(text: str, cuts: list[int]) -> None:
    data, parts = text.encode(), []
    for cut in [*cuts, len(data) + 1]:
        parts.append(data[:cut])
        data = data[cut:]
    assert "".join(_all(TextStream(), parts)) == text


@given(st.text(alphabet="ab", max_size=30), st.text(alphabet="ab", min_size=1, max_size=3))
def test_the_cut_is_where_the_stop_string_first_stands(text: str, stop: str) -> None:
    said = "".join(_all(TextStream([stop]), [character.encode() for character in text]))
    assert said == text.split(stop)[0]
