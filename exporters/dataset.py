"""Examples come in; files in the formats that other trainers read go out, with a card that describes them.

Chat `messages` for demonstrations, `prompt`/`completion`/`label` for thumbs, `prompt`/`chosen`/`rejected` for
pairs, all conversational, as TRL documents them. Raters and times stay behind.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from agent_runtime.errors import ExportError
from agent_runtime.journal.export import rewrite
from agent_runtime.npc.prompt import Message
from exporters.cards import DatasetFacts, dataset_card

Format = Literal["jsonl", "parquet"]
Row = dict[str, object]
CONFIGS = {"demonstration": "sft", "thumb": "kto", "pair": "dpo"}
"""Which kind of example goes into which configuration of the exported dataset."""


class Judged(Protocol):
    """What an example has to have."""

    @property
    def kind(self) -> str: ...
    @property
    def messages(self) -> Sequence[Message]: ...
    @property
    def completion(self) -> str: ...
    @property
    def label(self) -> bool | None: ...
    @property
    def rejected(self) -> str | None: ...
    @property
    def weight(self) -> float: ...


def row_of(example: Judged) -> Row:
    """An example in its kind's format. Raises `KeyError` for a kind that is not exported."""
    prompt = [{"role": message.role, "content": message.content} for message in example.messages]
    answer = _said(example.completion)
    match CONFIGS[example.kind]:
        case "sft":
            return {"messages": prompt + answer, "weight": example.weight}
        case "kto":
            return {"prompt": prompt, "completion": answer, "label": example.label, "weight": example.weight}
        case _:
            rejected = _said(example.rejected or "")
            return {"prompt": prompt, "chosen": answer, "rejected": rejected, "weight": example.weight}


def export_dataset(
    parts: Mapping[str, Iterable[Judged]], facts: DatasetFacts, out: Path, format: Format = "jsonl"
) -> dict[str, dict[str, int]]:
    """Write `out/CONFIG/PART.FORMAT` and `out/README.md`; returns how many rows each file has, by
    configuration and part. Replayed examples are left out: they are nobody's judgement.

    `out` must not be there yet and appears whole or not at all. Raises `ExportError`.
    """
    beside = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    counts: dict[str, dict[str, int]] = {}
    try:
        if out.exists():
            raise ExportError(f"{out} is there already; choose another folder")
        for part, examples in parts.items():
            rows: dict[str, list[Row]] = {config: [] for config in CONFIGS.values()}
            for example in examples:
                if example.kind in CONFIGS:
                    rows[CONFIGS[example.kind]].append(row_of(example))
            for config, chosen in rows.items():
                if chosen:
                    _write(beside / config / f"{part}.{format}", chosen, format)
                    counts.setdefault(config, {})[part] = len(chosen)
        if not counts:
            raise ExportError("there is nothing to export: the dataset has no judged examples")
        (beside / "README.md").write_text(dataset_card(facts, counts, format), encoding="utf-8")
        os.rename(beside, out)
    except OSError as error:
        raise ExportError(f"{out}: {error.strerror}; choose another folder") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return counts


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def _write(path: Path, rows: Sequence[Row], format: Format) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.with_suffix(".jsonl")
    lines.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
    if format == "parquet":
        rewrite(lines, path, format)
        lines.unlink()
