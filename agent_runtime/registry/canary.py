"""A challenger on trial: players' ratings come in, what to do with it comes out: more players, the
championship, or the way out.

Pure; times are seconds that the caller passes in. A player is on one side only, by a hash that nobody
chooses, and counts once: with the mean of the ratings of its first window. Counting every window of a player
promoted 17 of 100 challengers that were no better (60 players with tastes of their own, 20 windows).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct, field

from agent_runtime.registry.evidence import Evidence, Side

SHARES = (0.05, 0.2, 0.5)
MAX_SHARE = SHARES[-1]
HINT = 3.0
"""With so much evidence for worse no further players are asked."""
PATIENCE = 12
"""So many times `step_seconds` a share may go without a turn of the challenger while others talk with the
champion. Of 10 players none is among the first 5 % in 60 of 100 trials."""
DIFFERENCE = 0.2
"""What `raters_missing` reckons with, of a scale from 0 to 1: 7 thumbs up in place of 5 of ten."""
TICKET_DIGITS = 16


def ticket(player: str, challenger: str) -> str:
    """Stands for a player (a pseudonym) in the trial of one challenger (its id)."""
    return hashlib.sha256(f"{challenger}\0{player}".encode()).hexdigest()[:TICKET_DIGITS]


def side(ticket: str, share: float) -> Side | None:
    """Whom the player serves to judge. None: served by the champion, but moved to the challenger at a later
    share, so no judge of either."""
    place = int(ticket, 16) / 16**TICKET_DIGITS
    if place < share:
        return "challenger"
    return "champion" if place >= MAX_SHARE else None


@dataclass(frozen=True, slots=True)
class Limits:
    """When things happen: a window's seconds, what a step takes in seconds and turns of the challenger, the
    seconds after which a trial without a result ends, and the share of false results that is borne."""

    window: float
    step_seconds: float
    step_turns: int
    end: float
    alpha: float


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do now, and why. `share` is the next one of a `step`; `ban` says that a dropped one is bad."""

    what: Literal["step", "promote", "drop"]
    why: str
    share: float = 0.0
    ban: bool = False


class Window(Struct):
    """A player's first ratings: the value of each reply, the last one counts."""

    side: Side
    opened: float
    values: dict[str, int] = field(default_factory=dict)


class Trial(Struct):
    """One challenger against one champion, by number, since `began`; it was `challenged` at that time of the
    audit log. `turns` (the challenger's), `champion_turns` and `stage_began` are of the present `share`."""

    champion: int
    challenger: int
    challenged: float
    began: float
    stage_began: float
    share: float = 0.0
    turns: int = 0
    champion_turns: int = 0
    windows: dict[str, Window] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)
    evidence: Evidence = field(default_factory=Evidence)

    def took(self, version: int) -> None:
        """A version, by number, had a turn."""
        self.turns += version == self.challenger
        self.champion_turns += version == self.champion

    def rate(self, ticket: str, side: Side, reply: str, value: int, now: float) -> None:
        """A player judged a reply of its side, 1 to 5; a later rating of the same reply replaces it."""
        if ticket not in self.counted:
            self.windows.setdefault(ticket, Window(side, now)).values[reply] = value

    def close_windows(self, now: float, limits: Limits) -> bool:
        """Count the players whose window is over; whether there were any."""
        over = [ticket for ticket, window in self.windows.items() if now - window.opened >= limits.window]
        for ticket in sorted(over):  # in an order that no rating decides
            window = self.windows.pop(ticket)
            self.counted.add(ticket)
            mean = sum(window.values.values()) / len(window.values)
            self.evidence.add(window.side, (mean - 1) / 4)
        return bool(over)

    def advice(self, share: float, now: float, limits: Limits) -> Advice | None:
        """What to do at the present share; None: go on."""
        evidence, certain = self.evidence, 1 / limits.alpha
        asked = f"{evidence.counts['challenger']} raters against {evidence.counts['champion']}"
        if evidence.for_better >= certain:
            return Advice("promote", f"players like it better (evidence {evidence.for_better:.0f}, {asked})")
        if evidence.for_worse >= certain:
            why = f"players like it less (evidence {evidence.for_worse:.0f}, {asked})"
            return Advice("drop", why, ban=True)
        if now - self.began >= limits.end:
            return Advice("drop", f"no difference was shown in time ({asked})")
        following = next((step for step in SHARES if step > share), None)
        if not following or evidence.for_worse >= HINT:
            return None
        lasted = now - self.stage_began
        if self.turns >= limits.step_turns and lasted >= limits.step_seconds:
            return Advice("step", f"no harm seen in {self.turns} turns", following)
        unmet = self.turns == 0 and self.champion_turns >= limits.step_turns
        if unmet and lasted >= PATIENCE * limits.step_seconds:
            why = f"nobody met it in {self.champion_turns} turns of the champion"
            return Advice("step", why, following)
        return None

    def step(self, share: float, now: float) -> None:
        """The share has changed."""
        self.share, self.stage_began, self.turns, self.champion_turns = share, now, 0, 0

    def raters_missing(self, alpha: float) -> dict[Side, int]:
        """About how many more players of each side have to rate before a difference of `DIFFERENCE` is
        sure."""
        return self.evidence.missing(DIFFERENCE, alpha)
