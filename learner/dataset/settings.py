"""How a dataset is made from a snapshot: every number with its meaning. No code of its own."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

Share = Annotated[float, Meta(gt=0, le=1)]
Count = Annotated[int, Meta(ge=1)]


class RaterSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Whose judgements wait, and how much one player may weigh."""

    influence_cap: Share = 0.1
    """The most of all weight that one player has; of fewer players than 1 / cap, each weighs the same."""
    new_account_hours: Annotated[float, Meta(ge=0)] = 20.0
    """A player's judgements count once their first turn is so old."""
    burst_judgements: Count = 30
    """So many judgements by one player ..."""
    burst_minutes: Annotated[float, Meta(gt=0)] = 10.0
    """... within so many minutes are a burst, and wait."""
    contrary_least: Count = 8
    """Who shared so many replies with other raters ..."""
    contrary_share: Annotated[float, Meta(ge=0, le=1)] = 0.25
    """... and agreed with at most this share of them, waits."""
    pushed_least: Count = 6
    """The same new words in so many corrections ..."""
    pushed_share: Annotated[float, Meta(ge=0, le=1)] = 0.1
    """... of fewer players than this share of all who judged, or of one: they wait until more want it."""


class DatasetSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """The defaults are for a server with a few dozen players."""

    seed: int = 1
    min_raters: Count = 8
    """Players whose judgements can be used; fewer, and no dataset is made."""
    min_judgements: Count = 80
    """Judged turns that can be used."""
    weak_below: Annotated[float, Meta(ge=0)] = 0.75
    """Stars by which a rating has to differ from its player's own mean to say anything."""
    validation_share: Share = 0.1
    test_share: Share = 0.1
    test_raters: Count = 14
    """Players to test on, at least: fewer than six prove nothing, and nights ask for more at later looks.
    For its sake never more than a third."""
    near_duplicate: Share = 0.85
    """Jaccard similarity of letters from which two judged replies are the same."""
    replay: Annotated[float, Meta(ge=0)] = 1.5
    """Examples of the base's own corpus for each new one that is imitated (demonstrations, corrections)."""
    raters: RaterSettings = RaterSettings()
