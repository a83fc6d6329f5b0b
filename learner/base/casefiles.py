"""`python -m learner.base.casefiles`: the lines typed by hand in `data/eval/*.toml` and a seed come in; all
of `data/eval/*.jsonl` is written anew, as a change of the prompt or of the corpus asks for.
"""

from __future__ import annotations

from pathlib import Path

from learner.base.cases import make_cases, save_cases
from learner.base.handwritten import render_cases

EVAL = Path(__file__).resolve().parents[2] / "data" / "eval"
PER_SLICE = 100
PER_SLICE_KNOWN = 100
MORE = {"refusal": 4}
"""Slices with so many times more cases: a night is vetoed that refuses less, and not by chance."""


def write_cases(folder: Path, per_slice: int = PER_SLICE, per_slice_known: int = PER_SLICE_KNOWN) -> None:
    """Write one file per slice, one with cases of each in known wordings, and those typed by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, cases in make_cases(per_slice, more=MORE).items():
        save_cases(folder / f"{name}.jsonl", cases)
    known = make_cases(per_slice_known, new_wordings=False)
    save_cases(folder / "known_wordings.jsonl", [case for cases in known.values() for case in cases])
    for source in sorted(EVAL.glob("*.toml")):
        save_cases(folder / f"{source.stem}.jsonl", render_cases(source))


if __name__ == "__main__":
    write_cases(EVAL)
