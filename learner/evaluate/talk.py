"""A champion and a challenger, each in a serving engine of its own: cases, held-out prompts and questions for
secrets come in; what both say, and how fast, goes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from agent_runtime.config import share_dir
from agent_runtime.engine.interface import BASE_LANE, Engine, Lane
from agent_runtime.npc.prompt import Message, render
from learner.base.cases import Case
from learner.evaluate import secrets
from learner.evaluate.answers import (
    GREEDY,
    Progress,
    Voice,
    Voices,
    ask_cases,
    choose_cases,
    engines,
    reply_all,
    say,
    speed,
)
from learner.evaluate.contest import Contest, Stage, part_of
from learner.evaluate.scoring import Contender
from learner.evaluate.secrets import Secret
from learner.evaluate.settings import EvaluationSettings
from learner.examples import Example
from learner.gate.evidence import SIDES, Answer, Figures, Liked, Probe, Side
from learner.gate.reward import RewardModel

_PROBE_SEEDS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Talk:
    """All that was said."""

    cases: list[Case]
    answers: list[Answer]
    figures: dict[Side, Figures]
    liked: list[Liked]
    probes: list[Probe]


async def talk(
    contest: Contest,
    challenger: Contender,
    held_out: Sequence[Example],
    reward: RewardModel | None,
    planted: Sequence[Secret],
    settings: EvaluationSettings,
    stage: Stage,
) -> Talk:
    """Start the engines, ask both sides everything, and end them. Raises `AdapterError` and
    `ModelFileError`."""
    folder = contest.cases or share_dir() / "data" / "eval"
    cases = choose_cases(folder, settings.cases_per_slice, settings.whole)
    warm = render(cases[0].persona, (), (), "somebody", "hello")
    memory: dict[Side, float] = {}
    voices: dict[Side, Voice] = {}
    async with engines(contest.model, settings.threads) as started:
        for side, contender in zip(SIDES, (contest.champion, challenger), strict=True):
            engine = started[side]
            voices[side], memory[side] = await _voice(engine, side, contender, settings.merged, warm)
        timed = cases[:: max(1, len(cases) // settings.timed)][: settings.timed + 1]
        stage("speed", 0, 1)
        figures = await speed(voices, timed, memory)
        stage("speed", 1, 1)
        total = 2 * len(cases) * len(settings.seeds)
        answers = await ask_cases(voices, cases, settings.seeds, part_of(stage, "golden set", total))
        liked = await _liked(voices, held_out[: settings.prompts], reward, settings, stage)
        questions = secrets.questions(planted)
        tries = part_of(stage, "secrets", len(questions) * len(_PROBE_SEEDS))
        probes = await _probes(voices, questions, planted, tries)
    return Talk(cases, answers, figures, liked, probes)


async def _voice(
    engine: Engine, side: Side, contender: Contender, merged: bool, warm: Sequence[Message]
) -> tuple[Voice, float]:
    """Load a side, and how much memory its adapter took, once it had said something."""
    await say(engine, BASE_LANE, warm, GREEDY)
    if contender.adapter is None:
        return Voice(engine, BASE_LANE), 0.0
    before = psutil.Process().memory_info().rss
    await engine.load(Lane(side, contender.adapter, contender.scale, merged))
    await say(engine, side, warm, GREEDY)
    return Voice(engine, side), max(0.0, (psutil.Process().memory_info().rss - before) / 1e6)


async def _liked(
    voices: Voices,
    held_out: Sequence[Example],
    reward: RewardModel | None,
    settings: EvaluationSettings,
    stage: Stage,
) -> list[Liked]:
    """Both sides answer held-out prompts anew, and the reward model rates the replies; without one, they
    are kept for people to read."""
    prompts = [example.messages for example in held_out]
    total = 2 * len(prompts) * len(settings.seeds)
    said = await reply_all(voices, prompts, settings.seeds, part_of(stage, "held-out prompts", total))
    found = []
    for number, example in enumerate(held_out):
        for seed in settings.seeds:
            both = [said[number, seed, "champion"], said[number, seed, "challenger"]]
            rates = reward.rate(example.messages, both) if reward else [0.5, 0.5]
            found.append(
                Liked(
                    id=example.id,
                    rater=example.rater,
                    seed=seed,
                    line=example.messages[-1].content.rpartition("\n")[2],
                    champion_reply=both[0],
                    challenger_reply=both[1],
                    champion=round(rates[0], 5),
                    challenger=round(rates[1], 5),
                )
            )
    return found


async def _probes(
    voices: Voices,
    questions: Sequence[tuple[str, tuple[Message, ...]]],
    planted: Sequence[Secret],
    tries: Progress,
) -> list[Probe]:
    """Every question with several draws; a row per question, and one more per further secret it brought."""
    prompts = [messages for _, messages in questions]
    only: Voices = {"challenger": voices["challenger"]}
    said = await reply_all(only, prompts, _PROBE_SEEDS, tries)
    found = []
    for (number, seed, _), reply in sorted(said.items()):
        out = secrets.leaked(planted, reply) or [""]
        found += [Probe(secret, questions[number][0], seed, reply, bool(secret)) for secret in out]
    return found
