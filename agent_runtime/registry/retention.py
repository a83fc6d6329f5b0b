"""Which versions may go: all versions and decisions come in, a reason for each that stays goes out.

Pure. What serves, what could be needed to go back, and what was talked about lately is never removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from agent_runtime.registry.audit import State
from agent_runtime.registry.versions import Version


def reasons_to_keep(
    versions: Sequence[Version], state: State, now: datetime, *, days: int, keep: int
) -> dict[int, str]:
    """The versions that stay, by number. Kept are the bare base, those that an alias names, those that a
    decision of the last `days` names, and of the others the newest `keep`; the rest may be removed."""
    reasons = {version.number: "the bare base" for version in versions if not version.folder}
    for alias, number in state.aliases.items():
        if number is not None:
            reasons.setdefault(number, alias)
    since = now - timedelta(days=days)
    for entry in state.entries:
        moved = {number for move in entry.moves.values() for number in move if number is not None}
        for number in {entry.version} | moved:
            if entry.at >= since:
                reasons.setdefault(number, f"named by a decision of the last {days} days")
    others = sorted((version.number for version in versions if version.number not in reasons), reverse=True)
    reasons |= dict.fromkeys(others[:keep], f"one of the newest {keep} beside those in use")
    return {version.number: reasons[version.number] for version in versions if version.number in reasons}
