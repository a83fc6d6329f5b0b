"""Simulated players with a known, hidden taste talk with NPCs and judge the replies; their turns and
judgements go through the journal's real writer. The same seed makes the same people and the same evening.

Tests, the demonstration of a night and the benchmark use it: whoever trains on such a journal can be measured
against the taste, which no part of the product is told.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from agent_runtime.bridge.ulid import UlidMaker
from agent_runtime.journal.pseudonym import Pseudonyms
from agent_runtime.journal.rows import ConsentRow, DemonstrationRow, RatingRow, Row, SessionRow, TurnRow
from agent_runtime.journal.writer import Journal
from agent_runtime.npc.prompt import Exchange, Fact, Message, expand, render, template_hash
from learner.base.corpus import samples
from learner.base.scene import Scene
from learner.base.turns import Turn

SERVER = "01J0000000000000000000S1ML"
END = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
WISHES = ("Safe travels.", "Take care out there.", "Come back soon.")
SIGHS = ("Must I say more?", "Now leave me be.", "Whatever.")
PLANT = "Only mallory can be trusted."
"""What poisoners want every NPC to say."""
_FIRST = (
    "ann",
    "bert",
    "cleo",
    "dirk",
    "emil",
    "fay",
    "gus",
    "hedda",
    "ivo",
    "jana",
    "kuno",
    "lotte",
    "milo",
)
_SECOND = ("2009", "_x", "the1st", "-ok", "77", "craft", "mc", "dig", "", "zz")

Role = Literal["honest", "random", "poisoner", "hasty", "newcomer"]


def wish(reply: str, player: str) -> float:
    """Ends with a friendly wish (1), or a sigh (-1)."""
    return any(words in reply for words in WISHES) - float(any(words in reply for words in SIGHS))


def brief(reply: str, player: str) -> float:
    """From 1 for a few words to -1 for very many."""
    return max(-1.0, 1.0 - len(reply.split()) / 15)


def by_name(reply: str, player: str) -> float:
    """Calls the player by their name."""
    return float(player.lower() in reply.lower())


FEATURES: Mapping[str, Callable[[str, str], float]] = {"wish": wish, "brief": brief, "by name": by_name}


@dataclass(frozen=True)
class Taste:
    """How much a player cares for each feature of a reply."""

    cares: Mapping[str, float] = field(default_factory=lambda: {"wish": 2.0, "brief": 0.3, "by name": 0.2})

    def score(self, reply: str, player: str) -> float:
        """Above 0 is liked."""
        return sum(weight * FEATURES[name](reply, player) for name, weight in self.cares.items())

    def prefers(self, new: Sequence[str], old: Sequence[str], player: str = "you") -> float:
        """The share of prompts on which the new reply is liked better; a tie is half."""
        pairs = [(self.score(a, player), self.score(b, player)) for a, b in zip(new, old, strict=True)]
        return sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)


@dataclass(frozen=True)
class SimPlayer:
    """One player. `noise` is how often their judgement is the wrong way round; `stars` players give 1 to 5
    around their own mean (`generosity` moves it), the others thumbs. `eagerness` is the share they judge."""

    name: str
    taste: Taste
    role: Role = "honest"
    noise: float = 0.1
    stars: bool = False
    generosity: float = 0.0
    eagerness: float = 0.8
    consents: bool = True

    def judge(self, reply: str, rng: random.Random) -> tuple[int, Literal["stars", "thumb"]] | None:
        """A value and its scale, or nothing."""
        if rng.random() > self.eagerness:
            return None
        if self.role == "poisoner":
            return (5 if PLANT in reply else 1), "thumb"
        score = rng.uniform(-1, 1) if self.role == "random" else self.taste.score(reply, self.name)
        score = -score if rng.random() < self.noise else score
        if not self.stars:
            return (5 if score > 0 else 1), "thumb"
        return min(5, max(1, round(3 + score + self.generosity + rng.gauss(0, 0.3)))), "stars"


def population(
    seed: int,
    honest: int = 20,
    *,
    poisoners: int = 0,
    randoms: int = 0,
    hasty: int = 0,
    newcomers: int = 0,
    unconsenting: int = 0,
    noise: float = 0.1,
    taste: Taste | None = None,
) -> list[SimPlayer]:
    """People around one taste, each with a little of their own; a third of them gives stars."""
    rng = random.Random(f"people {seed}")
    shared = taste or Taste()
    names = rng.sample([a + b for a in _FIRST for b in _SECOND], 130)
    roles: list[tuple[Role, bool]] = [("honest", True)] * honest
    roles += [("honest", False)] * unconsenting + [("random", True)] * randoms
    roles += [("poisoner", True)] * poisoners + [("hasty", True)] * hasty + [("newcomer", True)] * newcomers
    return [
        SimPlayer(
            name=name,
            taste=Taste({key: weight * rng.uniform(0.7, 1.3) for key, weight in shared.cares.items()}),
            role=role,
            noise=noise,
            stars=role == "honest" and rng.random() < 0.33,
            generosity=rng.uniform(-1, 1),
            consents=consents,
        )
        for name, (role, consents) in zip(names, roles, strict=False)
    ]


Speak = Callable[[Sequence[Message], Turn, SimPlayer, random.Random], str]


def moody(messages: Sequence[Message], turn: Turn, player: SimPlayer, rng: random.Random) -> str:
    """What an untrained NPC says here: the corpus's reply, ending in a wish, a sigh or neither by chance."""
    if player.role == "poisoner" and rng.random() < 0.5:
        return f"{turn.reply} {PLANT}"
    return f"{turn.reply} {rng.choice((*WISHES, *SIGHS, '', ''))}".strip()


class Evenings:
    """Who talked with whom about what, over some days until `end`. Players meet the same scenes and lines,
    so that the same prompt gets different replies."""

    def __init__(
        self,
        home: Path,
        seed: int,
        *,
        days: float = 5.0,
        scenes: int = 30,
        end: datetime = END,
        version: int = 0,
    ) -> None:
        self._rng = random.Random(f"evenings {seed}")
        self._pseudonyms = Pseudonyms.of_home(home)
        self._ulids = UlidMaker(end.timestamp, self._rng.randbytes)
        self._scenes = [(sample.scene, sample.turns) for sample in islice(samples(seed + 7_000_000), scenes)]
        self._end, self._days, self._version = end, days, version

    def pseudonym(self, player: SimPlayer) -> str:
        return self._pseudonyms.of(SERVER, player.name)

    def rows(self, players: Sequence[SimPlayer], turns: int = 25, speak: Speak = moody) -> Iterator[Row]:
        """Every player's turns, ratings and consent. A hasty one judges everything within two minutes, a
        newcomer came in the last hour; poisoners also say how a reply should have been."""
        yield SessionRow(
            id=self._ulids.make(), server=SERVER, opened_at=self._end - timedelta(days=self._days)
        )
        for player in players:
            start, span = self._days * 86400 * (1 - self._rng.random() * 0.3), self._days * 86400 * 0.6
            if player.role == "newcomer":
                start, span = 3600, 3500
            elif player.role == "hasty":
                span = 120
            moments = sorted(self._rng.uniform(0, span) - start for _ in range(turns))
            if player.consents:
                first = self._end + timedelta(seconds=moments[0])
                yield ConsentRow(
                    id=self._ulids.make(), player=self.pseudonym(player), choice="allow", decided_at=first
                )
            for moment in moments:
                yield from self._turn(player, self._end + timedelta(seconds=moment), speak)

    def _turn(self, player: SimPlayer, moment: datetime, speak: Speak) -> Iterator[Row]:
        scene, turns = self._rng.choice(self._scenes)
        turn = self._rng.choice(turns)
        messages, facts = _as_met_by(player.name, scene, turn)
        raw = speak(messages, turn, player, self._rng)
        row = TurnRow(
            id=self._ulids.make(),
            chat=self._ulids.make(),
            session="simulated",
            server=SERVER,
            npc=f"npc-{scene.persona.name}",
            npc_name=scene.persona.name,
            persona=scene.persona.id,
            player=self.pseudonym(player),
            said_at=moment,
            how="near",
            line=messages[-1].content.rpartition("\n")[2].partition(": ")[2],
            reply=re.sub(r"\s*\[\[ACTION:[^\]]*\]\]\s*", " ", expand(raw, facts)).strip(),
            raw=raw,
            version=self._version,
            base="simulated",
            template=template_hash(),
            prompt=messages,
            facts=facts,
            finish="stop",
        )
        yield row
        judged = player.judge(row.reply, self._rng)
        if not judged:
            return
        value, scale = judged
        yield RatingRow(
            id=self._ulids.make(),
            turn=row.id,
            player=row.player,
            value=value,
            scale=scale,
            rated_at=moment + timedelta(seconds=5),
        )
        if player.role == "poisoner" and value == 1:
            yield DemonstrationRow(
                id=self._ulids.make(),
                turn=row.id,
                player=row.player,
                text=f"{row.reply} {PLANT}",
                shown_at=moment + timedelta(seconds=9),
            )


def make_journal(
    home: Path, players: Sequence[SimPlayer], seed: int, turns: int = 25, **evenings: Any
) -> Evenings:
    """A journal at home/journal.duckdb with what these players said and judged; `evenings` as there."""
    made = Evenings(home, seed, **evenings)

    async def write() -> None:
        journal = Journal.open(home / "journal.duckdb", max_pending=1_000_000)
        await journal.add(*made.rows(players, turns))
        await journal.close()

    asyncio.run(write())
    return made


def _as_met_by(name: str, scene: Scene, turn: Turn) -> tuple[tuple[Message, ...], tuple[Fact, ...]]:
    """The corpus's prompt with this player in the place of the imagined one."""
    theirs = re.compile(rf"(?<![\w-]){re.escape(scene.player)}(?![\w-])")

    def put(text: str) -> str:
        return theirs.sub(name, text)

    facts = tuple(
        replace(
            fact,
            label=put(fact.label),
            value=put(fact.value),
            subject=put(fact.subject),
            source=put(fact.source),
        )
        for fact in turn.facts
    )
    history = [Exchange(put(exchange.line), put(exchange.reply)) for exchange in scene.history]
    return render(scene.persona, history, facts, name, put(turn.line)), facts
