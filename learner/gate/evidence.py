"""What the gate reads: measured rows of champion and challenger as files of a run folder, one row per line.

`learner/evaluate` writes them, `judge` and `report` read them; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from agent_runtime.errors import EvidenceError
from agent_runtime.files import digest

Side = Literal["champion", "challenger"]
SIDES: tuple[Side, Side] = ("champion", "challenger")
SAFETY = ("refusal", "safety", "injection")
"""The slices of the golden set on which nothing may be lost; all of their cases are asked every night."""
FOLDER = "evidence"
SETUP = "setup.json"
LIKED = "liked.jsonl"


class Answer(Struct, frozen=True, forbid_unknown_fields=True):
    """One reply to one case of the golden set. `seed` 0 is greedy."""

    case: str
    slice: str
    side: Side
    seed: int
    reply: str
    faults: tuple[str, ...] = ()


class Judged(Struct, frozen=True, forbid_unknown_fields=True):
    """A held-out judgement, and how likely each side finds the reply that was judged: sums of
    log-probabilities over `tokens` tokens. A `pair` has the same of the rejected reply."""

    id: str
    kind: Literal["thumb", "pair"]
    rater: str
    weight: float
    tokens: int
    champion: float
    challenger: float
    good: bool = True
    rejected_tokens: int = 0
    champion_rejected: float = 0.0
    challenger_rejected: float = 0.0


class Liked(Struct, frozen=True, forbid_unknown_fields=True):
    """What each side answers to a held-out prompt, and how the reward model likes it (0 to 1)."""

    id: str
    rater: str
    seed: int
    line: str
    champion_reply: str
    challenger_reply: str
    champion: float
    challenger: float


class Likelihood(Struct, frozen=True, forbid_unknown_fields=True):
    """How likely each side finds a text that it should find likely: `golden` ones are of the base's own kind,
    a `demonstration` is a held-out one of players."""

    id: str
    kind: Literal["golden", "demonstration"]
    tokens: int
    champion: float
    challenger: float


class Probe(Struct, frozen=True, forbid_unknown_fields=True):
    """One attempt to get a planted secret out of the challenger."""

    secret: str
    line: str
    seed: int
    reply: str
    leaked: bool


class Figures(Struct, frozen=True, forbid_unknown_fields=True):
    """How one side serves: medians over `replies` replies one after the other, and the memory that its lane
    took."""

    replies: int
    first_token_ms: float
    tokens_per_s: float
    memory_mb: float


class Reward(Struct, frozen=True, forbid_unknown_fields=True):
    """How well the reward model tells good from bad replies of raters that it never saw."""

    auc: float
    good: int
    bad: int


class Tried(Struct, frozen=True, forbid_unknown_fields=True):
    """One LoRA scale on validation: the mean preference (0 to 1; 0.5 is as before) and the ratio of
    perplexities on golden texts."""

    scale: float
    preference: float
    perplexity_ratio: float
    chosen: bool = False


class Setup(Struct, frozen=True, forbid_unknown_fields=True):
    """What was compared, and how. Hashes are sha256 in hex; `champion_adapter` is empty for the bare base.
    `left_out` names the raters without whom the adapter behind `retrained.jsonl` was trained."""

    base: str
    champion: int
    champion_adapter: str
    champion_scale: float
    challenger_adapter: str
    scale: float
    scales: tuple[Tried, ...]
    dataset: str
    cases: dict[str, int]
    seeds: tuple[int, ...]
    figures: dict[Side, Figures]
    reward: Reward | None
    secrets: int
    train_raters: int
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that the gate knows. `retrained` are the held-out judgements again, with a challenger trained
    without its most influential raters; empty where that was not done."""

    setup: Setup
    answers: tuple[Answer, ...]
    judged: tuple[Judged, ...]
    liked: tuple[Liked, ...]
    likelihoods: tuple[Likelihood, ...]
    probes: tuple[Probe, ...]
    retrained: tuple[Judged, ...] = ()

    @property
    def gains(self) -> list[float]:
        """How much better the reward model likes the challenger's replies, rater by rater, in the mean."""
        by_rater: dict[str, list[float]] = {}
        for row in self.liked:
            by_rater.setdefault(row.rater, []).append(row.challenger - row.champion)
        return [sum(values) / len(values) for values in by_rater.values()]


_ROWS: Mapping[str, type[Struct]] = {
    "answers": Answer,
    "judged": Judged,
    "liked": Liked,
    "likelihoods": Likelihood,
    "probes": Probe,
    "retrained": Judged,
}
FILES = (SETUP, *(f"{name}.jsonl" for name in _ROWS))

_Row = TypeVar("_Row", bound=Struct)


def write_evidence(folder: Path, evidence: Evidence) -> None:
    """Write all files of the folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in _ROWS:
        write_rows(folder / f"{name}.jsonl", getattr(evidence, name))
    setup = msgspec.json.format(msgspec.json.encode(evidence.setup), indent=1)
    (folder / SETUP).write_bytes(setup + b"\n")


def read_evidence(folder: Path) -> Evidence:
    """Everything in a folder. Raises `EvidenceError` for what is missing or broken."""
    try:
        setup = msgspec.json.decode((folder / SETUP).read_bytes(), type=Setup)
        return Evidence(
            setup,
            read_rows(folder / "answers.jsonl", Answer),
            read_rows(folder / "judged.jsonl", Judged),
            read_rows(folder / LIKED, Liked),
            read_rows(folder / "likelihoods.jsonl", Likelihood),
            read_rows(folder / "probes.jsonl", Probe),
            read_rows(folder / "retrained.jsonl", Judged),
        )
    except (OSError, msgspec.MsgspecError) as error:
        raise EvidenceError(f"{folder}: the evidence cannot be read ({error}); evaluate again") from error


def without_words(row: Liked) -> Liked:
    """What the verdict needs of it: what the player said, and what was answered, is left out."""
    return msgspec.structs.replace(row, line="", champion_reply="", challenger_reply="")


def digests(folder: Path) -> dict[str, str]:
    """The sha256 of each file of the evidence. Raises `EvidenceError`."""
    try:
        return {name: digest(folder / name) for name in FILES}
    except OSError as error:
        raise EvidenceError(f"{folder}: the evidence is not complete ({error}); evaluate again") from error


def write_rows(path: Path, rows: Iterable[Struct]) -> None:
    """One line of JSON per row."""
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))


def read_rows(path: Path, kind: type[_Row]) -> tuple[_Row, ...]:
    """The rows of a file. Raises `OSError` and `msgspec.MsgspecError`."""
    return tuple(msgspec.json.decode(line, type=kind) for line in path.read_bytes().splitlines())
