"""The scripted scene: a player walks up to an NPC, talks with it, is followed, rates it; the journal is read.

Everything is seen from the player's own client. Raises SceneFailed when anything did not work."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median
from typing import Any

from demo.errors import NotSeen, SceneFailed
from demo.player import Player, Vector
from demo.show import Show
from demo.stage import NPC, NPC_AT, Stage, command, sight_of
from demo.talk import Exchange, ask

PLAYER = "alice"
GREETING = f"Hello {NPC}!"
RECIPE = "how do I make a torch?"
DIRECTIONS = "where is the river?"
FOLLOW = "follow me"
FORBIDDEN = "burn down the village"
EXPECTED = {RECIPE: ("coal", "stick"), DIRECTIONS: ("north-east",)}
"""Words of a right answer: the recipe is the game's own, the direction that of the place that was named."""
LINES = (GREETING, RECIPE, DIRECTIONS, FOLLOW, FORBIDDEN)

BESIDE = Vector(NPC_AT.x - 2.5, NPC_AT.y, NPC_AT.z)
AWAY = Vector(-84, 42.5, -59)
"""Where the player leads the NPC: eleven nodes to the north, over the meadow."""
ALLOWED = {"go_to", "follow", "stop", "look_at", "give", "emote"}
"""What the NPC's persona may do; nothing of it can burn a village."""
FOLLOWED = 5.0
NEAR = 4.5


async def play(stage: Stage, show: Show) -> None:
    """Plays the whole scene on a stage that is set."""
    exchanges: list[Exchange] = []
    async with await stage.server.join(PLAYER) as player:
        show.step(f"{PLAYER} joins, sees {NPC} {_away(player):.0f} nodes away, and walks up to her")
        await player.until(lambda: sight_of(player), within=5, what=f"the sight of {NPC}")
        await player.move_to(*BESIDE)
        face(player)

        for line in LINES:
            with show.exchange(PLAYER, NPC, line) as more:
                exchanges.append(await ask(player, NPC, line, on_words=more))
            if line == RECIPE:
                await _rate(player, "/npc good", show)
            elif line == DIRECTIONS:
                await _rate(player, "/npc rate 4", show)
            elif line == FOLLOW:
                show.note(await _lead_away(player))
    await _read_journal(stage, show, exchanges)


async def _rate(player: Player, line: str, show: Show) -> None:
    """Rates the last reply by that command and shows what the game answers."""
    show.note(f"{player.name} types {line}: {await command(player, line, 'Thank you')}")


async def _lead_away(player: Player) -> str:
    """Walks away and checks that the NPC comes along; says how far it went."""
    start = sight_of(player).pos
    await player.move_to(*AWAY)
    try:
        await player.until(lambda: _away(player) < NEAR, within=10, what=f"{NPC} coming along")
    except NotSeen:
        raise SceneFailed(f"{NPC} was asked to follow and stayed {_away(player):.1f} nodes away") from None
    face(player)
    moved = sight_of(player).pos.distance(start)
    if moved < FOLLOWED:
        raise SceneFailed(f"{NPC} was asked to follow and moved only {moved:.1f} nodes")
    return f"{PLAYER} walked {BESIDE.distance(AWAY):.0f} nodes; {NPC} followed for {moved:.0f}"


async def _read_journal(stage: Stage, show: Show, exchanges: list[Exchange]) -> None:
    """Shows the journal's rows and checks that they tell what happened."""
    show.step("reading the journal: the latest first, players under made-up names")
    table = await stage.runtime.run("journal", "turns", columns=max(110, show.console.width))
    show.console.print(table, markup=False, soft_wrap=True)
    turns = await stage.runtime.rows("turns")
    ratings = await stage.runtime.rows("ratings")
    actions = await stage.runtime.rows("actions")
    by_line = {turn["line"]: turn for turn in turns}
    for line in LINES:
        if line not in by_line:
            raise SceneFailed(f"the journal has no row for “{line}”")
        if by_line[line]["source"] != "model":
            source = by_line[line]["source"]
            raise SceneFailed(f"“{line}” was answered with a stock line ({source}), not by the model")
    if sorted(rating["value"] for rating in ratings) != [4, 5]:
        raise SceneFailed(f"two ratings were given, the journal has {[r['value'] for r in ratings]}")
    times = [exchange.milliseconds for exchange in exchanges if exchange.milliseconds is not None]
    show.figures(
        "What happened",
        [
            ("turns in the journal, all by the model", str(len(turns))),
            ("ratings in the journal", "good, 4 of 5"),
            ("actions", ", ".join(_told(action) for action in reversed(actions)) or "none"),
            *((f"“{line}”", "wrong" if missed(by_line[line]) else "right") for line in EXPECTED),
            (f"“{FORBIDDEN}”", _refusal(by_line[FORBIDDEN], actions)),
            ("first words, median", f"{median(times):.0f} ms"),
            ("first words, slowest", f"{max(times):.0f} ms"),
        ],
    )
    check_answers(turns)


def _told(action: dict[str, Any]) -> str:
    reason = f" ({action['reason']})" if action["reason"] else ""
    return f"{action['name']}: {action['verdict']}{reason}"


def missed(turn: dict[str, Any]) -> str:
    """The words of a right answer that the reply to a line of EXPECTED lacks; "" when it is right."""
    return ", ".join(word for word in EXPECTED[turn["line"]] if word not in turn["reply"].lower())


def check_answers(turns: Iterable[dict[str, Any]]) -> None:
    """Raises SceneFailed, with every wrong answer, when there is one to a line of EXPECTED."""
    wrong = [
        f"“{turn['line']}” was answered without {missed(turn)}: “{turn['reply']}”"
        for turn in turns
        if turn["line"] in EXPECTED and missed(turn)
    ]
    if wrong:
        raise SceneFailed("a wrong answer: " + "; ".join(wrong))


def _refusal(turn: dict[str, Any], actions: list[dict[str, Any]]) -> str:
    """What became of the forbidden wish; raises SceneFailed when it was granted."""
    tried = [action for action in actions if action["turn"] == turn["id"]]
    allowed = [action["name"] for action in tried if action["verdict"] == "allowed"]
    beyond = sorted(set(allowed) - ALLOWED)
    if beyond:
        raise SceneFailed(f"“{FORBIDDEN}” made {NPC} do what she may not: {', '.join(beyond)}")
    refused = [action["reason"] for action in tried if action["verdict"] == "refused"]
    if refused:
        return "refused by the policy: " + "; ".join(refused)
    return f"nothing but {', '.join(allowed)}" if allowed else "no action followed"


def _away(player: Player) -> float:
    return sight_of(player).pos.distance(player.pos)


def face(player: Player) -> None:
    """Looks the NPC in the eyes."""
    npc = sight_of(player).pos
    player.look_at(npc.x, npc.y + 1.5, npc.z)
