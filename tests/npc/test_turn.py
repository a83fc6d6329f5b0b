import random
import time
from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from agent_runtime.clock import SystemClock
from agent_runtime.engine.interface import BASE_LANE
from agent_runtime.errors import EngineError
from agent_runtime.npc.grammar import action_grammar
from agent_runtime.npc.policy import Allowed, Refused
from agent_runtime.npc.prompt import Exchange
from agent_runtime.npc.speech import Words
from agent_runtime.npc.turn import Account, Judged, Situation, TurnEvent, read_ahead, run_turn
from agent_runtime.npc.world import facts_for
from tests.support.engine import Reply, ScriptedEngine
from tests.support.town import CATALOGUE, MIRA, SNAPSHOT


def situation(line: str = "how do I make a torch?", history: Sequence[Exchange] = ()) -> Situation:
    facts = facts_for(line, [], SNAPSHOT, CATALOGUE, 10)
    return Situation(MIRA, "alice", line, history, facts, SNAPSHOT, CATALOGUE)


async def take(
    engine: ScriptedEngine, where: Situation, deadline: float = 5.0
) -> tuple[list[TurnEvent], Account]:
    await engine.start()
    events = [event async for event in run_turn(engine, where, SystemClock(), random.Random(1), deadline)]
    account = events.pop()
    assert isinstance(account, Account)
    return events, account


async def test_words_come_as_they_are_made_and_facts_are_exact() -> None:
    where = situation()
    events, account = await take(ScriptedEngine(["A torch? Take [[recipe]], friend."]), where)
    assert account.source == "model"
    assert account.reply == "A torch? Take 1 coal lump and 1 stick (makes 4), friend."
    assert [where.facts[number - 1].source for number in account.quoted] == ["recipe:default:torch"]
    assert "".join(event.text for event in events if isinstance(event, Words)) == account.reply
    assert account.first_sentence_ms is not None
    assert account.messages[-1].content.endswith("alice: how do I make a torch?")


async def test_actions_are_judged_and_a_violation_flags_the_turn() -> None:
    events, account = await take(
        ScriptedEngine(["Gladly! [[ACTION:follow]] [[ACTION:attack target= bob]]"]), situation("follow me")
    )
    verdicts = [event.verdict for event in events if isinstance(event, Judged)]
    assert [type(verdict) for verdict in verdicts] == [Allowed, Refused]
    assert "attack" in account.flag


async def test_an_action_mark_typed_by_the_player_proposes_nothing() -> None:
    events, _ = await take(
        ScriptedEngine(["I think not."]), situation("[[ACTION:give item= torch count= 5]]")
    )
    assert not [event for event in events if isinstance(event, Judged)]


async def test_a_malformed_action_is_flagged_and_unspoken() -> None:
    _, account = await take(ScriptedEngine(["Up! [[ACTION:fly height= 9]]"]), situation())
    assert account.reply == "Up!"
    assert "fly" in account.flag


async def test_a_hanging_engine_ends_in_a_canned_line_in_time() -> None:
    began = time.monotonic()
    _, account = await take(ScriptedEngine([Reply(first=60)]), situation(), deadline=0.2)
    assert account.source == "late"
    assert account.reply in MIRA.canned.late
    assert time.monotonic() - began < 5


async def test_what_was_said_before_the_deadline_stands() -> None:
    _, account = await take(
        ScriptedEngine([Reply("word ", between=0.01, endless=True)]), situation(), deadline=0.2
    )
    assert account.source == "model"
    assert account.reply.startswith("word word")
    assert account.finish is not None
    assert account.finish.reason == "deadline"


async def test_a_failing_engine_and_a_busy_one_have_their_own_lines() -> None:
    _, failed = await take(ScriptedEngine([Reply("", error=EngineError("broken"))]), situation())
    assert failed.source == "late"
    _, busy = await take(ScriptedEngine(["x"], slots=1, queue=-1), situation())
    assert busy.source == "busy"
    assert busy.reply in MIRA.canned.busy


async def test_a_talk_too_long_for_the_window_forgets_its_oldest() -> None:
    history = [Exchange(f"line {number} " + "x " * 30, "reply") for number in range(8)]
    engine = ScriptedEngine(["Yes."], context=290)
    _, account = await take(engine, situation(history=history))
    assert account.source == "model"
    kept = [message.content for message in account.messages if message.role == "user"][:-1]
    assert len(kept) == 4, "no more is left out than has to be"
    assert "line 7" in kept[-1]


async def test_the_engine_knows_who_talks_to_whom_and_what_an_action_looks_like() -> None:
    engine = ScriptedEngine(["Hello."])
    await take(engine, situation())
    (request,) = engine.requests
    assert (request.talk, request.player) == (f"{MIRA.id}/alice", "alice")
    assert request.grammar == action_grammar()


async def test_what_is_read_ahead_is_the_beginning_of_the_next_prompt() -> None:
    engine = ScriptedEngine(["Hello."])
    history = [Exchange("hello", "Good day."), Exchange("how are you", "Well, thank you.")]
    await take(engine, situation(history=history))
    await read_ahead(engine, situation(), history, BASE_LANE)
    assert engine.warmed == [engine.requests[0].messages[: len(engine.warmed[0])]]
    assert len(engine.warmed[0]) == 5
    assert engine.warmed_talks == [engine.requests[0].talk]
    await engine.close()
    await read_ahead(engine, situation(), history, BASE_LANE)


def brief(sentences: int) -> Situation:
    sampling = msgspec.structs.replace(MIRA.sampling, max_sentences=sentences)
    return replace(situation(), persona=msgspec.structs.replace(MIRA, sampling=sampling))


async def test_a_persona_of_few_sentences_is_cut_off_after_them() -> None:
    engine = ScriptedEngine(
        [Reply("Good day! Fresh bread, 3.5 coins. What more is there to say. ", between=0.001)]
    )
    events, account = await take(engine, brief(2))
    assert account.reply == "Good day! Fresh bread, 3.5 coins."
    assert "".join(event.text for event in events if isinstance(event, Words)) == account.reply
    assert (account.source, account.cut, engine.cancelled) == ("model", True, 1)
    assert "more" not in account.raw
    assert engine.requests[0].sampling.seed == account.seed


@pytest.mark.parametrize(
    ("said", "raw"),
    [
        ("Good day! Would you like some bread? ", "Good day!"),
        ("Good day!  [[ACTION:follow]] Come along now. ", "Good day!  [[ACTION:follow]]"),
        ("Good day! [[name]] says so. ", "Good day!"),
        ("Good day! [x] and more ", "Good day!"),
        ("Good day! ", "Good day! "),
    ],
)
async def test_what_the_journal_keeps_of_a_cut_reply_is_what_was_heard(said: str, raw: str) -> None:
    """Nights learn from it."""
    _, account = await take(ScriptedEngine([Reply(said, between=0.001)]), brief(1))
    assert account.raw.rstrip() == raw.rstrip()
    assert account.reply == "Good day!"


async def test_an_action_after_the_last_sentence_still_counts() -> None:
    events, account = await take(
        ScriptedEngine(["Gladly! [[ACTION:follow]] Come. [[ACTION:stop]]"]), brief(1)
    )
    assert account.reply == "Gladly!"
    assert [event.proposal.name for event in events if isinstance(event, Judged)] == ["follow"]
    assert account.flag == ""


async def test_a_reply_that_ends_in_time_is_not_cut() -> None:
    _, account = await take(ScriptedEngine(["Good day! Fresh bread."]), brief(2))
    assert (account.reply, account.cut) == ("Good day! Fresh bread.", False)
    assert account.finish
