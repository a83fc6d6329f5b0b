"""Which judgements become cases: the last word, against the player's mean, of turns that may be learned."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from agent_runtime.journal.rows import DemonstrationRow, TurnRow
from agent_runtime.journal.sealed import LeftOut, Manifest, PlayerSpan, Scope, Snapshot
from agent_runtime.journal.views import Rated
from agent_runtime.npc.prompt import Fact
from learner.dataset.cases import Case, cases, player_means, verdict
from learner.dataset.funnel import Funnel
from tests.support import rows as make

P1, P2 = "a" * 16, "b" * 16


def rated(
    number: int, turn: int, value: int, player: str = P1, latest: bool = True, scale: Any = "stars"
) -> Rated:
    return Rated(
        id=make.ulid(number),
        turn=make.ulid(turn),
        player=player,
        value=value,
        scale=scale,
        rated_at=make.START + timedelta(seconds=number),
        latest=latest,
    )


def snapshot(
    turns: list[TurnRow], ratings: list[Rated], shown: list[DemonstrationRow] | None = None
) -> Snapshot:
    players = {turn.player: PlayerSpan(1, turn.said_at) for turn in turns}
    manifest = Manifest(
        1, "n", make.START, "s", Scope(), {}, players, LeftOut(0, 0, 0, 0, 0), (), make.START, make.START
    )
    return Snapshot(manifest, turns, ratings, shown or [], [])


def find(given: Snapshot, **options: Any) -> tuple[dict[str, Case], dict[str, int]]:
    """Cases by turn, and what was dropped in both first steps."""
    funnel = Funnel()
    found = {case.turn[-3:]: case for case in cases(given, funnel, 0.75, **options)}
    return found, dict(sum((Counter(step.dropped) for step in funnel.steps), Counter[str]()))


def test_the_last_rating_of_a_turn_counts() -> None:
    turns = [make.turn(1, player=P1)]
    found, dropped = find(
        snapshot(turns, [rated(10, 1, 5, latest=False, scale="thumb"), rated(11, 1, 1, scale="thumb")])
    )
    assert found["001"].good is False
    assert dropped == {"changed later": 1}


def test_stars_are_measured_against_what_the_player_gives() -> None:
    turns = [make.turn(n, player=P1) for n in range(1, 9)] + [make.turn(20, player=P2)]
    generous = [rated(10 + n, n, 5) for n in range(1, 8)] + [rated(18, 8, 3)]
    means = player_means([*generous, rated(40, 20, 4, player=P2)])
    assert means[P1] == (4 * 3 + 7 * 5 + 3) / 12
    found, dropped = find(snapshot(turns, [*generous, rated(40, 20, 4, player=P2)]))
    assert found["008"].good is False, "three stars of somebody who gives five are a complaint"
    assert found["001"].good is True
    assert found["020"].good is True, "one rating makes no mean"
    assert dropped == {}


def test_weak_ratings_say_nothing_and_thumbs_are_always_clear() -> None:
    assert verdict(rated(1, 1, 3), {P1: 3.2}, 0.75) is None
    assert verdict(rated(1, 1, 1, scale="thumb"), {}, 0.75) is False
    found, dropped = find(snapshot([make.turn(1, player=P1)], [rated(10, 1, 3)]))
    assert (found, dropped) == ({}, {"weak or neutral": 1})


def test_what_is_no_evidence_stays_out_with_its_reason() -> None:
    turns = [
        make.turn(1, player=P1, version=3),
        make.turn(2, player=P2),
        make.turn(3, player=P1, flagged=True),
        make.turn(4, player=P1, flagged=True),
        make.turn(5, player=P1, template="0" * 12),
    ]
    ratings = [
        rated(10, 1, 5, scale="thumb"),
        rated(11, 2, 5, player=P2, scale="thumb"),
        rated(12, 2, 5, scale="thumb"),
        rated(13, 3, 5, scale="thumb"),
        rated(14, 4, 1, scale="thumb"),
        rated(15, 5, 5, scale="thumb"),
    ]
    shown = [make.demonstration(20, 1, player=P1, text="[[ACTION:give item= 1]] Take it.")]
    found, dropped = find(snapshot(turns, ratings, shown), left_out={P2: "player was erased"}, banned=[3])
    assert list(found) == ["004"], "a flagged reply may be learned from as a bad one"
    assert dropped == {
        "version 3 was rolled back": 2,
        "player was erased": 1,
        "of another player's turn": 1,
        "well rated, but flagged": 1,
        "another wording of the prompt": 1,
    }
    found, dropped = find(snapshot(turns, [], shown))
    assert dropped == {"markup in a correction": 1}, "what a player types never becomes an action"


def test_a_correction_stands_with_the_rating_or_alone() -> None:
    turns = [make.turn(1, player=P1), make.turn(2, player=P1)]
    shown = [make.demonstration(20, 1, player=P1), make.demonstration(21, 2, player=P1)]
    found, _ = find(snapshot(turns, [rated(10, 1, 1, scale="thumb")], shown))
    assert (found["001"].good, found["001"].correction) == (False, "better 1")
    assert (found["002"].good, found["002"].correction) == (None, "better 2")
    assert found["001"].at == shown[0].shown_at


def test_a_correction_is_taught_as_the_model_would_write_it() -> None:
    fact = Fact("torch", "1 coal lump over 1 stick", "torch", "recipe:default:torch", "recipe")
    turn = make.turn(1, player=P1, raw="Take [[recipe]].", reply=f"Take {fact.value}.", facts=(fact,))
    shown = [make.demonstration(20, 1, player=P1, text=f"Take {fact.value}. Safe travels.")]
    found, _ = find(snapshot([turn], [], shown))
    assert found["001"].correction == "Take [[recipe]]. Safe travels."


def test_only_a_whole_and_highly_rated_reply_may_be_copied() -> None:
    turns = [make.turn(1, player=P1), make.turn(2, player=P1, finish="deadline"), make.turn(3, player=P1)]
    ratings = [rated(10, 1, 5, scale="thumb"), rated(11, 2, 5, scale="thumb"), rated(12, 3, 4)]
    found, _ = find(snapshot(turns, ratings))
    assert {turn: case.clear for turn, case in found.items()} == {"001": True, "002": False, "003": False}


def test_a_case_knows_its_line_without_the_name() -> None:
    found, _ = find(snapshot([make.turn(1, player=P1, line="x")], [rated(10, 1, 5, scale="thumb")]))
    assert found["001"].line == "line 1"
    assert found["001"].system == "You are Ada."
