from __future__ import annotations

import msgspec

from agent_runtime.registry import canary
from agent_runtime.registry.canary import Limits, Trial, side, ticket

LIMITS = Limits(window=100, step_seconds=50, step_turns=10, end=10_000, alpha=0.05)
PLAYERS = [f"{number:016x}" for number in range(4000)]


def trial() -> Trial:
    return Trial(champion=1, challenger=2, challenged=0, began=0, stage_began=0)


def judged(trial: Trial, challenger: int, champion: int, players: int) -> None:
    """So many players of each side rate one reply each, and their windows close."""
    for number in range(players):
        trial.rate(f"a{number}", "challenger", "r", challenger, 0)
        trial.rate(f"b{number}", "champion", "r", champion, 0)
    trial.close_windows(100, LIMITS)


def test_a_player_stays_on_one_side_and_the_shares_are_as_said() -> None:
    tickets = [ticket(player, "2-abc") for player in PLAYERS]
    for share in canary.SHARES:
        sides = [side(one, share) for one in tickets]
        assert sides == [side(one, share) for one in tickets]
        assert abs(sides.count("challenger") / len(tickets) - share) < 0.03
    small, large = ([side(one, share) for one in tickets] for share in (0.05, 0.5))
    for before, after in zip(small, large, strict=True):
        assert after == (before or "challenger"), "who was a judge stays on that side"
    assert None not in large


def test_another_challenger_has_other_players() -> None:
    first, second = ([side(ticket(player, id), 0.5) for player in PLAYERS] for id in ("2-abc", "3-def"))
    same = sum(one == other for one, other in zip(first, second, strict=True))
    assert 0.45 < same / len(PLAYERS) < 0.55


def test_a_player_counts_once_with_the_mean_of_the_first_window() -> None:
    found = trial()
    found.rate("a", "challenger", "r1", 5, 0)
    found.rate("a", "challenger", "r1", 1, 10)
    found.rate("a", "challenger", "r2", 3, 20)
    assert not found.close_windows(99, LIMITS)
    assert found.evidence.raters == 0
    assert found.close_windows(100, LIMITS)
    assert found.evidence.waiting["challenger"] == [0.25]
    for reply in range(50):
        found.rate("a", "challenger", f"more {reply}", 5, 101)
    assert not found.close_windows(1000, LIMITS)
    assert found.evidence.raters == 1


def test_more_players_after_time_and_turns_without_harm() -> None:
    found = trial()
    found.turns = 10
    assert found.advice(0.05, 49, LIMITS) is None
    advice = found.advice(0.05, 50, LIMITS)
    assert advice
    assert (advice.what, advice.share) == ("step", 0.2)
    found.step(0.2, 50)
    assert found.advice(0.2, 200, LIMITS) is None, "the new share has to show its turns first"
    found.turns = 10
    assert found.advice(0.5, 200, LIMITS) is None, "there is no larger share"


def test_more_players_when_nobody_meets_it_in_a_long_time() -> None:
    patience = canary.PATIENCE * LIMITS.step_seconds
    found = trial()
    for _ in range(LIMITS.step_turns):
        found.took(found.champion)
    assert found.advice(0.05, patience - 1, LIMITS) is None
    advice = found.advice(0.05, patience, LIMITS)
    assert advice
    assert (advice.what, advice.share) == ("step", 0.2)
    assert "nobody met it in 10 turns of the champion" in advice.why
    found.step(0.2, patience)
    assert found.advice(0.2, 3 * patience, LIMITS) is None, "the players may be away"
    for _ in range(LIMITS.step_turns):
        found.took(found.champion)
    assert found.advice(0.2, 3 * patience, LIMITS)
    found.took(found.challenger)
    assert found.advice(0.2, 3 * patience, LIMITS) is None, "somebody met it, so its turns decide"


def test_a_hint_of_harm_asks_no_further_players() -> None:
    found = trial()
    judged(found, 2, 5, 8)
    found.turns = 10
    assert found.evidence.for_worse > canary.HINT
    assert found.advice(0.05, 500, LIMITS) is None


def test_the_better_one_is_promoted_the_worse_and_the_undecided_are_dropped() -> None:
    for challenger, champion, what in ((5, 2, "promote"), (2, 5, "drop")):
        found = trial()
        judged(found, challenger, champion, 30)
        advice = found.advice(0.5, 200, LIMITS)
        assert advice
        assert advice.what == what
        assert "30 raters against 30" in advice.why
    late = trial().advice(0.05, 10_000, LIMITS)
    assert late
    assert late.what == "drop"


def test_it_survives_a_restart() -> None:
    found = trial()
    judged(found, 5, 2, 7)
    found.rate("late", "challenger", "r", 4, 120)
    again = msgspec.json.decode(msgspec.json.encode(found), type=Trial)
    assert again == found
    for one in (found, again):
        one.close_windows(500, LIMITS)
    assert again.evidence.for_better == found.evidence.for_better
    assert again.raters_missing(0.05)["challenger"] < trial().raters_missing(0.05)["challenger"]
