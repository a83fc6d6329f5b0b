"""Which versions may go: all versions and decisions come in, a reason for each that stays goes out.

Pure. What serves, what could be needed to go back, and what was talked about lately is never removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from agent_runtime.registry.audit import State
from agent_runtime.registry.versions import Version

NO_DECISIONS = ("add", "refuse", "mark", "prune")
"""Rows of the audit log that only say what happened to a version: they keep it for some days."""


def reasons_to_keep(
    versions: Sequence[Version], state: State, now: datetime, *, days: int, keep: int
) -> dict[int, str]:
    """The versions that stay, by number. Kept are the bare base, those that an alias names, those that a
    decision ever named, those that the audit log names in the last `days`, and of the others the newest
    `keep`; the rest may be removed."""
    reasons = {version.number: "the bare base" for version in versions if not version.folder}
    for alias, number in state.aliases.items():
        if number is not None:
            reasons.setdefault(number, alias)
    since = now - timedelta(days=days)
    for entry in state.entries:
        moved = {number for move in entry.moves.values() for number in move if number is not None}
        for number in {entry.version} | moved:
            if entry.what not in NO_DECISIONS:
                reasons.setdefault(number, "named by a decision")
            elif entry.at >= since:
                reasons.setdefault(number, f"named in the audit log of the last {days} days")
    others = sorted((version.number for version in versions if version.number not in reasons), reverse=True)
    reasons |= dict.fromkeys(others[:keep], f"one of the newest {keep} beside those in use")
    return {version.number: reasons[version.number] for version in versions if version.number in reasons}
