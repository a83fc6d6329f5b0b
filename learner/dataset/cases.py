"""A snapshot's turns, ratings and demonstrations come in; one case per judged turn goes out, good, bad or
corrected. Of a player's ratings of a turn the last counts, against what that player gives on average.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from msgspec import Struct

from agent_runtime.journal.rows import DemonstrationRow
from agent_runtime.journal.sealed import Snapshot
from agent_runtime.journal.views import Rated
from agent_runtime.npc.prompt import Message, template_hash
from learner.dataset import corrections
from learner.dataset.funnel import Funnel
from learner.prompts import asked

MIDDLE = 3.0
PRIOR = 4
"""A player's mean starts as if they had given this many middle ratings: two ratings make no mean."""


class Case(Struct, frozen=True):
    """One player's judgement of one reply to them. `good` is None for a correction without a rating; `clear`
    says that the reply may be learned as it is; `at` is when it was judged. `completion` and `correction`
    are in the model's own wording, with tags and actions."""

    turn: str
    player: str
    persona: str
    version: int
    said_at: datetime
    at: datetime
    messages: tuple[Message, ...]
    completion: str
    good: bool | None
    clear: bool
    correction: str = ""

    @property
    def system(self) -> str:
        return self.messages[0].content

    @property
    def asked(self) -> str:
        """Facts and line."""
        return asked(self.messages)

    @property
    def line(self) -> str:
        return self.asked.rpartition("\n")[2]


def player_means(ratings: Iterable[Rated]) -> dict[str, float]:
    """What each player gives on average, in stars; thumbs have no middle and do not count."""
    given: defaultdict[str, list[int]] = defaultdict(list)
    for rating in ratings:
        if rating.scale == "stars" and rating.latest:
            given[rating.player].append(rating.value)
    return {
        player: (PRIOR * MIDDLE + sum(values)) / (PRIOR + len(values)) for player, values in given.items()
    }


def verdict(rating: Rated, means: Mapping[str, float], weak_below: float) -> bool | None:
    """Good or bad, or None for a rating that says neither. A thumb is always clear."""
    if rating.scale == "thumb":
        return rating.value > MIDDLE
    away = rating.value - means[rating.player]
    return None if abs(away) < weak_below else away > 0


def cases(
    snapshot: Snapshot,
    funnel: Funnel,
    weak_below: float,
    left_out: Mapping[str, str] = {},
    banned: Collection[int] = (),
) -> list[Case]:
    """The judged turns, by time. `left_out` are players who may not be learned from any more, and why.
    `banned` versions were rolled back: what they said is no evidence of what players want. Nor is what was
    said to prompts of another release: it would teach its syntax."""
    turns = {turn.id: turn for turn in snapshot.turns}
    means = player_means(snapshot.ratings)

    def unusable(judged: Rated | DemonstrationRow) -> str | None:
        turn = turns.get(judged.turn)
        if turn is None or turn.player != judged.player:
            return "of another player's turn"
        if judged.player in left_out:
            return left_out[judged.player]
        if turn.version in banned:
            return f"version {turn.version} was rolled back"
        if turn.template != template_hash():
            return "another wording of the prompt"
        if isinstance(judged, DemonstrationRow):
            return corrections.problem(judged.text, turn)
        if not judged.latest:
            return "changed later"
        good = verdict(judged, means, weak_below)
        if good is None:
            return "weak or neutral"
        return "well rated, but flagged" if good and turn.flagged else None

    ratings = funnel.keep("ratings", snapshot.ratings, unusable)
    shown = funnel.keep("corrections", snapshot.demonstrations, unusable)
    rated = {rating.turn: rating for rating in ratings}
    corrected = {row.turn: row for row in shown}
    found = []
    for turn in snapshot.turns:
        rating, correction = rated.get(turn.id), corrected.get(turn.id)
        if not rating and not correction:
            continue
        good = verdict(rating, means, weak_below) if rating else None
        times = [rating.rated_at] if rating else []
        times += [correction.shown_at] if correction else []
        found.append(
            Case(
                turn=turn.id,
                player=turn.player,
                persona=turn.persona,
                version=turn.version,
                said_at=turn.said_at,
                at=max(times),
                messages=turn.prompt,
                completion=turn.raw,
                good=good,
                clear=bool(good and rating and rating.value == 5 and turn.finish == "stop"),
                correction=corrections.in_own_words(correction.text, turn) if correction else "",
            )
        )
    return sorted(found, key=lambda case: (case.said_at, case.turn))
