"""A whole dataset from a journal: reproducible, without what must not be in it, every drop accounted for."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from agent_runtime.errors import DatasetError, SnapshotError
from agent_runtime.journal.sealed import read_snapshot
from learner.dataset.build import build
from learner.dataset.manifest import PARTS, Manifest, verify
from learner.dataset.settings import DatasetSettings
from learner.dataset.shortage import TooLittle
from learner.examples import Example, read_examples
from tests.support.ratings import Evenings, population


def made(evening: Path, out: Path, settings: DatasetSettings | None = None, **options: object) -> Manifest:
    found = build(evening / "sealed", out, settings or DatasetSettings(), **options)  # type: ignore[arg-type]
    assert isinstance(found, Manifest)
    return found


def examples(folder: Path) -> dict[str, list[Example]]:
    return {part: list(read_examples(folder / f"{part}.jsonl")) for part in PARTS}


@pytest.fixture(scope="module")
def dataset(evening: Path) -> Path:
    made(evening, evening / "dataset")
    return evening / "dataset"


def test_the_same_snapshot_settings_and_seed_give_the_same_files(
    evening: Path, dataset: Path, tmp_path: Path
) -> None:
    again = made(evening, tmp_path / "again")
    first = verify(dataset)
    assert again.digest == first.digest
    for name in (*(f"{part}.jsonl" for part in PARTS), "manifest.json"):
        assert (tmp_path / "again" / name).read_bytes() == (dataset / name).read_bytes()
    assert made(evening, tmp_path / "other", DatasetSettings(seed=2)).digest != first.digest


def test_the_funnel_adds_up(dataset: Path, evening: Path) -> None:
    manifest, snapshot = verify(dataset), read_snapshot(evening / "sealed")
    steps = {step.name: step for step in manifest.funnel}
    assert steps["ratings"].kept + sum(steps["ratings"].dropped.values()) == len(snapshot.ratings)
    previous = None
    for name in ("quarantine", "agreement", "duplicates", "contamination"):
        step = steps[name]
        if previous is not None:
            assert step.kept + sum(step.dropped.values()) == previous
        previous = step.kept
    assert steps["quarantine"].dropped.keys() == {"burst", "new account", "disagrees with the others"}
    assert all(steps[name].dropped for name in ("quarantine", "agreement", "duplicates"))
    assert sum(manifest.versions.values()) == previous
    counted = {part: sum(manifest.parts[part].examples.values()) for part in PARTS}
    assert counted == {part: len(found) for part, found in examples(dataset).items()}


def test_players_are_in_one_part_and_replay_only_in_training(dataset: Path) -> None:
    found = examples(dataset)
    raters = {part: {example.rater for example in found[part]} - {""} for part in PARTS}
    assert all(raters.values())
    assert not raters["train"] & raters["test"]
    assert not raters["train"] & raters["validation"]
    assert not raters["test"] & raters["validation"]
    kinds = {part: [example.kind for example in found[part]] for part in PARTS}
    imitated, replayed = kinds["train"].count("demonstration"), kinds["train"].count("replay")
    assert 1.35 * imitated <= replayed <= round(1.5 * imitated), "three for two, less golden ones"
    assert "replay" not in kinds["test"] + kinds["validation"]
    assert {"thumb", "demonstration", "pair"} <= set(kinds["train"])


def test_no_players_name_is_in_it(dataset: Path) -> None:
    text = b"".join((dataset / f"{part}.jsonl").read_bytes() for part in PARTS).lower()
    names = [player.name for player in population(1, 18, poisoners=1, hasty=1, newcomers=1, unconsenting=1)]
    assert len(names) == 22
    assert not [name for name in names if name.lower().encode() in text]
    assert verify(dataset).redacted["name"] > 500


def test_quarantined_and_unconsenting_players_are_not_in_it(evening: Path, dataset: Path) -> None:
    manifest = verify(dataset)
    people = population(1, 18, poisoners=1, hasty=1, newcomers=1, unconsenting=1)
    evenings = Evenings(evening, 1, scenes=1)
    by_role = {player.role: evenings.pseudonym(player) for player in people if player.consents}
    silent = next(evenings.pseudonym(player) for player in people if not player.consents)
    assert by_role["newcomer"] not in manifest.players
    assert manifest.raters[by_role["newcomer"]].quarantined.keys() == {"new account"}
    assert manifest.raters[by_role["hasty"]].quarantined.keys() == {"burst"}
    assert silent not in manifest.raters
    assert manifest.raters[by_role["poisoner"]].quarantined.keys() == {"disagrees with the others"}
    honest = [evenings.pseudonym(player) for player in people if player.role == "honest" and player.consents]
    assert set(manifest.players) == set(honest), "nobody is silenced for the noise in their ratings"


def test_who_was_erased_since_and_what_was_rolled_back_stay_out(
    evening: Path, dataset: Path, tmp_path: Path
) -> None:
    first = verify(dataset)
    erased = dict.fromkeys(first.players[:2], "player was erased")
    manifest = made(evening, tmp_path / "one", left_out=erased)
    assert erased.keys().isdisjoint(manifest.players)
    assert manifest.erasures == first.erasures == 0
    assert manifest.funnel[0].dropped["player was erased"] > 10
    assert isinstance(build(evening / "sealed", tmp_path / "two", banned=[0]), TooLittle)


def test_too_little_writes_nothing_and_says_what_is_missing(evening: Path, tmp_path: Path) -> None:
    found = build(evening / "sealed", tmp_path / "out", DatasetSettings(min_raters=33, min_judgements=10_000))
    assert isinstance(found, TooLittle)
    assert found.raters == 33 - 18
    assert str(found).startswith(f"need 15 more raters and {found.judgements} more ratings; ")
    assert not list(tmp_path.glob("*out*"))


def test_too_little_accounts_for_all_that_was_judged(evening: Path, dataset: Path, tmp_path: Path) -> None:
    found = build(evening / "sealed", tmp_path / "out", DatasetSettings(min_raters=33))
    assert isinstance(found, TooLittle)
    steps = {step.name: step for step in verify(dataset).funnel}
    assert found.waiting == steps.pop("quarantine").dropped
    assert {"near duplicate", "contested", "weak or neutral"} <= found.unusable.keys()
    dropped = sum((Counter(step.dropped) for step in steps.values()), Counter[str]())
    assert found.unusable == {reason: count for reason, count in dropped.items() if reason != "changed later"}
    assert f"{found.waiting['new account']} of players who were here for less than 20 hours" in str(found)


def test_nothing_is_overwritten_and_no_damaged_snapshot_is_used(
    evening: Path, dataset: Path, tmp_path: Path
) -> None:
    before = (dataset / "train.jsonl").read_bytes()
    with pytest.raises(DatasetError, match="never overwritten"):
        build(evening / "sealed", dataset)
    assert (dataset / "train.jsonl").read_bytes() == before
    shutil.copytree(evening / "sealed", tmp_path / "sealed")
    (tmp_path / "sealed" / "ratings.parquet").unlink()
    with pytest.raises(SnapshotError, match="is missing"):
        build(tmp_path / "sealed", tmp_path / "out")


def test_a_dataset_that_was_changed_is_refused(dataset: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(dataset, copy)
    with (copy / "test.jsonl").open("ab") as file:
        file.write(b"\n")
    with pytest.raises(DatasetError, match="not the file that was written"):
        verify(copy)
    (copy / "manifest.json").write_text("{}")
    with pytest.raises(DatasetError, match="damaged"):
        verify(copy)
    with pytest.raises(DatasetError, match="is no dataset"):
        verify(tmp_path)
