"""The gate: evidence about a challenger comes in, a verdict with its reasons goes out.

Pure: it reads no file, knows no time and draws no chance. What is not shown keeps the champion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.stats import norm

from learner.gate import preference, slices, spending
from learner.gate.evidence import Evidence, Judged
from learner.gate.preference import Preference
from learner.gate.slices import SliceResult
from learner.gate.statistics import (
    fewest_values,
    flips_for,
    out_of_reach,
    perplexity_ratio,
    sign_flip,
    smallest_flip,
)
from learner.gate.verdict import Check, GateSettings, Outcome, Verdict
from learner.gate.vetoes import vetoes

_WORTH_WAITING = 0.05  # an effect smaller than this is not worth telling how many raters it would take
_MOST_MISSING = 10_000


def judge(
    evidence: Evidence,
    settings: GateSettings = GateSettings(),  # noqa: B008 - immutable
    *,
    look: int = 1,
    flips: int | None = None,
    rule: spending.Rule = "products",
) -> Verdict:
    """The verdict at look number `look` at this champion (`spending.number`), with as many draws as its α
    asks for, or `flips`. Raises `EvidenceError` for evidence that contradicts itself."""
    alpha = settings.alpha * spending.share(look, rule)
    flips = flips or flips_for(alpha)
    compared = slices.compare(evidence.answers, settings.margin)
    mean, p_mean = slices.pooled(evidence.answers, settings.margin)
    checks = [
        *vetoes(evidence, compared, settings),
        _no_slice_worse(compared, settings),
        _likely_texts(evidence, settings),
        _reward_agrees(evidence, settings),
        _not_worse(compared, mean, p_mean, settings),
    ]
    liked = preference.measure(evidence.judged, flips)
    few = smallest_flip(liked.raters, flips) > alpha
    asked = not few and all(check.passed is not False for check in checks)
    dropped = _most_influential(evidence.judged, settings.influential)
    trimmed = preference.measure(preference.without(evidence.judged, dropped))
    checks += [_liked_better(liked, alpha, few, settings)]
    if checks[-1].passed:
        checks += [_without_them(trimmed, len(dropped), settings), _retrained(evidence, settings)]
    outcome = _outcome(checks, settings)
    missing = 0 if outcome in ("promote", "canary") else _missing(liked, alpha)
    reasons = tuple(check.text for check in checks if check.passed is False)
    return Verdict(
        outcome=outcome,
        summary=_summary(outcome, liked, reasons, missing if asked or few else 0),
        reasons=reasons,
        checks=tuple(checks),
        preference=liked,
        trimmed=trimmed,
        dropped=dropped,
        slices=tuple(compared),
        mean_difference=mean,
        alpha=alpha,
        look=look,
        asked=asked,
        missing=missing,
        settings=settings,
        flips=flips,
        rule=rule,
    )


def _outcome(checks: Sequence[Check], settings: GateSettings) -> Outcome:
    failed = [check for check in checks if check.passed is False]
    if any(check.hard for check in failed):
        return "keep"
    if failed:
        return "inconclusive"
    return "canary" if settings.canary else "promote"


def _no_slice_worse(compared: Sequence[SliceResult], settings: GateSettings) -> Check:
    worse = slices.worse(compared, settings.slice_alpha)
    told = ", ".join(
        f"{part.name} {part.champion:.0%} → {part.challenger:.0%} (p = {part.p_worse:.2g})" for part in worse
    )
    return Check("slices", True, not worse, f"worse on {told}" if worse else "no slice became worse")


def _not_worse(compared: Sequence[SliceResult], mean: float, p_mean: float, settings: GateSettings) -> Check:
    alpha, margin = settings.slice_alpha, settings.margin
    shown = p_mean <= alpha
    told = f"{mean * 100:+.1f} points on the golden set (p = {p_mean:.2g} of {margin * 100:.1f} worse)"
    text = told if shown else f"not shown to be as good as the champion: {told}"
    if settings.strict_slices:
        # Every slice has to be shown, so each may be tested at the whole α.
        open_ = [part.name for part in compared if part.p_not_worse > alpha]
        shown = shown and not open_
        text = f"not shown to be as good on {', '.join(open_)}" if open_ else text
    return Check("golden set", False, shown, text)


def _likely_texts(evidence: Evidence, settings: GateSettings) -> Check:
    told, passed = [], True
    for kind in ("golden", "demonstration"):
        rows = [row for row in evidence.likelihoods if row.kind == kind]
        tokens = sum(row.tokens for row in rows)
        if not tokens:
            continue
        ratio = perplexity_ratio(sum(row.champion - row.challenger for row in rows), tokens)
        told.append(f"{kind} texts × {ratio:.3f}")
        passed = passed and ratio <= settings.perplexity
    if not told:
        return Check("perplexity", False, False, "no text to measure perplexity on")
    return Check("perplexity", True, passed, f"perplexity of {', '.join(told)}")


def _reward_agrees(evidence: Evidence, settings: GateSettings) -> Check:
    """The reward model is never the only judge: it can hold a challenger back, not bring it forward."""
    reward = evidence.setup.reward
    if reward is None or not evidence.liked or not reward.auc >= settings.reward_auc:
        known = "there is none" if reward is None else f"its AUC on unseen raters is {reward.auc:.2f}"
        return Check("reward model", False, None, f"the reward model was not asked: {known}")
    gains = evidence.gains
    p_worse = sign_flip([-gain for gain in gains])
    mean = sum(gains) / len(gains)
    text = f"the reward model (AUC {reward.auc:.2f}) gives {mean:+.3f} for new replies"
    passed = not (p_worse <= settings.slice_alpha and mean < 0)
    return Check("reward model", True, passed, text if passed else f"{text}: worse (p = {p_worse:.2g})")


def _liked_better(liked: Preference, alpha: float, few: bool, settings: GateSettings) -> Check:
    if not liked.decided:
        return Check("raters", False, False, "no held-out judgements that can be compared")
    told = (
        f"{liked.share:.1%} of held-out judgements won by likelihood (95 % {liked.low:.1%} to "
        f"{liked.high:.1%}, {liked.raters} raters, p = {liked.p:.2g}, α tonight {alpha:.2g})"
    )
    if out_of_reach(alpha):
        text = "no number of raters can tell anymore, so often was this champion asked about; promote by hand"
        return Check("raters", False, False, f"{text}: {told}")
    if few:
        return Check("raters", False, False, f"too few held-out raters to tell: {told}")
    if liked.p <= alpha and liked.share >= 0.5 + settings.least_gain:
        return Check("raters", False, True, told)
    refuted = liked.high <= 0.5 + settings.least_gain
    return Check("raters", refuted, False, f"not liked better: {told}" if refuted else f"not sure: {told}")


def _without_them(trimmed: Preference, dropped: int, settings: GateSettings) -> Check:
    passed = trimmed.share > 0.5 and trimmed.p <= settings.poison_alpha
    told = f"{trimmed.share:.1%} without the {dropped} most influential held-out raters (p = {trimmed.p:.2g})"
    return Check("influence", False, passed, told if passed else f"it rests on few raters: {told}")


def _retrained(evidence: Evidence, settings: GateSettings) -> Check:
    """The same held-out judgements, of a challenger that never saw its most influential trainers."""
    if not evidence.retrained:
        return Check(
            "retrained", False, None, "not trained again without the most influential raters of training"
        )
    found = preference.measure(evidence.retrained)
    told = f"{found.share:.1%} when trained without {len(evidence.setup.left_out)} raters (p = {found.p:.2g})"
    passed = found.share > 0.5 and found.p <= settings.poison_alpha
    return Check("retrained", False, passed, told if passed else f"it rests on few raters: {told}")


def _most_influential(rows: Sequence[Judged], part: float) -> tuple[str, ...]:
    """At least one, but nobody who does not speak for the challenger."""
    parts = preference.influence(rows)
    most = max(1, math.ceil(part * len(parts)))
    return tuple(rater for rater, adds in list(parts.items())[:most] if adds > 0)


def _missing(liked: Preference, alpha: float) -> int:
    """About how many more held-out raters it takes to be sure of an effect like the one measured, or of the
    least that is worth waiting for; 0 where no number of them is enough, or where there are as many already:
    more of them would hardly tell another thing."""
    if out_of_reach(alpha):
        return 0
    fewest = fewest_values(alpha)
    wanted = fewest
    gain = max(liked.share - 0.5, _WORTH_WAITING)
    if liked.raters > 1:
        error = (liked.high - liked.low) / (2 * float(norm.ppf(0.975)))
        wanted = max(fewest, math.ceil(liked.raters * (float(norm.isf(alpha)) * error / gain) ** 2))
    least = int(liked.share - 0.5 > _WORTH_WAITING)
    return min(_MOST_MISSING, max(least, wanted - liked.raters))


def _summary(outcome: Outcome, liked: Preference, reasons: Sequence[str], missing: int) -> str:
    """One line for a table."""
    if outcome in ("promote", "canary"):
        return (
            f"{liked.share:.0%} of what {liked.raters} held-out raters judged moved to where they wanted it "
            "(likelihoods)"
        )
    more = f" ({len(reasons) - 1} more)" if len(reasons) > 1 else ""
    waits = missing and outcome == "inconclusive"
    return f"{reasons[0]}{more}" + (f"; about {missing} more held-out raters needed" if waits else "")
