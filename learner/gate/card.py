"""A verdict and its evidence come in; a page in Markdown for people goes out: what the NPCs learned, by how
much, who said so, and what they did not learn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from agent_runtime.registry.manifest import WORDS
from learner.gate.evidence import Evidence, Liked
from learner.gate.phrases import taken_up
from learner.gate.statistics import interval, resamples, share_interval
from learner.gate.verdict import Verdict

SHOWN = 5
SHOWN_LOSSES = 2
_MOST_LETTERS = 300
_OUTCOMES = {
    "promote": "It passes, and may become champion.",
    "canary": "It passes, and may answer a part of the players first.",
    "keep": "It is refused; the champion stays.",
    "inconclusive": "Nothing is proven; the champion stays.",
}


def card(
    evidence: Evidence,
    verdict: Verdict,
    learned: Sequence[str],
    said: Sequence[Liked],
    folder: Path | None = None,
) -> tuple[str, str]:
    """The page, and its first sentence. `learned` are further lines about data and training, `said` the
    held-out replies in words; pictures that lie in `folder` are shown. Players are quoted under the heading
    `WORDS` alone: from there they can be taken again."""
    changed = _changed(said)
    line = _line(verdict, said, changed)
    parts = [
        "# What was learned",
        line,
        f"**{_OUTCOMES[verdict.outcome]}** {_sentence(verdict.summary)}",
        *_bullets(learned),
        WORDS,
        *_replies(changed, evidence.setup.reward is not None),
        "## Numbers",
        _table(("measure", "value", "95 % interval"), _numbers(evidence, verdict)),
        _picture(folder, "preference.png", "what each held-out rater says"),
        "## Slices of the golden set",
        _table(
            ("slice", "cases", "champion", "challenger", "difference, 95 %", "lost", "gained", "p worse"),
            (
                (
                    part.name,
                    str(part.cases),
                    f"{part.champion:.0%}",
                    f"{part.challenger:.0%}",
                    f"{part.difference * 100:+.1f} ({part.low * 100:+.0f} to {part.high * 100:+.0f})",
                    str(part.losses),
                    str(part.gains),
                    f"{part.p_worse:.2g}",
                )
                for part in verdict.slices
            ),
        ),
        _picture(folder, "slices.png", "slices before and after"),
        "## Checks",
        *_bullets(
            f"{'✓' if check.passed else '—' if check.passed is None else '✗'} {check.name}: {check.text}"
            for check in verdict.checks
        ),
        "## What was not learned, and what this does not say",
        *_bullets(_not_learned(evidence, verdict, changed)),
        "## How it was judged",
        _how(evidence, verdict),
        _picture(folder, "loss.png", "loss in training"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n", line


def _line(verdict: Verdict, said: Sequence[Liked], changed: Sequence[Liked]) -> str:
    """What was learned, in a sentence."""
    liked = verdict.preference
    phrases = ", ".join(
        f"“{phrase.words}” in {phrase.after:.0%} of replies (before {phrase.before:.0%})"
        for phrase in taken_up(said)
    )
    return (
        f"{f'Says {phrases}' if phrases else 'No phrase grew'}; {len(changed)} of {len(said)} replies to "
        f"held-out lines are new, and {liked.share:.0%} of what {liked.raters} held-out raters judged moved "
        "to where they wanted it."
    )


def _changed(said: Sequence[Liked]) -> list[Liked]:
    """Held-out lines with another reply than before, the largest gains first."""
    rows = [row for row in said if row.champion_reply != row.challenger_reply]
    return sorted(rows, key=lambda row: (row.champion - row.challenger, row.seed, row.id))


def _replies(changed: Sequence[Liked], reward: bool) -> list[str]:
    """Some of the changed replies; with a reward model its largest gains and losses."""
    if not changed:
        return ["No reply to a held-out line changed."]
    best: dict[str, Liked] = {}
    for row in changed:
        if not reward or row.challenger > row.champion:
            best.setdefault(row.line, row)
    worst = [row for row in changed if reward and row.challenger < row.champion][-SHOWN_LOSSES:]
    chosen = [*list(best.values())[:SHOWN], *reversed(worst)]
    rows = [
        (
            _cell(row.line),
            _cell(row.champion_reply),
            _cell(row.challenger_reply),
            f"{row.champion:.2f} → {row.challenger:.2f}" if reward else "—",
        )
        for row in chosen
    ]
    told = (
        "The largest gains by the reward model among lines of raters that training has not seen, and at last "
        "its largest losses."
        if reward
        else "Some changed replies to lines of raters that training has not seen; no reward model rates them."
    )
    return [told, _table(("line", "before", "after", "reward"), rows)]


def _numbers(evidence: Evidence, verdict: Verdict) -> list[tuple[str, str, str]]:
    liked, trimmed, setup = verdict.preference, verdict.trimmed, evidence.setup
    rows = [
        ("held-out judgements won", f"{liked.share:.1%}", f"{liked.low:.1%} to {liked.high:.1%}"),
        (
            "raters, judgements (good, bad)",
            f"{liked.raters}, {liked.judgements} ({liked.good}, {liked.bad})",
            "",
        ),
        (
            f"won without the {len(verdict.dropped)} most influential raters",
            f"{trimmed.share:.1%}",
            f"{trimmed.low:.1%} to {trimmed.high:.1%}",
        ),
        ("golden set, mean over slices", f"{verdict.mean_difference * 100:+.1f} points", ""),
    ]
    if setup.reward:
        mean, low, high = reward_gain(evidence)
        auc = f"AUC {setup.reward.auc:.2f} on {setup.reward.good + setup.reward.bad} judgements"
        rows.append((f"reward model ({auc})", f"{mean:+.3f}", f"{low:+.3f} to {high:+.3f}"))
    won = [row.challenger > row.champion for row in evidence.liked if row.champion != row.challenger]
    if won and setup.reward:
        low, high = share_interval(sum(won), len(won))
        share = f"{sum(won) / len(won):.0%}"
        rows.append(("new replies it rates higher", share, f"{low:.0%} to {high:.0%}"))
    for side, figures in setup.figures.items():
        speed = f"{figures.first_token_ms:.1f} ms, {figures.tokens_per_s:.0f} tokens/s"
        speed += f", {figures.memory_mb:.0f} MB"
        rows.append((f"{side}: first words, speed, memory of its lane", speed, ""))
    return rows


def reward_gain(evidence: Evidence) -> tuple[float, float, float]:
    """The reward model's mean gain for new replies, raters weighing the same, and its 95 % interval."""
    means = np.array(evidence.gains)
    if not len(means):
        return 0.0, -1.0, 1.0
    low, high = interval(resamples(len(means)) @ means / len(means))
    return float(means.mean()), low, high


def _not_learned(evidence: Evidence, verdict: Verdict, changed: Sequence[Liked]) -> Iterable[str]:
    for part in verdict.slices:
        if part.difference < 0:
            yield f"{part.name}: {-part.difference * 100:.1f} points worse in {part.cases} cases"
    lost = sum(row.challenger < row.champion for row in changed)
    if lost and evidence.setup.reward:
        yield f"{lost} of {len(changed)} new replies are rated lower than the old ones by the reward model"
    open_ = [part.name for part in verdict.slices if part.p_not_worse > verdict.settings.slice_alpha]
    if open_:
        margin = verdict.settings.margin * 100
        yield (
            f"that each slice on its own is within {margin:g} points is not shown for {', '.join(open_)}: so "
            "few cases cannot show it"
        )
    if not evidence.retrained:
        yield "it was not trained again without its most influential raters"
    if verdict.preference.raters < 20:
        yield f"{verdict.preference.raters} held-out raters are few: players who never rated may differ"


def _how(evidence: Evidence, verdict: Verdict) -> str:
    setup = evidence.setup
    seeds = ", ".join(map(str, setup.seeds))
    return (
        f"Champion: version {setup.champion}. Challenger: adapter `{setup.challenger_adapter[:12]}`, LoRA "
        f"scale {setup.scale:g} (tried: {', '.join(_tried(evidence)) or 'none other'}). Both answered "
        f"{sum(setup.cases.values())} cases with the seeds {seeds} (0 is greedy) in one serving engine. "
        f"{setup.train_raters} raters in training; {verdict.preference.raters} others, whose words it never "
        f"saw, judged. Look {verdict.look} at this champion, α {verdict.alpha:.3g}."
    )


def _tried(evidence: Evidence) -> list[str]:
    return [
        f"{each.scale:g}: preference {each.preference:.3f}, perplexity × {each.perplexity_ratio:.3f}"
        for each in evidence.setup.scales
    ]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _bullets(lines: Iterable[str]) -> list[str]:
    text = "\n".join(f"- {line}" for line in lines)
    return [text] if text else []


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _picture(folder: Path | None, name: str, what: str) -> str:
    return f"![{what}]({name})" if folder and (folder / name).exists() else ""


def _cell(text: str) -> str:
    """Talk as part of a page: nothing that players or a model wrote is markup."""
    plain = " ".join(text.split())[:_MOST_LETTERS]
    return re.sub(r"([\\`*_{}\[\]<>#|!~])", r"\\\1", plain) or "(nothing)"
