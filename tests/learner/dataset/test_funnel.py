"""The funnel counts what stays out, by reason, and keeps the order of what stays in."""

from __future__ import annotations

from learner.dataset.funnel import Funnel, Step


def test_every_drop_is_counted_under_its_reason() -> None:
    funnel = Funnel()
    kept = funnel.keep(
        "size", [1, 20, 3, 40, 500], lambda n: None if n < 10 else "big" if n < 100 else "huge"
    )
    assert kept == [1, 3]
    assert funnel.keep("nothing", kept, lambda n: None) == kept
    assert funnel.steps == [Step("size", 2, {"big": 2, "huge": 1}), Step("nothing", 2, {})]
