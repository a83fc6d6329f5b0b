from __future__ import annotations

from agent_runtime.bridge.budget import ErrorBudget


def test_fifty_errors_in_ten_seconds_are_borne_and_one_more_is_a_flood() -> None:
    budget = ErrorBudget()
    assert all(budget.spend(i / 10) for i in range(50))
    assert not budget.spend(5.0)


def test_errors_are_forgotten_after_a_while() -> None:
    budget = ErrorBudget(allowed=3, window=10)
    assert all(budget.spend(now) for now in (0, 1, 2))
    assert budget.spend(10.0)
    assert not budget.spend(10.5)


def test_one_error_a_second_can_go_on_for_ever() -> None:
    budget = ErrorBudget()
    assert all(budget.spend(float(now)) for now in range(1000))
