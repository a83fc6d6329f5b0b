"""Decisions of the runtime itself. How they reach the players stands in test_serving.py."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from agent_runtime.engine.interface import Finish
from agent_runtime.npc.actions import Proposal
from agent_runtime.npc.policy import Refused
from agent_runtime.npc.turn import Account, Judged
from agent_runtime.registry import canary
from agent_runtime.registry.audit import State
from agent_runtime.registry.guard import FORGIVEN_AFTER, Tally
from agent_runtime.registry.status import Status, StatusFiles
from agent_runtime.registry.store import Registry
from agent_runtime.sections import Canary
from agent_runtime.sections import Registry as RegistrySettings
from agent_runtime.serving.trials import RETRY_SECONDS, Trials
from tests.support.clock import ManualClock
from tests.support.engine import ScriptedEngine
from tests.support.game import Game, chat, hello, make_id
from tests.support.runtime import town
from tests.support.versions import added

SILENT = Account("late", "Hm.")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    registry = Registry(tmp_path / "registry")
    for number in range(2):
        added(registry, b"GGUF %d" % number)
    registry.promote(1, expected=0, who="ann", why="better")
    return registry


def trials(
    registry: Registry, clock: ManualClock | None = None, **asked: float
) -> tuple[Trials, list[State]]:
    """Following the registry as it is now; and the list to which its decisions go."""
    taken: list[State] = []
    started = Trials(
        registry,
        RegistrySettings(),
        Canary(**asked),
        clock or ManualClock(),
        taken.append,  # type: ignore[arg-type]
    )
    started.follow(registry.state())
    return started, taken


def finish(reason: str, tokens: int) -> Finish:
    return Finish(reason, 1, 100, 0, tokens, 50.0, 60.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "account",
    [
        Account("busy", "One moment."),
        Account("late", "Hm.", finish=finish("deadline", 0)),
        Account("model", "Hello.", first_words_ms=100),
    ],
    ids=["the queue was full", "the deadline came before the first token", "all is well"],
)
async def test_what_is_no_fault_of_a_version(registry: Registry, account: Account) -> None:
    found, taken = trials(registry)
    for _ in range(20):
        found.note(1, account)
    await found.decide()
    assert not taken


@pytest.mark.parametrize(
    "account",
    [
        SILENT,
        Account("late", "Hm.", finish=finish("stop", 3)),
        Account(
            "model",
            "I dig.",
            judged=[Judged(Proposal("dig", {}), Refused("dig", {}, "Mira may not dig", violation=True))],
        ),
    ],
    ids=["the engine failed", "nothing was said", "a forbidden action"],
)
async def test_what_is_one(registry: Registry, account: Account) -> None:
    found, taken = trials(registry)
    for _ in range(5):
        found.note(1, account)
    await found.decide()
    assert [state.champion for state in taken] == [0]


async def test_replies_that_run_into_the_limit_are_one_beside_a_predecessor_that_stops(
    registry: Registry,
) -> None:
    found, taken = trials(registry)
    for _ in range(30):
        found.note(0, Account("model", "Hello.", finish=finish("stop", 5)))
    for _ in range(5):
        found.note(1, Account("model", "grm grm grm", finish=finish("length", 120)))
    await found.decide()
    assert [state.champion for state in taken] == [0]
    assert "did not end: 4 of 4" in taken[0].entries[-1].why


async def test_the_bare_base_is_never_rolled_back(registry: Registry) -> None:
    registry.rollback(who="ann", why="")
    found, taken = trials(registry)
    for _ in range(50):
        found.note(0, SILENT)
    await found.decide()
    assert not taken


async def test_a_way_back_is_refused_for_its_crashes_alone(registry: Registry) -> None:
    registry.promote(2, expected=1, who="ann", why="better")
    found, taken = trials(registry)
    for _ in range(50):
        found.note(1, SILENT)
    found.crashed(1)
    await found.decide()
    assert not taken
    found.crashed(1)
    await found.decide()
    (state,) = taken
    assert (state.aliases, state.banned) == ({"champion": 2, "challenger": None, "last_good": 0}, {})
    assert (state.entries[-1].who, state.refused) == ("guard", {1})


async def test_a_way_back_that_is_on_trial_too_is_dropped_and_banned_for_its_crashes(
    registry: Registry,
) -> None:
    registry.promote(2, expected=1, who="ann", why="better")
    registry.challenge(1, 0.05, who="ann", why="was the old one better?")
    found, taken = trials(registry)
    for _ in range(2):
        found.crashed(1)
    await found.decide()
    (state,) = taken
    assert (state.aliases, set(state.banned)) == ({"champion": 2, "challenger": None, "last_good": 0}, {1})


async def test_somebody_else_may_decide_first(registry: Registry) -> None:
    found, taken = trials(registry)
    for _ in range(5):
        found.note(1, SILENT)
    registry.promote(2, expected=1, who="ben", why="better")
    await found.decide()
    assert not taken
    assert registry.state().champion == 2


async def test_a_trial_that_an_admin_just_ended_or_changed_decides_nothing(registry: Registry) -> None:
    clock = ManualClock()
    registry.challenge(2, 0.05, who="ann", why="try")
    found, taken = trials(registry, clock, window_h=0, step_turns=1)
    found.note(2, Account("model", "Hello."))
    clock.advance(2 * 3600)
    registry.set_share(2, 0.5, who="ann", why="faster")
    await found.decide()
    assert registry.state().share == 0.5, "not back to the next one after 5 %"
    found.follow(registry.state())
    for player in map(str, range(200)):
        side = canary.side(canary.ticket(player, "2"), 0.5)
        version, value = (2, 5) if side == "challenger" else (1, 1)
        found.rated(player, version, "r", value, clock.wall())
    registry.drop(2, who="ann", why="it swears")
    await found.decide()
    assert registry.state().champion == 1
    assert not taken


async def test_where_a_few_play_and_nobody_meets_the_challenger_more_get_it(registry: Registry) -> None:
    clock = ManualClock()
    registry.challenge(2, 0.05, who="ann", why="try")
    found, taken = trials(registry, clock)
    for _ in range(30):
        found.note(1, Account("model", "Hello."))
    clock.advance(24 * 3600)
    await found.decide()
    assert [state.share for state in taken] == [0.2]


async def test_a_decision_that_cannot_be_made_is_an_alarm_once(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    found, taken = trials(registry)
    registry.log_path.write_bytes(b"damaged\n" + registry.log_path.read_bytes())
    for _ in range(5):
        found.note(1, SILENT)
    for _ in range(3):
        await found.decide()
    assert not taken
    assert capsys.readouterr().out.count("decision_failed") == 1


async def test_a_decision_that_could_not_be_made_is_made_once_it_can_be(registry: Registry) -> None:
    clock = ManualClock()
    found, taken = trials(registry, clock)
    whole = registry.log_path.read_bytes()
    for _ in range(5):
        found.note(1, SILENT)
    registry.log_path.write_bytes(b"damaged\n" + whole)
    await found.decide()
    for _ in range(2 * RegistrySettings().guard_turns):
        found.note(1, SILENT)
    registry.log_path.write_bytes(whole)
    await found.decide()
    assert not taken, "not at every look"
    clock.advance(RETRY_SECONDS)
    await found.decide()
    assert [state.champion for state in taken] == [0]


async def test_with_another_chance_an_earlier_failure_is_forgotten(registry: Registry) -> None:
    found, taken = trials(registry)
    whole = registry.log_path.read_bytes()
    for _ in range(5):
        found.note(1, SILENT)
    registry.log_path.write_bytes(b"damaged\n" + whole)
    await found.decide()
    registry.log_path.write_bytes(whole)
    registry.promote(2, expected=1, who="ann", why="")
    registry.promote(1, expected=2, who="ann", why="once more")
    found.follow(registry.state())
    for _ in range(5):
        found.note(1, SILENT)
    await found.decide()
    assert [state.champion for state in taken] == [2]


async def test_a_version_that_gets_another_chance_starts_from_nothing(registry: Registry) -> None:
    found, taken = trials(registry)
    for _ in range(5):
        found.note(1, SILENT)
    await found.decide()
    registry.unban(1, who="ann", why="it was the network")
    registry.promote(1, expected=0, who="ann", why="once more")
    found.follow(registry.state())
    await found.decide()
    assert len(taken) == 1
    assert registry.state().champion == 1


async def test_a_second_chance_given_while_nothing_ran_starts_from_nothing_too(registry: Registry) -> None:
    found, _ = trials(registry)
    for _ in range(2):
        found.crashed(1)
    await found.decide()
    found.follow(registry.state())
    assert 1 in registry.state().banned
    await found.save()
    registry.unban(1, who="ann", why="it was the network")
    registry.promote(1, expected=0, who="ann", why="once more")
    again, taken = trials(registry)
    await again.decide()
    assert not taken


async def test_a_version_that_is_promoted_again_while_nothing_ran_is_watched_again(
    registry: Registry,
) -> None:
    found, _ = trials(registry)
    for _ in range(RegistrySettings().guard_turns):
        found.note(1, Account("model", "Hello."))
    await found.save()
    registry.promote(2, expected=1, who="ann", why="")
    registry.promote(1, expected=2, who="ann", why="once more")
    again, taken = trials(registry)
    for _ in range(5):
        again.note(1, SILENT)
    await again.decide()
    assert [state.champion for state in taken] == [2]


async def test_a_version_that_is_promoted_in_another_log_starts_from_nothing(registry: Registry) -> None:
    found, _ = trials(registry)
    found.crashed(1)
    await found.save()
    registry.log_path.unlink()
    registry.promote(1, expected=0, who="ann", why="the log was lost")
    again, taken = trials(registry)
    again.crashed(1)
    await again.decide()
    assert not taken


async def test_what_a_version_did_outlasts_a_restart_at_which_the_log_cannot_be_read(
    registry: Registry,
) -> None:
    found, _ = trials(registry)
    found.crashed(1)
    await found.save()
    again, taken = trials(registry)
    again.follow(State())
    again.follow(registry.state())
    again.crashed(1)
    await again.decide()
    assert [state.champion for state in taken] == [0]


async def test_what_an_earlier_release_remembered_counts_on(registry: Registry) -> None:
    (registry.root / "trials.json").write_text('{"tallies":{"1":{"turns":9,"crashes":1}},"trial":null}')
    found, taken = trials(registry)
    found.crashed(1)
    await found.decide()
    assert [state.champion for state in taken] == [0]


@pytest.mark.parametrize("before", [True, False], ids=["before its chance", "after it"])
async def test_an_end_without_a_word_counts_if_it_came_after_the_versions_last_chance(
    registry: Registry, before: bool
) -> None:
    chance = registry.state().chances[1]
    second = timedelta(seconds=-1 if before else 1)
    found, _ = trials(registry)
    await found.blame(Status(pid=1, base="", champion=1, challenger=None, suspect=1, since=chance + second))
    await found.save()
    memo = StatusFiles(registry.root).memo()
    assert memo
    assert memo.tallies.get(1, Tally()).crashes == (0 if before else 1)


async def test_crashes_with_many_answers_between_them_are_none_in_a_row(registry: Registry) -> None:
    found, taken = trials(registry)
    for _ in range(3):
        found.crashed(1)
        for _ in range(FORGIVEN_AFTER):
            found.note(1, Account("model", "Hello."))
        await found.decide()
    assert not taken


async def test_what_could_not_be_decided_before_an_end_in_good_order_is_decided_after_it(
    registry: Registry,
) -> None:
    found, _ = trials(registry)
    whole = registry.log_path.read_bytes()
    registry.log_path.write_bytes(b"damaged\n" + whole)
    for _ in range(2):
        found.crashed(1)
    await found.decide()
    await found.close()
    registry.log_path.write_bytes(whole)
    again, taken = trials(registry)
    await again.decide()
    assert [state.champion for state in taken] == [0]


async def test_a_challenge_that_is_repeated_begins_anew(registry: Registry) -> None:
    registry.challenge(2, 0.5, who="ann", why="")
    found, _ = trials(registry)
    found.note(2, Account("model", "Hello."))
    await found.save()
    registry.drop(2, who="ann", why="")
    registry.challenge(2, 0.5, who="ann", why="once more")
    again, _ = trials(registry)
    await again.save()
    memo = StatusFiles(registry.root).memo()
    assert memo
    assert memo.trial
    assert memo.trial.turns == 0


async def test_another_share_begins_another_stage_though_nobody_served_meanwhile(registry: Registry) -> None:
    registry.challenge(2, 0.5, who="ann", why="try")
    clock = ManualClock()
    found, _ = trials(registry, clock)
    for _ in range(30):
        found.note(2, Account("model", "Hello."))
    await found.save()
    registry.set_share(2, 0.05, who="ann", why="not so many")
    clock.advance(24 * 3600)
    again, taken = trials(registry, clock)
    await again.decide()
    assert not taken
    assert registry.state().share == 0.05


async def test_turns_of_one_share_raise_no_other_after_a_kill(registry: Registry) -> None:
    registry.challenge(2, 0.05, who="ann", why="try")
    clock = ManualClock()
    found, taken = trials(registry, clock)
    for _ in range(30):
        found.note(2, Account("model", "Hello."))
    clock.advance(24 * 3600)
    await found.save()
    await found.decide()
    again, taken_again = trials(registry, clock)  # which never saw that step in the memo
    await again.decide()
    assert [state.share for state in taken] == [0.2]
    assert not taken_again


async def test_another_champion_begins_another_trial(registry: Registry) -> None:
    added(registry, b"GGUF 3")
    registry.challenge(2, 0.5, who="ann", why="")
    clock = ManualClock()
    found, _ = trials(registry, clock, window_h=0)
    player = next(
        name for name in map(str, range(99)) if canary.side(canary.ticket(name, "2"), 0.5) == "challenger"
    )
    found.rated(player, 2, "r", 5, clock.wall())
    await found.decide()
    registry.promote(3, expected=1, who="ann", why="")
    found.follow(registry.state())
    await found.save()
    memo = StatusFiles(registry.root).memo()
    assert memo
    assert memo.trial
    assert (memo.trial.champion, memo.trial.evidence.raters) == (3, 0)


async def test_a_players_rating_in_the_game_counts_for_the_version_that_answered(tmp_path: Path) -> None:
    async with town(tmp_path, ScriptedEngine(), canary=Canary(window_h=0)) as runtime:
        added(runtime.registry, base="0" * 64)
        runtime.registry.challenge(1, 0.5, who="ann", why="try")
        async with asyncio.timeout(10):
            while runtime.serving.challenger != 1:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        server = hello()["server"]
        sides: dict[str | None, list[str]] = {"champion": [], "challenger": []}
        for name in (f"player{number}" for number in range(200)):
            player = runtime.pseudonyms.of(server, name)
            sides[canary.side(canary.ticket(player, "1"), 0.5)].append(name)
        names = [*sides["champion"][:1], *sides["challenger"][:2]]
        async with Game(runtime.port, greeting=hello(players=names)) as game:
            for name in names:
                await game.send(chat(player=name))
                while (message := await game.receive())["type"] != "reply_done":
                    pass
                rating = {"type": "rating", "id": make_id(), "reply": message["reply"], "player": name}
                assert (await game.ask(rating | {"value": 5, "scale": "thumb"}))["type"] == "ack"
            await game.settle()
    memo = StatusFiles(runtime.registry.root).memo()
    assert memo
    assert memo.trial
    waiting = [window.side for window in memo.trial.windows.values()]
    counts = {side: count + waiting.count(side) for side, count in memo.trial.evidence.counts.items()}
    assert counts == {"champion": 1, "challenger": 2}
    assert memo.tallies[1].turns == 2


@pytest.mark.parametrize(("place", "taken_back"), [("here", True), ("a slower machine", False)])
async def test_times_of_another_machine_are_held_against_no_version(
    registry: Registry, place: str, taken_back: bool
) -> None:
    found, _ = trials(registry)
    found.serve_at("here")
    for number in (0, 1):
        for _ in range(40):
            found.note(number, Account("model", "Hello.", first_words_ms=100))
    await found.close()
    moved, taken = trials(registry)
    moved.serve_at(place)
    for _ in range(60):
        moved.note(1, Account("model", "Hello.", first_words_ms=800))
    await moved.decide()
    assert bool(taken) == taken_back


async def test_a_trial_outlasts_a_start_at_which_the_log_cannot_be_read(registry: Registry) -> None:
    registry.challenge(2, 0.5, who="ann", why="try it")
    found, _ = trials(registry)
    for number in range(40):
        player = f"player {number}"
        found.rated(player, 2 if found.is_asked(player) else 1, "R", 5, 1e12)
    await found.close()
    files = StatusFiles(registry.root)
    before = files.memo()
    assert before
    assert before.trial
    assert before.trial.windows
    unread = Trials(registry, RegistrySettings(), Canary(), ManualClock(), [].append)
    unread.follow(State())
    await unread.decide()
    await unread.close()
    trials(registry)
    after = files.memo()
    assert after
    assert after.trial == before.trial
