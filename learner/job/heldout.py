"""How many players a night tests on: what the gate's next look takes goes into the dataset's settings, and a
verdict that lacked held-out raters is told in players. Nothing is judged here."""

from __future__ import annotations

import msgspec

from agent_runtime.registry.store import Registry
from learner.dataset.settings import DatasetSettings
from learner.dataset.split import TESTED_OF
from learner.gate import spending
from learner.gate.statistics import fewest_values
from learner.gate.verdict import Verdict

_SPARE = 4  # beyond those who prove something only if all of them agree


def held_out(settings: DatasetSettings, alpha: float, registry: Registry) -> DatasetSettings:
    """The settings with as many players to test on as the next look at the present champion takes, when all
    looks at it may spend `alpha`. Raises `RegistryError`."""
    champion = registry.get(registry.state().champion).manifest
    look = spending.number(spending.read_looks(registry.root), champion.adapter if champion else "")
    least = fewest_values(alpha * spending.share(look)) + _SPARE
    return msgspec.structs.replace(settings, test_raters=max(settings.test_raters, least))


def more_players(verdict: Verdict, players: int) -> str:
    """What to add to a verdict's summary when `players`, all whose ratings could be used, are too few for the
    held-out ones to prove anything; empty otherwise."""
    short = TESTED_OF * fewest_values(verdict.alpha) - players
    if verdict.outcome != "inconclusive" or not verdict.missing or short <= 0:
        return ""
    more = "1 more player has" if short == 1 else f"{short} more players have"
    return f"; they can be asked once {more} rated, since no more than one in three is held out"
