"""What a prompt asks, and which prompts ask the same."""

from __future__ import annotations

import pytest

from agent_runtime.npc.prompt import Message
from learner.prompts import asked, prompt_key

MIRA = Message("system", "You are Mira.")
HERE = Message("user", "Around you: time: noon\n[1] torch recipe: 1 coal lump\nann: Torch: how?")


def key(system: Message, content: str) -> tuple[str, str]:
    return prompt_key((system, Message("user", content)))


def test_what_is_asked_has_no_player() -> None:
    assert asked((MIRA, HERE)) == "Around you: time: noon\n[1] torch recipe: 1 coal lump\nTorch: how?"


def test_who_asks_and_what_is_around_make_no_difference() -> None:
    before = (Message("user", "ann: hello"), Message("assistant", "Good day."))
    assert prompt_key((MIRA, *before, HERE)) == prompt_key((MIRA, HERE))
    other = "Around you: time: night\n[1] torch recipe: 1 coal lump\nbob: torch: how?"
    assert key(MIRA, other) == prompt_key((MIRA, HERE))


@pytest.mark.parametrize(
    ("system", "content"),
    [
        (Message("system", "You are Bo."), HERE.content),
        (MIRA, HERE.content.replace("coal lump", "stick")),
        (MIRA, HERE.content.replace("how?", "why?")),
    ],
    ids=["npc", "facts", "line"],
)
def test_the_npc_the_facts_and_the_line_do(system: Message, content: str) -> None:
    assert key(system, content) != prompt_key((MIRA, HERE))
