"""What the scene looks like on a terminal, and in a plain log: steps, dialogue as it streams, figures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from demo.talk import Exchange


class Show:
    """Prints to the console; on a terminal, a step has a spinner and words appear as they come."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._began = time.monotonic()
        self._status = self.console.status("")

    @contextmanager
    def steps(self) -> Iterator[Callable[[str], None]]:
        """Within it, the function given tells of one step after the other."""
        try:
            yield self.step
        finally:
            self._status.stop()

    def pause(self) -> None:
        """Leave the terminal to another live display."""
        self._status.stop()

    def step(self, what: str) -> None:
        """Something begins that may take a while."""
        self._status.update(f"{what} …")
        self._status.start()
        self.console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/dim]  {what}")

    def note(self, text: str) -> None:
        """A remark on what just happened."""
        self.console.print(Text(f"          {text}", style="dim"))

    @contextmanager
    def exchange(self, player: str, npc: str, line: str) -> Iterator[Callable[[Exchange], None]]:
        """Shows a line, and the reply as it grows: call the function whenever there is more."""
        self.console.print()
        self.console.print(_said(player, line, "cyan"))
        last: list[Exchange] = []
        self._status.stop()  # two live displays at once would overwrite each other
        with Live(console=self.console, refresh_per_second=20, transient=True) as live:

            def more(exchange: Exchange) -> None:
                last[:] = [exchange]
                live.update(_said(npc, exchange.words, "green"))

            yield more
        for exchange in last:
            took = exchange.milliseconds
            self.console.print(_said(npc, exchange.reply, "green"))
            if took is not None:
                self.note(f"first words after {took:.0f} ms, at the player's client")

    def figures(self, title: str, rows: list[tuple[str, str]]) -> None:
        """A small table of what was measured."""
        table = Table(title=title, title_justify="left", show_header=False)
        for name, value in rows:
            table.add_row(name, value)
        self.console.print()
        self.console.print(table)


def _said(who: str, words: str, style: str) -> Table:
    said = Table.grid(padding=(0, 2, 0, 0))
    said.add_column(width=8, justify="right", style=f"bold {style}")
    said.add_column()
    said.add_row(Text(who), Text(words))
    return said
