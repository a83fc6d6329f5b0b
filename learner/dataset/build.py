"""Makes a dataset: a snapshot comes in, a folder of examples goes out, or what there is too little of.

Every step is a function of its own, and `Funnel` counts what it drops.
"""

from __future__ import annotations

import os
import random
import secrets
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from agent_runtime.config import share_dir
from agent_runtime.errors import DatasetError
from agent_runtime.files import digest
from agent_runtime.journal.sealed import Snapshot, read_snapshot
from agent_runtime.npc.prompt import Message
from learner.dataset import raters
from learner.dataset.cases import Case, cases
from learner.dataset.contamination import Golden, golden_lines
from learner.dataset.duplicates import contested, repeated
from learner.dataset.funnel import Funnel
from learner.dataset.learnable import examples, replay
from learner.dataset.manifest import FORMAT, MANIFEST, PARTS, Manifest, Part
from learner.dataset.redact import Redactor
from learner.dataset.settings import DatasetSettings
from learner.dataset.shortage import TooLittle, unusable
from learner.dataset.split import split
from learner.examples import Example, write_examples

QUARANTINE = "quarantine"
"""The step whose judgements may count in a later night."""

Say = Callable[[str], None]


def build(
    snapshot: Path,
    out: Path,
    settings: DatasetSettings = DatasetSettings(),  # noqa: B008 - immutable
    *,
    left_out: Mapping[str, str] = {},
    banned: Collection[int] = (),
    golden: Path | None = None,
    say: Say = lambda step: None,
) -> Manifest | TooLittle:
    """Make the dataset in the new folder `out`; with too little to learn from, nothing is written.

    `left_out` are players (pseudonyms) of the snapshot who may not be learned from any more, and why;
    `banned` the versions rolled back, `golden` the folder of the golden set (default: data/eval), and `say`
    is told each step. Raises `SnapshotError` and `DatasetError`.
    """
    if out.exists():
        raise DatasetError(
            f"{out} is there already, and a dataset is never overwritten; choose another folder"
        )
    say("reading the snapshot")
    source = read_snapshot(snapshot)
    funnel = Funnel()
    judged = cases(source, funnel, settings.weak_below, left_out, banned)
    waiting = raters.quarantine(judged, _first_seen(source), source.manifest.created_at, settings.raters)
    report = raters.report(judged, waiting)
    kept = funnel.keep(QUARANTINE, judged, lambda case: waiting.get(case.turn))
    say("redacting")
    redactor = Redactor(source.turns, settings.seed)
    kept = _redacted(kept, source, redactor)
    split_votes = contested(kept)
    kept = funnel.keep("agreement", kept, lambda case: split_votes.get(case.turn))
    say("looking for duplicates")
    twice = repeated(kept, settings.near_duplicate)
    kept = funnel.keep("duplicates", kept, lambda case: twice.get(case.turn))
    examined = Golden(golden_lines(golden or share_dir() / "data" / "eval"))
    kept = funnel.keep("contamination", kept, examined.reason)
    players = {case.player for case in kept}
    too_little = TooLittle(
        raters=max(0, settings.min_raters - len(players)),
        judgements=max(0, settings.min_judgements - len(kept)),
        waiting=Counter(waiting.values()),
        unusable=unusable(step for step in funnel.steps if step.name != QUARANTINE),
        new_account_hours=settings.raters.new_account_hours,
    )
    if too_little.raters or too_little.judgements:
        return too_little
    say("writing")
    parts = split(kept, settings.validation_share, settings.test_share, settings.test_raters)
    written = {part: examples(getattr(parts, part), settings.raters.influence_cap) for part in PARTS}
    written["train"] = _mixed(written["train"], settings, examined)
    return _write(
        out,
        written,
        lambda files: Manifest(
            format=FORMAT,
            snapshot=source.manifest.name,
            snapshot_digest=source.manifest.digest,
            snapshot_at=source.manifest.created_at,
            settings=settings,
            funnel=tuple(funnel.steps),
            redacted=dict(sorted((+redactor.found).items())),
            raters=report,
            players=tuple(sorted(players)),
            versions={str(number): count for number, count in sorted(_versions(kept).items())},
            parts=files,
            erasures=source.manifest.erasures,
        ),
    )


def _first_seen(source: Snapshot) -> dict[str, datetime]:
    return {player: span.first_at for player, span in source.manifest.players.items()}


def _redacted(kept: Sequence[Case], source: Snapshot, redactor: Redactor) -> list[Case]:
    """The cases with redacted texts. The first message is the persona's, which the admin wrote."""
    turns = {turn.id: turn for turn in source.turns}
    found = []
    for case in kept:
        redact = redactor.of(turns[case.turn])
        said = (Message(message.role, redact(message.content)) for message in case.messages[1:])
        found.append(
            msgspec.structs.replace(
                case,
                messages=(case.messages[0], *said),
                completion=redact(case.completion),
                correction=redact(case.correction),
            )
        )
    return found


def _versions(kept: Sequence[Case]) -> Counter[int]:
    return Counter(case.version for case in kept)


def _mixed(new: list[Example], settings: DatasetSettings, examined: Golden) -> list[Example]:
    """The new examples among replayed ones, in an order that the seed decides. Of the base's corpus, too,
    nothing is learned that stands in the golden set."""
    imitated = sum(example.kind == "demonstration" for example in new)
    replayed = replay(settings.seed, round(settings.replay * imitated))
    mixed = new + [example for example in replayed if not examined.holds(_line(example), example.completion)]
    random.Random(settings.seed).shuffle(mixed)
    return mixed


def _line(example: Example) -> str:
    return example.messages[-1].content.rpartition("\n")[2].partition(": ")[2]


def _write(
    out: Path, written: Mapping[str, Sequence[Example]], manifest_of: Callable[[dict[str, Part]], Manifest]
) -> Manifest:
    """All files and at last the manifest, in a folder that appears whole or not at all."""
    beside = out.with_name(f".{out.name}.{secrets.token_hex(4)}")
    try:
        beside.mkdir(parents=True)
        files = {}
        for part, chosen in written.items():
            path = beside / f"{part}.jsonl"
            write_examples(path, chosen)
            files[part] = Part(
                digest(path),
                dict(sorted(Counter(example.kind for example in chosen).items())),
                len({example.rater for example in chosen} - {""}),
            )
        manifest = manifest_of(files)
        encoded = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
        (beside / MANIFEST).write_bytes(encoded + b"\n")
        os.rename(beside, out)
    except OSError as error:
        raise DatasetError(f"{out}: {error.strerror}; choose another folder") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return manifest
