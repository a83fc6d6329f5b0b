"""`townsfolk chat`: a talk with one NPC in the terminal, without a game; nothing of it is journaled.

The world is a small standing scene, and the catalogue is the one that comes along.
"""

from __future__ import annotations

import random
from contextlib import aclosing

import msgspec
from rich.console import Console

from agent_runtime.app import engine_of, personas_of
from agent_runtime.beside import Beside, loop_beside
from agent_runtime.bridge.parts import Item, ItemCount, Near, Position, Recipe, Snapshot
from agent_runtime.clock import SystemClock
from agent_runtime.config import Settings, share_dir
from agent_runtime.engine.interface import Engine
from agent_runtime.errors import PersonaError
from agent_runtime.npc.catalogue import Catalogue
from agent_runtime.npc.memory import EXCHANGES
from agent_runtime.npc.persona import Persona
from agent_runtime.npc.policy import Allowed, Refused
from agent_runtime.npc.prompt import Exchange, Message, system_text
from agent_runtime.npc.situation import situation_of
from agent_runtime.npc.speech import Words
from agent_runtime.npc.text import clean_line
from agent_runtime.npc.turn import Account, Situation, run_turn
from agent_runtime.registry.store import Registry
from agent_runtime.serving.persona_lanes import PersonaLanes
from agent_runtime.serving.served import Served, load_version

NEAR = (
    Near("place", "river", 24, "north-east"),
    Near("place", "mill", 40, "west"),
    Near("mob", "sheep", 9, "south"),
)
HELP = "Type a line and press Enter. An empty line, /bye, Ctrl-D or Ctrl-C ends the talk."

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
    persona = personas[npc]
    engine = engine_of(settings)
    with loop_beside() as beside:
        try:
            with console.status("loading the model …"):
                served = beside.run(_load(engine, persona, registry, number, version is not None))
            _talk(beside, engine, settings, persona, player, served)
        except KeyboardInterrupt:
            console.print()
        finally:
            beside.run(engine.close())


def embedded_catalogue() -> Catalogue:
    """The items and recipes of Minetest Game, as its own server reported them."""
    game = msgspec.json.decode((share_dir() / "data" / "catalogue.json").read_bytes(), type=_Game)
    return Catalogue(game.items, game.recipes)


async def _load(engine: Engine, persona: Persona, registry: Registry, number: int, chosen: bool) -> Served:
    await engine.start()
    own = None if chosen else await PersonaLanes(engine).served(persona)
    served = own or await load_version(engine, registry, number)
    await engine.warm((Message("system", system_text(persona)),), served.lane)
    return served


def _talk(
    beside: Beside, engine: Engine, settings: Settings, persona: Persona, player: str, served: Served
) -> None:
    name = engine.info.name
    if served.version:
        name += f", version {served.version}"
    elif served.adapter:
        name += f" with {persona.name}'s own adapter"
    console.print(f"[dim]{name} · {persona.name}, {persona.role}. {HELP}[/dim]")
    catalogue = embedded_catalogue()
    history: list[Exchange] = []
    while line := clean_line(_ask(player)):
        if line in ("/bye", "/quit", "/exit"):
            break
        situation = situation_of(persona, player, line, history, _scene(persona), catalogue, settings.turn)
        account = beside.run(_answer(engine, situation, settings.turn.deadline_s, served.lane))
        history = [*history, Exchange(line, account.reply)][-EXCHANGES:]


def _ask(player: str) -> str:
    try:
        return console.input(f"[bold cyan]{player}:[/bold cyan] ")
    except EOFError:
        console.print()
        return ""


async def _answer(engine: Engine, situation: Situation, deadline_seconds: float, lane: str) -> Account:
    clock = SystemClock()
    account = Account(began=clock.monotonic())
    console.print(f"[bold yellow]{situation.persona.name}:[/bold yellow] ", end="")
    turn = run_turn(engine, situation, clock, random.Random(), deadline_seconds, lane, account)
    async with aclosing(turn) as events:
        async for event in events:
            if isinstance(event, Words):
                console.print(event.text, end="", markup=False)
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
