"""results/engine.json comes in; a picture goes out: tokens a second by how many talk, peer by peer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "docs" / "images" / "engine.png"

_PEERS = {
    "ours": ("Townsfolk", "#2a7f62"),
    "raw": ("bare batch loop", "#888888"),
    "high_level": ("llama_cpp.Llama", "#c98a2b"),
    "server": ("server", "#4a6fa5"),
}
_MODELS = {"embedded": "embedded base", "0p5b": "random 0.5B, Q4_0"}


def draw(results: Path, target: Path = TARGET) -> Path:
    """Draw the picture of one result file."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    content = json.loads(results.read_text(encoding="utf-8"))
    figure, axes = pyplot.subplots(1, len(_MODELS), figsize=(10, 3.6), layout="constrained")
    for axis, (model, title) in zip(axes, _MODELS.items(), strict=True):
        series = {peer: rates(content, peer, model) for peer in _PEERS}
        counts = sorted({count for line in series.values() for count in line})
        shown = [peer for peer in _PEERS if series[peer]]
        for place, peer in enumerate(shown):
            label, colour = _PEERS[peer]
            left = place - (len(shown) - 1) / 2
            places = [counts.index(count) + 0.2 * left for count in series[peer]]
            axis.bar(places, list(series[peer].values()), 0.19, label=label, color=colour)
        limit = content["figures"].get(f"decode_1_memory_{model}")
        if limit and limit["value"] < 3 * max(max(line.values()) for line in series.values() if line):
            axis.axhline(limit["value"], color="black", linestyle=":", label="memory limit, 1 talk")
        axis.set_xticks(range(len(counts)), [str(count) for count in counts])
        axis.set_xlabel("talks at once")
        axis.set_title(title)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=8, ncols=len(labels), loc="outside lower center")
    axes[0].set_ylabel("tokens a second, all talks")
    machine = content["machine"]
    figure.suptitle(f"{machine['cpu']}, {machine['cores']} cores, {content['date']}", fontsize=9)
    target.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(target, dpi=110)
    pyplot.close(figure)
    return target


def rates(content: dict[str, Any], peer: str, model: str) -> dict[int, float]:
    """Tokens a second by the number of talks; of one talk and of 1, 4, 16 and 50."""
    found = {}
    for name, figure in content["figures"].items():
        match = re.fullmatch(rf"decode_(\d+)_{peer}_{model}", name)
        if match:
            found[int(match[1])] = figure["value"]
    return dict(sorted(found.items()))
