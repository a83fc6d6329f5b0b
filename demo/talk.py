"""One exchange with an NPC as its player lives it: a line goes out, words come in, overhead and as chat."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from demo.errors import NotSeen
from demo.player import Entity, Player

REPLY_WITHIN = 9.0
QUIET = 1.2
"""An NPC that has said a sentence and then nothing for so many seconds is done."""
PONDERING = "…"


@dataclass
class Exchange:
    """What was said and answered. Times are of `time.perf_counter`, at the player's own client."""

    line: str
    said: float
    first_words: float | None = None
    growing: str = ""
    sentences: list[str] = field(default_factory=list)

    @property
    def reply(self) -> str:
        """All that went to the chat."""
        return " ".join(self.sentences)

    @property
    def words(self) -> str:
        """What can be read by now: the chat, or the line over the head where that is ahead."""
        return max(self.reply, self.growing, key=len)

    @property
    def milliseconds(self) -> float | None:
        """From the player's packet to the first words that came back."""
        return None if self.first_words is None else (self.first_words - self.said) * 1000


def find_npc(player: Player, name: str) -> Entity | None:
    """The NPC of that name, when in sight."""
    return next((e for e in player.entities if not e.is_player and _head(e.nametag) == name), None)


async def ask(
    player: Player, npc: str, line: str, *, on_words: Callable[[Exchange], None] = lambda _: None
) -> Exchange:
    """Says a line and collects the reply, calling `on_words` whenever more of it has come.

    Raises NotSeen when nothing comes that can be read."""
    heard = len(player.chat)
    body = find_npc(player, npc)
    tags = len(body.tags) if body else 0
    exchange = Exchange(line, await player.say(line))

    def more() -> bool:
        """Takes in what has come; whether that was anything new."""
        before = exchange.words, len(exchange.sentences)
        times = []
        said = [chat for chat in player.chat[heard:] if chat.text.startswith(f"<{npc}> ")]
        exchange.sentences = [chat.text.partition("> ")[2] for chat in said]
        times += [chat.at for chat in said[:1]]
        shown = [(tag.at, _words(tag.text)) for tag in body.tags[tags:]] if body else []
        shown = [(at, words) for at, words in shown if words and words != PONDERING]
        if shown:
            exchange.growing = shown[-1][1]
            times.append(shown[0][0])
        if times and exchange.first_words is None:
            exchange.first_words = min(times)
        return (exchange.words, len(exchange.sentences)) != before

    deadline = time.perf_counter() + REPLY_WITHIN
    while True:
        left = QUIET if exchange.sentences else deadline - time.perf_counter()
        try:
            await player.until(more, within=max(left, 0.01), what=f"{npc}'s reply to “{line}”")
        except NotSeen:
            if not exchange.sentences:
                raise
            return exchange
        on_words(exchange)


def _head(nametag: str) -> str:
    return nametag.split("\n")[0]


def _words(nametag: str) -> str:
    return " ".join(nametag.split("\n")[1:])
