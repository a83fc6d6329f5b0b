"""What each night may spend of the error, and that it is written down once."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from scipy.stats import binom

from agent_runtime.errors import RegistryError
from learner.gate.spending import LOOKS, Look, Rule, number, read_looks, record, share


@pytest.mark.parametrize("rule", get_args(Rule))
def test_all_looks_together_spend_no_more_than_there_is(rule: Rule) -> None:
    assert 0.999 < sum(share(look, rule) for look in range(1, 10_000)) < 1


def test_of_twenty_first_looks_rarely_more_than_one_is_chance() -> None:
    alpha = 0.05 * share(1)
    assert float(binom.cdf(1, 20, alpha)) > 0.95


def test_the_first_looks_together_are_as_documented() -> None:
    assert sum(share(look) for look in range(1, 7)) == pytest.approx(6 / 8)


def test_a_new_champion_begins_anew_and_the_same_challenger_is_the_same_look(tmp_path: Path) -> None:
    registry = tmp_path / "registry"
    assert number(read_looks(registry), "", "a") == 1
    for challenger in ("a", "b", "b"):
        record(registry, Look("", challenger, 0.01, 0.3))
    looks = read_looks(registry)
    assert [look.challenger for look in looks] == ["a", "b"]
    assert number(looks, "", "c") == 3
    assert number(looks, "", "b") == 2
    assert number(looks, "") == 3, "of whatever comes next"
    assert number(looks, "b", "c") == 1


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / LOOKS).write_text("{not json\n")
    with pytest.raises(RegistryError, match=LOOKS):
        read_looks(tmp_path)
    with pytest.raises(RegistryError):
        record(tmp_path, Look("", "a", 0.01, 0.3))
