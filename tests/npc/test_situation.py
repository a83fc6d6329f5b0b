from agent_runtime.npc.prompt import Exchange
from agent_runtime.npc.situation import latest, situation_of
from agent_runtime.sections import Turn
from tests.support.town import CATALOGUE, MIRA, SNAPSHOT

TALK = [
    Exchange("my name is Al", "Nice to meet you."),
    Exchange("hello", "Hello."),
    Exchange("well", "Well."),
]


def test_the_facts_come_from_the_whole_talk_and_the_history_is_its_end() -> None:
    there = situation_of(MIRA, "alice", "what is my name?", TALK, SNAPSHOT, CATALOGUE, Turn(history=2))
    assert list(there.history) == TALK[1:]
    assert any("Al" in fact.value for fact in there.facts)
    assert (there.player, there.line, there.snapshot) == ("alice", "what is my name?", SNAPSHOT)


def test_a_prompt_may_do_without_history() -> None:
    assert latest(TALK, Turn(history=0)) == []
    assert latest(TALK, Turn(history=64)) == TALK
