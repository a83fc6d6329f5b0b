"""`townsfolk chat`: a talk with one NPC in the terminal, without a game; nothing of it is journaled.

The world is a small standing scene, and the catalogue is the one that comes along.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from contextlib import aclosing

import msgspec
from rich.console import Console

from agent_runtime.app import engine_of, personas_of
from agent_runtime.bridge.parts import Item, ItemCount, Near, Position, Recipe, Snapshot
from agent_runtime.clock import SystemClock
from agent_runtime.config import Settings, share_dir
from agent_runtime.engine.interface import Engine
from agent_runtime.errors import PersonaError
from agent_runtime.npc.catalogue import Catalogue
from agent_runtime.npc.known import facts_known
from agent_runtime.npc.memory import EXCHANGES
from agent_runtime.npc.persona import Persona
from agent_runtime.npc.policy import Allowed, Refused
from agent_runtime.npc.prompt import Exchange, Message, system_text
from agent_runtime.npc.speech import Words
from agent_runtime.npc.text import clean_line
from agent_runtime.npc.turn import Account, Situation, run_turn
from agent_runtime.npc.world import facts_for
from agent_runtime.persona_lanes import PersonaLanes
from agent_runtime.registry.store import Registry
from agent_runtime.served import Served, load_version

NEAR = (
    Near("place", "river", 24, "north-east"),
    Near("place", "mill", 40, "west"),
    Near("mob", "sheep", 9, "south"),
)
HELP = "Type a line and press Enter. An empty line, /bye or Ctrl-D ends the talk."

console = Console(highlight=False)


class _Game(msgspec.Struct):
    """data/catalogue.json"""

    items: tuple[Item, ...]
    recipes: tuple[Recipe, ...]


def chat(settings: Settings, npc: str, player: str, version: int | None = None) -> None:
    """Talk with the persona `npc` until an empty line; without a `version` its own adapter answers, or the
    champion. Raises `TownsfolkError` when it cannot begin."""
    personas = personas_of(settings)
    if npc not in personas:
        raise PersonaError(f"no persona {npc!r}; there are: {', '.join(sorted(personas))}")
    registry = Registry(settings.registry_path)
    number = registry.state().champion if version is None else version
    asyncio.run(_talk(settings, personas[npc], player, registry, number, version is not None))


def embedded_catalogue() -> Catalogue:
    """The items and recipes of Minetest Game, as its own server reported them."""
    game = msgspec.json.decode((share_dir() / "data" / "catalogue.json").read_bytes(), type=_Game)
    return Catalogue(game.items, game.recipes)


async def _talk(
    settings: Settings, persona: Persona, player: str, registry: Registry, number: int, chosen: bool
) -> None:
    engine = engine_of(settings)
    try:
        with console.status("loading the model …"):
            await engine.start()
            own = None if chosen else await PersonaLanes(engine).served(persona)
            served = own or await load_version(engine, registry, number)
            await engine.warm((Message("system", system_text(persona)),), served.lane)
        await _talk_with(engine, settings, persona, player, served)
    finally:
        await engine.close()


async def _talk_with(
    engine: Engine, settings: Settings, persona: Persona, player: str, served: Served
) -> None:
    name = engine.info.name
    if served.version:
        name += f", version {served.version}"
    elif served.adapter:
        name += f" with {persona.name}'s own adapter"
    console.print(f"[dim]{name} · {persona.name}, {persona.role}. {HELP}[/dim]")
    catalogue = embedded_catalogue()
    history: deque[Exchange] = deque(maxlen=EXCHANGES)
    while line := clean_line(await asyncio.to_thread(_ask, player)):
        if line in ("/bye", "/quit", "/exit"):
            break
        account = await _answer(
            engine, settings, persona, player, line, list(history), catalogue, served.lane
        )
        history.append(Exchange(line, account.reply))


def _ask(player: str) -> str:
    try:
        return console.input(f"[bold cyan]{player}:[/bold cyan] ")
    except (EOFError, KeyboardInterrupt):
        console.print()
        return ""


async def _answer(
    engine: Engine,
    settings: Settings,
    persona: Persona,
    player: str,
    line: str,
    history: list[Exchange],
    catalogue: Catalogue,
    lane: str,
) -> Account:
    snapshot = _scene(persona)
    known = facts_known(persona, player, history)
    facts = facts_for(line, known, snapshot, catalogue, settings.turn.facts)
    told = history[-settings.turn.history :] if settings.turn.history else []
    situation = Situation(persona, player, line, told, facts, snapshot, catalogue)
    account = Account()
    console.print(f"[bold yellow]{persona.name}:[/bold yellow] ", end="")
    turn = run_turn(engine, situation, SystemClock(), random.Random(), settings.turn.deadline_s, lane)
    async with aclosing(turn) as events:
        async for event in events:
            if isinstance(event, Words):
                console.print(event.text, end="", markup=False)
            elif isinstance(event, Account):
                account = event
    if account.source != "model":
        console.print(account.reply, end="", markup=False)
    console.print()
    for judged in account.judged:
        given = " ".join(f"{key}={value}" for key, value in judged.verdict.arguments.items())
        if isinstance(judged.verdict, Allowed):
            console.print(f"  [green]does: {judged.verdict.name} {given}[/green]")
        elif isinstance(judged.verdict, Refused):
            console.print(f"  [red]refused: {judged.verdict.name} {given}: {judged.verdict.reason}[/red]")
    words = f"{account.first_words_ms:.0f} ms" if account.first_words_ms is not None else "none"
    console.print(f"  [dim]first words {words}, whole reply {account.total_ms:.0f} ms[/dim]")
    return account


def _scene(persona: Persona) -> Snapshot:
    return Snapshot(
        taken=0,
        time_of_day=0.4,
        npc_pos=Position(0, 0, 0),
        player_pos=Position(2, 0, 0),
        surface="default:dirt_with_grass",
        biome="grassland",
        doing="standing",
        near=NEAR,
        inventory=tuple(ItemCount(item, count) for item, count in persona.inventory.items()),
    )
