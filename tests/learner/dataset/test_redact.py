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


@pytest.mark.parametrize(
    ("text", "kind", "left"),
    [
        ("come to (12, 8, -4) now", "coordinates", "come to some place now"),
        ("my base is at -1200, 15, 340", "coordinates", "my base is at some place"),
        ("x=12 y=8 z=-4.5", "coordinates", "some place"),
        ("X: 100, Y: 20, Z: -30!", "coordinates", "some place!"),
        ("at -1200 15 340", "coordinates", "at some place"),
        ("(120, -77)", "coordinates", "some place"),
        ("write to al.ice+x@mail.example.org please", "e-mail", "write to some address please"),
        ("see https://example.org/x?a=1,2,3 there", "link", "see some link there"),
        ("www.example.org", "link", "some link"),
        ("join discord.gg/AbC12", "link", "join some link"),
        ("add me, alice#1234", "account", "add me, some account"),
        ("i am @alice_99 there", "account", "i am some account there"),
        ("my server is 192.168.0.12:30000", "IP address", "my server is some address"),
        ("call +49 (0)30 1234567", "telephone", "call some number"),
        ("call 555-123-4567!", "telephone", "call some number!"),
        ("i live at 12 Old Mill Road", "street", "i live at some address"),
        ("ich wohne Hauptstraße 12a", "street", "ich wohne some address"),
    ],
)
def test_what_points_to_a_place_or_a_person_becomes_words(text: str, kind: str, left: str) -> None:
    own = turn(1, "bob", "hello")
    redactor = Redactor([own], seed=1)
    assert redactor.of(own)(text) == left
    assert redactor.found[kind] == 1


@pytest.mark.parametrize(
    "text",
    [
        "3 steel ingot and 2 any stick",
        "1 coal lump and 1 any stick (makes 4)",
        "24 steps north-east",
        "time: evening, 18:40",
        "[[1]] [[ACTION:give item= 2 count= 10]]",
        "give me 99, 99 or 12 of them",
        "It takes 8 cobble, 2 sticks, 10 torches.",
        "version 5.6.1",
        "I have 1000 diamonds",
        "What? No. Yes!",
    ],
)
def test_what_is_said_about_the_game_stays(text: str) -> None:
    assert redacted(text) == text


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
