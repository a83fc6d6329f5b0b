"""Cases come in; which say nothing new, or nothing clear, goes out. Similarity is measured on letters
(Jaccard over runs of five), so that a changed comma makes no new opinion.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from learner.dataset.cases import Case

RUN = 5


def contested(cases: Iterable[Case]) -> dict[str, str]:
    """Turns that say nothing because players judged the very same reply to the same line differently: those
    of the minority, or all when it is more than half of the majority. Each with the reason."""
    votes: defaultdict[tuple[str, str, str], list[Case]] = defaultdict(list)
    for case in cases:
        if case.good is not None:
            votes[case.system, _plain(case.line), _plain(case.completion)].append(case)
    reasons = {}
    for given in votes.values():
        good = {case.player for case in given if case.good}
        bad = {case.player for case in given if not case.good}
        few, many = sorted((len(good), len(bad)))
        for case in given:
            if few and 2 * few > many:
                reasons[case.turn] = "contested"
            elif few and case.good is not (len(good) > len(bad)):
                reasons[case.turn] = "outvoted"
    return reasons


def repeated(cases: Sequence[Case], similarity: float) -> dict[str, str]:
    """Turns that an earlier case with the same verdict already covers, exactly or nearly; each with which.

    Of two sets that are so similar, each one's rarest elements hold one of the other's: only cases that
    share such an element are compared (prefix filtering, Chaudhuri, Ganti and Kaushik, ICDE 2006).
    """
    texts = [f"{_plain(case.line)}\n{_plain(case.completion)}\n{_plain(case.correction)}" for case in cases]
    common = Counter(run for text in texts for run in _runs(text))
    reasons: dict[str, str] = {}
    seen: set[tuple[str, bool | None, str]] = set()
    index: defaultdict[tuple[str, bool | None, str], list[set[str]]] = defaultdict(list)
    for case, text in zip(cases, texts, strict=True):
        kind = (case.system, case.good)
        if (*kind, text) in seen:
            reasons[case.turn] = "exact duplicate"
            continue
        seen.add((*kind, text))
        runs = _runs(text)
        rarest = sorted(runs, key=lambda run: (common[run], run))
        rarest = rarest[: len(runs) - math.ceil(similarity * len(runs)) + 1]
        near = (other for run in rarest for other in index[*kind, run])
        if any(len(runs & other) >= similarity * len(runs | other) for other in near):
            reasons[case.turn] = "near duplicate"
        else:
            for run in rarest:
                index[*kind, run].append(runs)
    return reasons


def _runs(text: str) -> set[str]:
    return {text[start : start + RUN] for start in range(max(1, len(text) - RUN + 1))}


def _plain(text: str) -> str:
    return " ".join("".join(letter if letter.isalnum() else " " for letter in text.lower()).split())
