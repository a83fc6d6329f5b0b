"""What a run tells while it goes on: stages and shares come in; bars on a terminal, plain lines elsewhere,
and HOME/learner/progress.json for whoever looks from outside go out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from agent_runtime.nights import runs
from agent_runtime.nights.runs import PROGRESS, STAGES

TOLD = {
    "snapshot": "sealing what was rated",
    "dataset": "making the dataset",
    "train": "training",
    "export": "exporting the adapter",
    "evaluate": "asking both versions",
    "gate": "judging",
    "register": "registering",
}
WRITE_SECONDS = 0.25
LINE_SECONDS = 10.0


class Show:
    """Use `with show:` around a run, and `with show.stage(name):` around each stage of it."""

    def __init__(self, learner: Path, run: str, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        self._path = learner / PROGRESS
        self._run = run
        self._stage = ""
        self._share = 0.0
        self._wrote = self._lined = 0.0
        self._bars = Progress(
            TextColumn("{task.description:22}"),
            BarColumn(40),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[text]}[/]"),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._bar: TaskID | None = None

    def __enter__(self) -> Show:
        self._bars.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bars.stop()
        self._path.unlink(missing_ok=True)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Something begins; it is done when the block ends without an error."""
        self._stage, self._share, self._lined = name, 0.0, time.monotonic()
        self._bar = self._bars.add_task(TOLD[name], total=1.0, text="")
        self._line(f"{TOLD[name]} …")
        self._write("")
        began = time.monotonic()
        yield
        self._bars.update(self._bar, completed=1.0)
        self._line(f"{TOLD[name]}: done in {time.monotonic() - began:.1f} s")

    def skipped(self, name: str) -> None:
        """This stage was done before the run was killed."""
        self.console.print(f"{TOLD[name]}: done already", style="dim")

    def advance(self, share: float, text: str = "") -> None:
        """So much of the stage is done, 0 to 1."""
        self._share = min(1.0, max(self._share, share))
        if self._bar is not None:
            self._bars.update(self._bar, completed=self._share, text=text)
        now = time.monotonic()
        if now - self._wrote >= WRITE_SECONDS:
            self._write(text)
        if now - self._lined >= LINE_SECONDS:
            self._lined = now
            self._line(f"{TOLD[self._stage]}: {self._share:.0%} {text}".rstrip())

    def say(self, text: str) -> None:
        """A word on the stage that goes on."""
        self.advance(self._share, text)

    def tell(self, text: str) -> None:
        """A line that stays."""
        self.console.print(f"{TOLD[self._stage]}: {text}", markup=False, soft_wrap=True)

    def _line(self, text: str) -> None:
        if not self.console.is_terminal:
            stage = STAGES.index(self._stage) + 1
            self.console.print(f"[{stage}/{len(STAGES)}] {text}", markup=False, soft_wrap=True)

    def _write(self, text: str) -> None:
        """Not synced: it is worth nothing after a crash."""
        self._wrote = time.monotonic()
        told = runs.Progress(self._run, self._stage, self._share, text, datetime.now(UTC))
        part = self._path.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(told))
        part.replace(self._path)
