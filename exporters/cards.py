"""What is known of a dataset comes in; its card goes out: a README with the YAML head that dataset hubs read.

Everything said in a card was measured or configured: what is not known is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

HEAD = """---
language:
{languages}
license: other
pretty_name: {name}
tags:
- townsfolk
- dialogue
- game-npc
task_categories:
- text-generation
size_categories:
- {size}
configs:
{configs}
---
"""
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_MEANS = {
    "sft": "demonstrations (`messages`): well-rated replies, and replies as players would have had them",
    "kto": "thumbs (`prompt`, `completion`, `label`): single replies that players liked or did not",
    "dpo": "pairs (`prompt`, `chosen`, `rejected`): two replies to the same line",
}


class DatasetFacts(Struct, frozen=True):
    """What a card tells. `digest` names the data; `steps` are name, kept and dropped by reason; `redacted`
    counts replacements by kind; `languages` are ISO 639-1 codes."""

    name: str
    digest: str
    snapshot: str
    players: int
    steps: Sequence[tuple[str, int, Mapping[str, int]]]
    redacted: Mapping[str, int]
    languages: Sequence[str] = ("en",)


def dataset_card(facts: DatasetFacts, counts: Mapping[str, Mapping[str, int]], format: str) -> str:
    """The card of an exported dataset; `counts` are rows by configuration and part."""
    total = sum(sum(parts.values()) for parts in counts.values())
    head = HEAD.format(
        languages="\n".join(f"- {language}" for language in facts.languages),
        name=_quoted(facts.name),
        size=next((size for limit, size in _SIZES if total < limit), "n>1M"),
        configs="\n".join(_config(config, parts, format) for config, parts in counts.items()),
    )
    return head + _body(facts, counts)


def _config(config: str, parts: Mapping[str, int], format: str) -> str:
    files = "".join(f"\n  - split: {part}\n    path: {config}/{part}.{format}" for part in parts)
    return f"- config_name: {config}\n  data_files:{files}"


def _body(facts: DatasetFacts, counts: Mapping[str, Mapping[str, int]]) -> str:
    lines = [
        f"\n# {facts.name}\n",
        f"Replies of game NPCs, judged by {facts.players} players of a Luanti server who allowed training",
        "with their talk (or, where the server says so, did not withdraw). Made by Townsfolk from its",
        "journal of turns; personas, facts and lines are as the model met them.\n",
        "| configuration | "
        + " | ".join(parts := list(dict.fromkeys(p for c in counts.values() for p in c)))
        + " |",
        "|---|" + "---:|" * len(parts),
    ]
    for config, rows in counts.items():
        lines.append(f"| `{config}` | " + " | ".join(str(rows.get(part, 0)) for part in parts) + " |")
    lines += ["", *(f"- `{config}`: {_MEANS[config]}" for config in counts)]
    lines += [
        "\n`weight` bounds what one player can do: no player's rows weigh more than a set share of all. A",
        "player's rows are in one part only; the test part has the players whose turns are newest.\n",
        "## What was left out\n",
        "| step | kept | dropped |",
        "|---|---:|---|",
    ]
    for name, kept, dropped in facts.steps:
        reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items())
        lines.append(f"| {name} | {kept} | {reasons or 'none'} |")
    replaced = (
        ", ".join(f"{count} of kind {kind}" for kind, count in facts.redacted.items()) or "nothing was found"
    )
    lines += [
        "\n## Privacy\n",
        "Players' names are made-up names; coordinates, addresses, links and telephone numbers are plain",
        f"words (replaced: {replaced}). What players say about themselves may still be there.\n",
        "## Provenance\n",
        f"Snapshot `{facts.snapshot}`, data `{facts.digest}` (sha256).\n",
    ]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
