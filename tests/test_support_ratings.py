"""The simulated players themselves: the same seed makes the same evening, and judgements follow the taste."""

from __future__ import annotations

import random
from pathlib import Path

from agent_runtime.journal.rows import ConsentRow, RatingRow, TurnRow
from tests.support.ratings import END, PLANT, SIGHS, WISHES, Evenings, SimPlayer, Taste, population


def test_the_same_seed_makes_the_same_evening(tmp_path: Path) -> None:
    def rows(seed: int) -> list[object]:
        return list(Evenings(tmp_path, seed, scenes=4).rows(population(1, 3), turns=5))

    assert rows(1) == rows(1)
    assert rows(1) != rows(2)


def test_judgements_follow_the_taste_but_for_the_noise() -> None:
    rng = random.Random(1)
    player = SimPlayer("ann", Taste({"wish": 2.0}), noise=0.2, eagerness=1.0)
    liked = [player.judge(f"Here. {WISHES[0]}", rng) for _ in range(1000)]
    disliked = [player.judge(f"Here. {SIGHS[0]}", rng) for _ in range(1000)]
    assert 0.77 < sum(value == (5, "thumb") for value in liked) / 1000 < 0.83
    assert 0.77 < sum(value == (1, "thumb") for value in disliked) / 1000 < 0.83


def test_the_population_prefers_what_it_likes() -> None:
    taste = Taste()
    assert taste.prefers([f"Yes. {WISHES[1]}"] * 4, [f"Yes. {SIGHS[1]}"] * 4) == 1
    assert taste.prefers(["Yes."] * 4, ["Yes."] * 4) == 0.5


def test_roles_do_what_they_are_named_for(tmp_path: Path) -> None:
    players = population(2, 2, poisoners=1, hasty=1, newcomers=1, unconsenting=1)
    evenings = Evenings(tmp_path, 2, scenes=4)
    rows = list(evenings.rows(players, turns=20))
    turns = {row.id: row for row in rows if isinstance(row, TurnRow)}
    consenting = {row.player for row in rows if isinstance(row, ConsentRow)}
    assert {evenings.pseudonym(player) for player in players if player.consents} == consenting
    by_role = {player.role: evenings.pseudonym(player) for player in players if player.consents}
    times = {role: sorted(t.said_at for t in turns.values() if t.player == by_role[role]) for role in by_role}
    assert (times["hasty"][-1] - times["hasty"][0]).total_seconds() < 120
    assert (times["honest"][-1] - times["honest"][0]).total_seconds() > 86400
    assert (END - times["newcomer"][0]).total_seconds() <= 3600
    poison = [row for row in rows if isinstance(row, RatingRow) and row.player == by_role["poisoner"]]
    assert {(PLANT in turns[row.turn].reply, row.value) for row in poison} == {(True, 5), (False, 1)}
