"""Cases come in; which say nothing new, or nothing clear, goes out. Similarity is measured on letters
(MinHash over runs of five), so that a changed comma makes no new opinion.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from datasketch import MinHash, MinHashLSH

from learner.dataset.cases import Case

RUN = 5
PERMUTATIONS = 64
_EMPTY = MinHash(num_perm=PERMUTATIONS, seed=1)


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
    """Turns that an earlier case with the same verdict already covers, exactly or nearly; each with which."""
    reasons: dict[str, str] = {}
    seen: set[tuple[str, bool | None, str]] = set()
    kinds: dict[str, tuple[str, bool | None]] = {}
    index = MinHashLSH(threshold=similarity, num_perm=PERMUTATIONS)
    for case in cases:
        kind = (case.system, case.good)
        text = f"{_plain(case.line)}\n{_plain(case.completion)}\n{_plain(case.correction)}"
        if (*kind, text) in seen:
            reasons[case.turn] = "exact duplicate"
            continue
        seen.add((*kind, text))
        sketch = _sketch(text)
        if any(kinds[turn] == kind for turn in index.query(sketch)):
            reasons[case.turn] = "near duplicate"
        else:
            kinds[case.turn] = kind
            index.insert(case.turn, sketch)
    return reasons


def _sketch(text: str) -> MinHash:
    sketch = _EMPTY.copy()
    runs = {text[start : start + RUN] for start in range(max(1, len(text) - RUN + 1))}
    sketch.update_batch([run.encode() for run in sorted(runs)])
    return sketch


def _plain(text: str) -> str:
    return " ".join("".join(letter if letter.isalnum() else " " for letter in text.lower()).split())
