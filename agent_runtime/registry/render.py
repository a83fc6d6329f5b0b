"""Versions and decisions come in, tables and lines for a terminal go out."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.markdown import Markdown
from rich.markup import escape
from rich.table import Table

from agent_runtime.registry.audit import Entry, State
from agent_runtime.registry.canary import DIFFERENCE, Trial
from agent_runtime.registry.status import Status
from agent_runtime.registry.versions import Version

STYLES = {"champion": "bold green", "challenger": "bold yellow", "last_good": "cyan", "banned": "red"}
VERDICTS = {"passed": "green", "refused": "red", "inconclusive": "yellow", "none": "dim"}


def table(versions: Sequence[Version], state: State) -> RenderableType:
    """All versions, the newest first."""
    shown = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("version", "created", "what was learned", "gate", "serves as"):
        shown.add_column(name, overflow="fold")
    for version in reversed(versions):
        manifest = version.manifest
        if manifest:
            verdict = manifest.verdict
            created = f"{manifest.created.astimezone():%Y-%m-%d %H:%M}"
            learned, style = escape(manifest.learned or "—"), VERDICTS[verdict.outcome]
            gate = f"[{style}]{verdict.outcome}[/] {escape(verdict.summary)}".strip()
        else:
            created, learned, gate = "", "the base as it comes along", ""
        shown.add_row(str(version.number), created, learned, gate, _roles(version.number, state))
    return shown


def notes(state: State, status: Status | None, trial: Trial | None, alpha: float) -> list[str]:
    """What else there is to know: a trial's progress, and what a running server really does."""
    lines = []
    if len(state.entries) == 0:
        lines.append("[dim]nothing was learned yet: players rate replies, `townsfolk learn run` learns[/dim]")
    if state.challenger is not None:
        lines.append(_progress(state, trial, alpha))
    if status is None or not status.alive:
        lines.append("[dim]no server runs here[/dim]")
    elif (status.champion, status.challenger) != (state.champion, state.challenger):
        lines.append(f"[yellow]the server still answers with version {status.champion}; its log says why[/]")
    return lines


def version(version: Version, state: State) -> RenderableType:
    """One version wholly."""
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(style="dim")
    facts.add_column(overflow="fold")
    manifest = version.manifest
    facts.add_row("version", version.id)
    facts.add_row("serves as", _roles(version.number, state) or "—")
    if manifest:
        verdict = manifest.verdict
        facts.add_row("created", f"{manifest.created.astimezone():%Y-%m-%d %H:%M:%S}")
        facts.add_row("learned", escape(manifest.learned or "—"))
        facts.add_row("gate", escape(f"{verdict.outcome} {verdict.summary}".strip()))
        facts.add_row("after version", str(manifest.parent))
        facts.add_row("base", manifest.base)
        facts.add_row("adapter", f"{manifest.adapter} ({manifest.adapter_bytes / 2**20:.1f} MiB)")
        facts.add_row("LoRA scale", str(manifest.scale))
        facts.add_row("dataset", manifest.dataset + (" [red]flagged[/]" if _flagged(version, state) else ""))
        facts.add_row(
            "training", escape(" ".join(f"{key}={value}" for key, value in manifest.training.items()))
        )
        facts.add_row(
            "players",
            f"{len(manifest.trained_on)} trained on, {len(manifest.judged_by)} chosen and judged by",
        )
        facts.add_row("seeds", escape(" ".join(f"{key}={value}" for key, value in manifest.seeds.items())))
        facts.add_row("files", escape(", ".join(manifest.files)))
        facts.add_row("folder", escape(str(version.folder)))
    parts: list[RenderableType] = [facts]
    about = [entry for entry in state.entries if _names(entry, version.number)]
    if about:
        decided = Table(box=None, pad_edge=False, header_style="dim", title="decisions", title_justify="left")
        for name in ("when", "who", "what", "why"):
            decided.add_column(name, overflow="fold")
        for entry in about:
            when = f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}"
            decided.add_row(when, escape(entry.who), _what(entry), escape(entry.why))
        parts += ["", decided]
    if version.card and version.card.is_file():
        parts += ["", Markdown(version.card.read_text(encoding="utf-8", errors="replace"))]
    return Group(*parts)


def _roles(number: int, state: State) -> str:
    roles = [
        f"[{STYLES[alias]}]{alias}[/]" + (f" ({state.share:.0%} of players)" if alias == "challenger" else "")
        for alias, to in state.aliases.items()
        if to == number and not (alias == "last_good" and state.champion == number)
    ]
    if number in state.banned:
        roles.append(f"[{STYLES['banned']}]banned[/]: {escape(state.banned[number])}")
    if number in state.marked:
        roles.append(f"[yellow]marked[/]: {escape(state.marked[number])}")
    return ", ".join(roles)


def _progress(state: State, trial: Trial | None, alpha: float) -> str:
    known = trial if trial and trial.challenger == state.challenger else Trial(0, 0, 0, 0, 0)
    counts, missing = known.evidence.counts, known.raters_missing(alpha)
    soon = f", {len(known.windows)} more counted soon" if known.windows else ""
    unmet = known.turns == 0 and known.champion_turns > 0
    nobody = "; none of your players met it yet at this share" if unmet else ""
    return (
        f"version {state.challenger} is on trial with {state.share:.0%} of the players: "
        f"{counts['challenger']} raters against {counts['champion']}{soon}{nobody}. "
        f"About {missing['challenger']} more raters of version {state.challenger} and "
        f"{missing['champion']} of the champion make a difference of {DIFFERENCE:.0%} sure; until then it is "
        f"yours to decide: `townsfolk promote {state.challenger}` or `townsfolk versions drop`"
    )


def _flagged(version: Version, state: State) -> bool:
    return bool(version.manifest and version.manifest.dataset in state.flagged)


def _names(entry: Entry, number: int) -> bool:
    return entry.version == number or any(number in move for move in entry.moves.values())


def _what(entry: Entry) -> str:
    moves = ", ".join(
        f"{alias} {'—' if before is None else before} → {'—' if after is None else after}"
        for alias, (before, after) in entry.moves.items()
    )
    share = "" if entry.share is None else f" {entry.share:.0%}"
    return f"{entry.what}{share}{f' ({moves})' if moves else ''}"
