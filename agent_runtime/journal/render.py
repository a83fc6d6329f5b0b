"""Rows of the journal come in, tables for a terminal go out. What players and models wrote is shown as text:
control characters in it never reach the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from agent_runtime.journal.rows import EventRow, TurnRow
from agent_runtime.journal.views import ActionView, RatingView, Stats, TurnSummary

ID_DIGITS = 8
"""So many characters from the end of an id are shown; `journal show` takes them."""


def plain(text: str | None) -> Text:
    """Somebody else's text, as one line without anything a terminal would obey."""
    return Text("".join(letter if letter.isprintable() else "·" for letter in text or ""))


def turns(rows: Sequence[TurnSummary]) -> Table:
    table = _table(
        "id", "when", "npc", "player", "line", "reply", "version", "rated", "actions", "first words"
    )
    for row in rows:
        reply = plain(row.reply)
        if row.source != "model":
            reply = Text(f"({row.source}) ", "dim") + reply
        table.add_row(
            Text(row.id[-ID_DIGITS:], "bold red" if row.flagged else ""),
            _short(row.said_at),
            plain(row.npc_name),
            row.player[:ID_DIGITS],
            plain(row.line),
            reply,
            str(row.version) if row.source == "model" else "",
            "" if row.rating is None else f"{row.rating:.3g}",
            plain(", ".join(row.actions)),
            _ms(row.first_sentence_ms),
        )
    return table


def ratings(rows: Sequence[RatingView]) -> Table:
    table = _table("turn", "when", "player", "rated", "npc", "line", "reply")
    for row in rows:
        value = str(row.value) if row.scale == "stars" else ("good" if row.value > 3 else "bad")
        table.add_row(
            row.turn[-ID_DIGITS:],
            _short(row.rated_at),
            row.player[:ID_DIGITS],
            Text(value) if row.latest else Text(f"{value} (changed)", "dim"),
            plain(row.npc_name),
            plain(row.line),
            plain(row.reply),
        )
    return table


def events(rows: Sequence[EventRow]) -> Table:
    table = _table("when", "player", "what happened", "with", "where")
    for row in rows:
        place = "" if row.x is None else f"{row.x:.0f}, {row.y:.0f}, {row.z:.0f}"
        table.add_row(
            _short(row.received_at), row.player[:ID_DIGITS], plain(row.kind), plain(row.what), place
        )
    return table


def actions(rows: Sequence[ActionView]) -> Table:
    table = _table("turn", "when", "npc", "said it would", "did", "because")
    styles = {"done": "green", "pending": "dim"}
    for row in rows:
        arguments = " ".join(f"{key}={value}" for key, value in row.arguments.items())
        table.add_row(
            row.turn[-ID_DIGITS:],
            _short(row.said_at),
            plain(row.npc_name),
            plain(f"{row.name} {arguments}"),
            Text(row.fate, styles.get(row.fate, "red")),
            plain(row.reason or row.result_reason),
        )
    return table


def stats(row: Stats) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", style="bold")
    table.add_column()
    if row.first_at and row.last_at:
        table.add_row(str(row.turns), f"turns, {_when(row.first_at)} to {_when(row.last_at)}")
    else:
        table.add_row("0", "turns")
    table.add_row(str(row.turns - row.model_turns), "of them canned")
    table.add_row(str(row.flagged), "of them flagged")
    table.add_row(str(row.npcs), _few(row.npcs, "NPC"))
    table.add_row(str(row.players), _few(row.players, "player"))
    mean = "" if row.mean_rating is None else f", mean {row.mean_rating:.2f} of 5"
    table.add_row(str(row.ratings), f"ratings by {row.raters} {_few(row.raters, 'player')}{mean}")
    table.add_row(
        str(row.actions),
        f"actions: {row.done} done, {row.failed} not done, {row.refused} refused by policy",
    )
    table.add_row(str(row.events), "world events")
    table.add_row(str(row.sessions), "connections of game servers")
    table.add_row(
        str(row.allowed),
        f"{_few(row.allowed, 'player')} allowed training with their talk, {row.withdrawn} did not, "
        f"{row.erased} had it erased",
    )
    if row.first_sentence_p50_ms is not None:
        table.add_row(_ms(row.first_sentence_p50_ms), "to the first sentence in half of the turns")
        table.add_row(_ms(row.first_sentence_p95_ms), "to the first sentence in 95 % of the turns")
    return table


def turn(row: TurnRow, acted: Sequence[ActionView], rated: Sequence[RatingView]) -> RenderableType:
    """One turn wholly: what was asked, what the model was given and wrote, what was said and done."""
    parts: list[RenderableType] = [
        Text.assemble((row.id, "bold"), f"  {_when(row.said_at)}"),
        Text.assemble("NPC ", plain(row.npc_name), f" ({row.persona}), player {row.player}, {row.how}"),
        Text(f"server {row.server} session {row.session}", "dim"),
    ]
    if row.flagged:
        parts.append(Text.assemble(("flagged: ", "bold red"), plain(row.flag_reason)))
    for message in row.prompt:
        lines = [plain(line) for line in message.content.split("\n")]
        parts.append(Panel(Text("\n").join(lines), title=message.role, title_align="left"))
    if row.raw and row.raw != row.reply:
        parts.append(Panel(plain(row.raw), title="as the model wrote it", title_align="left"))
    parts.append(Panel(plain(row.line), title="the player", title_align="left"))
    said = "said" if row.source == "model" else f"said (canned: {row.source})"
    parts.append(Panel(plain(row.reply), title=said, title_align="left", border_style="green"))
    if row.quoted:
        quoted = (f"[{n}] {row.facts[n - 1].label}" for n in row.quoted if 0 < n <= len(row.facts))
        parts.append(Text.assemble("quoted: ", plain(", ".join(quoted))))
    if acted:
        parts.append(actions(acted))
    parts.append(Text(_made_by(row), "dim"))
    for rating in rated:
        changed = "" if rating.latest else ", changed later"
        parts.append(
            Text(f"rated {rating.value} of 5 by {rating.player} {_when(rating.rated_at)}{changed}", "yellow")
        )
    return Group(*parts)


def _made_by(row: TurnRow) -> str:
    parts = [f"version {row.version}", f"base {row.base[:12]}"]
    if row.adapter:
        parts.append(f"adapter {row.adapter[:12]}")
    parts.append(f"template {row.template}")
    if row.sampling:
        parts.append(f"temperature {row.sampling.temperature:g} seed {row.seed}")
    if row.prompt_tokens is not None:
        parts.append(
            f"{row.prompt_tokens} prompt tokens ({row.cached_tokens} cached), {row.completion_tokens} written"
        )
    if row.first_token_ms is not None:
        parts.append(f"first token {_ms(row.first_token_ms)}")
    if row.first_sentence_ms is not None:
        parts.append(f"first sentence {_ms(row.first_sentence_ms)}")
    if row.total_ms is not None:
        parts.append(f"whole {_ms(row.total_ms)} ({row.finish or row.source})")
    return ", ".join(parts)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=False)
    for column in columns:
        wraps = column in ("line", "reply", "because", "actions", "said it would")
        table.add_column(column, no_wrap=not wraps, overflow="fold")
    return table


def _few(count: int, thing: str) -> str:
    return thing if count == 1 else f"{thing}s"


def _short(moment: datetime | None) -> str:
    """For tables: they are read soon after."""
    return moment.astimezone().strftime("%m-%d %H:%M:%S") if moment else ""


def _when(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.0f} ms"
