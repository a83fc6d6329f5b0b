from __future__ import annotations

from pathlib import Path

from learner.base.casefiles import EVAL, MORE, write_cases
from learner.base.cases import SLICES, read_cases


def test_one_file_per_slice_and_one_per_source_is_written(tmp_path: Path) -> None:
    write_cases(tmp_path, 2, 1)
    names = {path.stem for path in tmp_path.glob("*.jsonl")}
    assert names == {*SLICES, "known_wordings", "handwritten", "fresh"}
    assert len(read_cases(tmp_path / "uses.jsonl")) == 2
    assert len(read_cases(tmp_path / "refusal.jsonl")) == 2 * MORE["refusal"]


def test_what_is_shipped_is_what_the_sources_make_today(tmp_path: Path) -> None:
    write_cases(tmp_path, 2, 1)
    for name in ("handwritten", "fresh"):
        shipped = (EVAL / f"{name}.jsonl").read_text(encoding="utf-8")
        assert (tmp_path / f"{name}.jsonl").read_text(encoding="utf-8") == shipped, "run make eval-cases"
    for name in SLICES:
        made = read_cases(tmp_path / f"{name}.jsonl")
        assert made == read_cases(EVAL / f"{name}.jsonl")[: len(made)], "run make eval-cases"
