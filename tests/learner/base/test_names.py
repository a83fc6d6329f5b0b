from __future__ import annotations

import random

import pytest

from learner.base.names import Names, an, capital, plural


@pytest.mark.parametrize(
    ("item", "many"),
    [
        ("torch", "torches"),
        ("glass", "glass"),
        ("box", "boxes"),
        ("key", "keys"),
        ("ruby", "rubies"),
        ("axe", "axes"),
    ],
)
def test_plurals_as_players_type_them(item: str, many: str) -> None:
    assert plural(item) == many


def test_articles_and_capitals() -> None:
    assert an("iron axe") == "an iron axe"
    assert an("torch") == "a torch"
    assert capital("stone axe") == "Stone axe"


def test_items_are_different_and_some_share_words() -> None:
    names = Names(random.Random(5))
    shared = 0
    for _ in range(200):
        items = names.items(4)
        assert len(set(items)) == 4
        shared += any(a != b and set(a.split()) & set(b.split()) for a in items for b in items)
    assert 60 < shared < 200


def test_unseen_names_are_never_drawn_for_training() -> None:
    training, evaluation = Names(random.Random(1)), Names(random.Random(2), unseen=True)
    for draw in ("player", "npc", "place", "mob"):
        known = {getattr(training, draw)() for _ in range(3000)}
        assert not known & {getattr(evaluation, draw)() for _ in range(300)}
    known_words = {word for _ in range(3000) for word in training.item().split()}
    fresh = [evaluation.item() for _ in range(300)]
    assert sum(bool(set(item.split()) & known_words) for item in fresh) < 15


def test_half_of_the_real_games_items_come_up() -> None:
    names = Names(random.Random(3))
    drawn = {names.item() for _ in range(4000)}
    assert len(drawn & set(names.real)) > len(names.real) // 2
