"""What points to a person goes; what an NPC needs to answer stays."""

from __future__ import annotations

from typing import Any

import pytest

from agent_runtime.bridge.parts import Near, Position, Snapshot
from agent_runtime.journal.rows import TurnRow
from agent_runtime.npc.catalogue import Catalogue
from agent_runtime.npc.persona import Persona
from agent_runtime.npc.prompt import Message, render
from agent_runtime.npc.situation import situation_of
from agent_runtime.sections import Turn
from learner.dataset.redact import Redactor, stand_in
from tests.support import rows as make

ADA = Persona(id="smith", name="Ada", role="smith", voice="v", about="a")


def turn(number: int, player: str, line: str, **fields: Any) -> TurnRow:
    messages = (
        Message("system", "You are Ada."),
        Message("user", f"[1] torch recipe: 1 coal lump\n{player}: {line}"),
    )
    return make.turn(number, prompt=messages, line=line, **{"facts": (), **fields})


def served(number: int, player: str, line: str, near: tuple[Near, ...] = (), doing: str = "") -> TurnRow:
    """A turn with the facts and the prompt that the runtime would make of that moment."""
    here = Position(0, 0, 0)
    moment = Snapshot(taken=1, time_of_day=0.5, npc_pos=here, player_pos=here, doing=doing, near=near)
    situation = situation_of(ADA, player, line, [], moment, Catalogue((), ()), Turn())
    prompt = render(ADA, [], situation.facts, player, line)
    return make.turn(number, prompt=prompt, line=line, facts=tuple(situation.facts))


def near(kind: Any, name: str) -> Near:
    return Near(kind, name, 4, "west")


def prompt_of(own: TurnRow, *others: TurnRow) -> str:
    return Redactor([own, *others], seed=1).of(own)(own.prompt[-1].content)


def redacted(text: str, *others: TurnRow) -> str:
    own = turn(1, "Alice", "hello")
    return Redactor([own, *others], seed=1).of(own)(text)


def test_a_name_becomes_the_same_made_up_name_everywhere() -> None:
    other = turn(2, "Bob_77", "where is alice?")
    found = redacted("Alice: is bob_77 here, or alice's cat? ALICE!", other)
    alice, bob = stand_in("alice", 1), stand_in("bob_77", 1)
    assert found == f"{alice}: is {bob} here, or {alice}'s cat? {alice}!"
    assert alice != bob
    assert stand_in("alice", 2) != alice


def test_parts_of_words_and_npcs_are_no_players() -> None:
    other = turn(2, "Ada", "hello", npc_name="Ada")
    assert redacted("malice, alice2 and ada", other) == "malice, alice2 and ada"


def test_a_name_that_is_a_word_is_replaced_only_in_its_owners_talk() -> None:
    other, how = turn(1, "bob", "how do i make a torch"), turn(2, "how", "hi")
    redactor = Redactor([other, how], seed=1)
    assert "how do i" in redactor.of(other)("bob: how do i make a torch")
    assert "how" not in redactor.of(how)("how: hi")


def test_a_name_that_everybody_says_is_a_name_still() -> None:
    talk = [turn(2 + n, "bob", "alice stole my bread") for n in range(30)]
    assert "alice" not in redacted("carl: how are you alice?", *talk).lower()


@pytest.mark.parametrize(
    ("line", "name"),
    [("my name is Robert", "Robert"), ("call me Zed!", "Zed"), ("hallo, ich heiße Jörg", "Jörg")],
)
def test_what_players_call_themselves_is_a_name(line: str, name: str) -> None:
    own = turn(1, "alice", line)
    assert name not in Redactor([own], seed=1).of(own)(f"Well met, {name}.")


def test_who_stands_by_is_replaced_without_being_named() -> None:
    own = served(1, "alice", "hello", (near("player", "carl_77"), near("player", "Bea")))
    assert "[near] carl_77 4 steps west and Bea 4 steps west" in own.prompt[-1].content
    carl, bea = stand_in("carl_77", 1), stand_in("bea", 1)
    assert f"[near] {carl} 4 steps west and {bea} 4 steps west" in prompt_of(own)


def test_who_stands_by_is_replaced_in_everybodys_talk() -> None:
    own = served(1, "alice", "hello", (near("player", "carl_77"),))
    other = turn(2, "dora", "carl_77 took my bread")
    assert "carl_77" not in prompt_of(other, own)


def test_who_is_followed_is_replaced() -> None:
    for doing in ("following dora_x", "walking to dora_x"):
        assert "dora_x" not in prompt_of(served(1, "alice", "hello", doing=doing))


def test_townspeople_mobs_and_places_keep_their_names() -> None:
    around = (near("npc", "Brom"), near("mob", "zorp"), near("place", "oakvale"))
    own = served(1, "alice", "where are brom, zorp and oakvale?", around, "walking to oakvale")
    kept = prompt_of(own)
    assert "[near] Brom 4 steps west and a zorp 4 steps west" in kept
    assert "[doing] walking to oakvale" in kept
    assert "where are brom, zorp and oakvale?" in kept
    assert "walking to mill" in prompt_of(served(1, "alice", "hello", doing="walking to mill"))


def test_who_stands_by_and_is_called_like_a_word_is_replaced_where_they_stand() -> None:
    own = served(1, "alice", "how do i find how?", (near("player", "how"),), "following how")
    how = stand_in("how", 1)
    kept = prompt_of(own)
    assert f"[doing] following {how}" in kept
    assert f"[near] {how} 4 steps west" in kept
    assert f"[where] {how} (player): 4 steps west" in kept
    assert "how do i find how?" in kept
    redact = Redactor([own], seed=1).of(own)
    assert redact("[[ACTION:follow target= how]]") == f"[[ACTION:follow target= {how}]]"


@pytest.mark.parametrize("text", ["bye -{}", "_{}_", "{}-style", "thanks {}_", "({})", "{}'s", "a/{}"])
def test_a_name_between_any_marks_is_a_name(text: str) -> None:
    assert redacted(text.format("alice")) == text.format(stand_in("alice", 1))


def test_coordinates_and_addresses_are_no_names() -> None:
    own = turn(1, "x", "hi")
    redactor = Redactor([own, turn(2, "dev", "hi"), turn(3, "play", "hi")], seed=1)
    redact = redactor.of(own)
    assert redact("x=512 y=8 z=-1024") == "some place"
    assert redact("ask dev@example.org") == "ask some address"
    assert redact("play.example.org:30000") == "some address"
    assert redactor.found["coordinates"] == 1


def test_a_made_up_name_is_not_replaced_again() -> None:
    names = [f"player{number}" for number in range(40)]
    assert any(stand_in(name, 1).endswith("_x") for name in names)
    own = turn(1, "x", "hi")
    redact = Redactor([own, *(turn(2, name, "hi") for name in names)], seed=1).of(own)
    assert [redact(name) for name in names] == [stand_in(name, 1) for name in names]


def test_what_the_model_writes_by_is_no_name() -> None:
    called = [turn(2, "bob", "call me action"), turn(3, "bob", "call me target")]
    called += [turn(4 + n, name, "hi") for n, name in enumerate(("follow", "near", "go_to", "shake_head"))]
    own = turn(1, "alice", "follow bob")
    redact = Redactor([own, *called], seed=1).of(own)
    bob = stand_in("bob", 1)
    assert redact("[[ACTION:follow target= bob]] Ah.") == f"[[ACTION:follow target= {bob}]] Ah."
    assert redact("[[ACTION:follow target=bob]]") == f"[[ACTION:follow target={bob}]]"
    for kept in (
        "[[near]] and [[near2]]",
        "[[ACTION:go_to target= near]] [[ACTION:go_to]]",
        "[[ACTION:emote kind= shake_head]]",
        "Around you: [near] nobody else",
        "[near] nobody else",
    ):
        assert redact(kept) == kept


def test_a_player_called_like_a_tag_or_an_action_leaves_them_alone_in_their_own_talk() -> None:
    for name in ("near", "where", "follow", "action", "target", "north", "player", "around", "you"):
        own = served(1, name, "where is carl?", (near("player", "carl"),))
        redact = Redactor([own], seed=1).of(own)
        asked = redact(own.prompt[-1].content)
        carl, made = stand_in("carl", 1), stand_in(name, 1)
        assert asked.startswith("Around you: [time] ")
        assert f"[player] {made}\n[where] {carl} (player): 4 steps " in asked
        assert asked.rpartition("\n")[2].startswith(f"{made}: ")
        replied = redact("See [[where]]. [[ACTION:follow target= carl]]")
        assert replied == f"See [[where]]. [[ACTION:follow target= {carl}]]"
        assert redact("[[ACTION:move direction= north]]") == "[[ACTION:move direction= north]]"


def test_names_in_markup_that_the_model_made_up_are_replaced() -> None:
    alice = stand_in("alice", 1)
    assert redacted("[[alice]] [[ACTION:alice]] [[ACTION:greet alice]]") == (
        f"[[{alice}]] [[ACTION:{alice}]] [[ACTION:greet {alice}]]"
    )
    assert redacted("[[ACTION:ask_help text= alice fell") == f"[[ACTION:ask_help text= {alice} fell"


def test_a_made_up_name_is_nobodys() -> None:
    first = stand_in("alice", 1)
    assert stand_in("alice", 1, {first}) not in ("", first)
