"""What the doctor says of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["fine", "warning", "broken"]

MARKS: dict[State, str] = {"fine": "✓", "warning": "!", "broken": "✗"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and what to do when it is not fine."""

    state: State
    subject: str
    said: str
    fix: str = ""

    def line(self) -> str:
        """As the terminal shows it."""
        return f"{MARKS[self.state]} {self.subject}: {self.said}" + (f" → {self.fix}" if self.fix else "")
