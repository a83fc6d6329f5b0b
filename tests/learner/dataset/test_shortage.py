"""An admin reads what is missing, and why what was rated does not count."""

from __future__ import annotations

from typing import get_args

from learner.dataset.funnel import Step
from learner.dataset.raters import Reason
from learner.dataset.shortage import WAITS, TooLittle, unusable


def test_it_says_what_is_missing() -> None:
    assert str(TooLittle(14, 0)) == "need 14 more raters"
    assert str(TooLittle(0, 1)) == "need 1 more rating"
    assert str(TooLittle(1, 20)) == "need 1 more rater and 20 more ratings"


def test_it_says_why_ratings_do_not_count_the_most_frequent_reason_first() -> None:
    waiting: dict[Reason, int] = {"burst": 20, "new account": 280}
    found = TooLittle(8, 80, waiting, {"contested": 3, "near duplicate": 12}, new_account_hours=20.0)
    assert str(found) == (
        "need 8 more raters and 80 more ratings; 300 wait: 280 of players who were here for less than "
        "20 hours, 20 given in bursts; 15 cannot be used: near duplicate (12), contested (3)"
    )


def test_every_reason_to_wait_has_plain_words() -> None:
    assert set(WAITS) == set(get_args(Reason))


def test_what_fell_away_is_counted_over_all_steps_but_not_what_a_later_rating_replaced() -> None:
    steps = [
        Step("ratings", 5, {"weak or neutral": 2, "changed later": 9, "player withdrew": 1}),
        Step("corrections", 1, {"player withdrew": 2}),
    ]
    assert unusable(steps) == {"weak or neutral": 2, "player withdrew": 3}
