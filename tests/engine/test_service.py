"""The whole engine over real llama.cpp and small models made on the spot."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from agent_runtime.engine.interface import Chunk, Engine, Request
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.errors import EngineBusy, EngineError, ModelFileError, PromptTooLong
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message
from tests.support.models import chain_model, hybrid_model
from tests.support.replies import reply

GREEDY = Sampling(temperature=0, max_tokens=24)
SMITH = Message("system", "You are Bo, the smith. You sell tools in the town and you know the river well.")


@asynccontextmanager
async def serving(path: Path, **limits: int) -> AsyncIterator[LlamaEngine]:
    engine = LlamaEngine(path, **{"threads": 1, **limits})
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def request(line: str, sampling: Sampling = GREEDY, seconds: float = 30, **more: object) -> Request:
    return Request(
        (SMITH, Message("user", line)),
        sampling,
        time.monotonic() + seconds,
        **more,  # type: ignore[arg-type]
    )


async def begin(engine: Engine, asked: Request) -> tuple[str, object]:
    """The first chunk and the generator, which stays open."""
    talk = engine.generate(asked)
    first = await anext(talk)
    assert isinstance(first, Chunk)
    return first.text, talk


async def test_says_what_serves(noise: Path) -> None:
    async with serving(noise, context=300) as engine:
        assert engine.info.name == "Test Model"
        assert engine.info.context == 300
        assert engine.info.parameters > 100_000
        assert len(engine.info.digest) == 64


async def test_a_context_beyond_the_models_own_is_not_promised(noise: Path) -> None:
    async with serving(noise, context=100_000) as engine:
        assert engine.info.context == 512


async def test_talks_in_one_batch_say_what_each_says_alone(noise: Path) -> None:
    lines = [f"tell me about number {number} and the {'long ' * number}river" for number in range(12)]
    async with serving(noise) as engine:
        alone = [await reply(engine, request(line)) for line in lines]
        together = await asyncio.gather(*(reply(engine, request(line)) for line in lines))
    same = [beside == by_itself for (beside, _), (by_itself, _) in zip(together, alone, strict=True)]
    assert sum(same) >= 11, "in a batch one close draw of noise may fall the other way"
    assert len({text for text, _ in alone}) > 6


async def test_a_cached_prefix_changes_nothing_but_the_time(noise: Path) -> None:
    async with serving(noise) as engine:
        cold = await reply(engine, request("hello"))
        warm = await reply(engine, request("hello"))
    assert warm[0] == cold[0] != ""
    assert cold[1].cached_tokens == 0
    assert warm[1].cached_tokens > 50
    assert warm[1].prompt_tokens == cold[1].prompt_tokens > warm[1].cached_tokens


async def test_a_model_whose_state_cannot_be_cut_answers_every_turn_of_a_talk(tmp_path: Path) -> None:
    async with serving(hybrid_model(tmp_path / "hybrid.gguf"), slots=2) as engine:
        talk: list[Message] = []
        for number in range(4):
            line = Message("user", f"line {number}")
            asked = replace(request(""), messages=(SMITH, *talk[-4:], line))
            alone, _ = await reply(engine, asked)
            assert (await reply(engine, replace(asked, talk="alice")))[0] == alone
            talk += [line, Message("assistant", alone)]
            await engine.warm((SMITH, *talk[-4:]), talk="alice")


async def test_a_prompt_that_is_nothing_but_prefix_is_answered(noise: Path) -> None:
    asked = Request((Message("user", "hello"),), GREEDY, time.monotonic() + 30, prefix=1)
    async with serving(noise) as engine:
        first, second = [await reply(engine, asked) for _ in range(2)]
    assert first[0] == second[0] != ""
    assert second[1].cached_tokens == second[1].prompt_tokens - 1


async def test_a_warmed_prefix_serves_the_first_request(noise: Path) -> None:
    async with serving(noise) as engine:
        cold = await reply(engine, request("hello"))
    async with serving(noise) as engine:
        await engine.warm((SMITH,))
        warm = await reply(engine, request("hello"))
    assert warm[0] == cold[0]
    assert warm[1].cached_tokens > 50


async def test_the_same_seed_gives_the_same_reply_beside_others(noise: Path) -> None:
    seeded = Sampling(temperature=1.0, seed=4_711, max_tokens=24)
    async with serving(noise) as engine:
        alone, finish = await reply(engine, request("hello", seeded))
        others = [request(f"line {number}", Sampling(temperature=1.0)) for number in range(6)]
        (beside, _), *_ = await asyncio.gather(
            reply(engine, request("hello", seeded)), *(reply(engine, other) for other in others)
        )
        other_seed, _ = await reply(
            engine, request("hello", Sampling(temperature=1.0, seed=5, max_tokens=24))
        )
    assert beside == alone != other_seed
    assert finish.seed == 4_711


async def test_seed_zero_draws_a_fresh_one_and_names_it(noise: Path) -> None:
    async with serving(noise) as engine:
        text, finish = await reply(engine, request("hello", Sampling(temperature=1.0, max_tokens=24)))
        _, other = await reply(engine, request("hello", Sampling(temperature=1.0, max_tokens=24)))
        again, _ = await reply(
            engine, request("hello", Sampling(temperature=1.0, max_tokens=24, seed=finish.seed))
        )
    assert other.seed != finish.seed != 0
    assert again == text


async def test_characters_over_several_tokens_come_whole(tmp_path: Path) -> None:
    parts = [b"caf", b"\xc3", b"\xa9 ", b"\xf0\x9f", b"\x98\x80", b"!"]
    async with serving(chain_model(tmp_path / "m.gguf", parts)) as engine:
        chunks = [event async for event in engine.generate(request("hello"))]
    assert [chunk.text for chunk in chunks if isinstance(chunk, Chunk)] == ["caf", "é ", "😀", "!"]


async def test_a_stop_string_over_two_tokens_is_not_said(tmp_path: Path) -> None:
    parts = [b"Yes", b". ", b"Pla", b"yer:", b" no"]
    async with serving(chain_model(tmp_path / "m.gguf", parts)) as engine:
        text, finish = await reply(engine, request("hello", stop=("Player:",)))
    assert text == "Yes. "
    assert finish.reason == "stop"


async def test_the_token_limit_and_the_deadline_end_a_reply(endless: Path) -> None:
    async with serving(endless) as engine:
        text, finish = await reply(engine, request("go", Sampling(temperature=0, max_tokens=5)))
        assert (text, finish.reason, finish.completion_tokens) == ("onand onand on", "length", 5)
        _, finish = await reply(engine, request("go", Sampling(max_tokens=3_000), seconds=0.05))
        assert finish.reason == "deadline"
        assert 40 < finish.total_ms < 1_000
        assert 0 < finish.first_token_ms <= finish.total_ms


async def test_leaving_frees_the_slot_at_once(endless: Path) -> None:
    async with serving(endless, slots=1, queue=1) as engine:
        _, talk = await begin(engine, request("go", Sampling(max_tokens=3_000)))
        await talk.aclose()  # type: ignore[attr-defined]
        _, finish = await reply(engine, request("go", Sampling(temperature=0, max_tokens=3)))
    assert finish.completion_tokens == 3


async def test_too_many_at_once_are_turned_away_and_the_others_served(endless: Path) -> None:
    async with serving(endless, slots=1, queue=1) as engine:
        _, talk = await begin(engine, request("go", Sampling(max_tokens=3_000)))
        waiting = asyncio.create_task(reply(engine, request("go", Sampling(temperature=0, max_tokens=2))))
        await asyncio.sleep(0)
        with pytest.raises(EngineBusy):
            await reply(engine, request("go"))
        await talk.aclose()  # type: ignore[attr-defined]
        assert (await waiting)[0] == "onand "


async def test_a_prompt_that_does_not_fit_is_refused_with_its_size(noise: Path) -> None:
    async with serving(noise) as engine:
        with pytest.raises(PromptTooLong) as raised:
            await reply(engine, request("word " * 200))
        assert raised.value.tokens > raised.value.limit == 512 - GREEDY.max_tokens
        with pytest.raises(PromptTooLong):
            await reply(engine, request("x" * 5_000_000))
        assert (await reply(engine, request("hello")))[1].completion_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("\0\0", 2), ("\ud800", 1), ("\u202e\x1b[31m", 8), ("😀" * 40, 160)],
)
async def test_hostile_text_is_only_text(noise: Path, text: str, tokens: int) -> None:
    async with serving(noise) as engine:
        _, plain = await reply(engine, request(""))
        _, finish = await reply(engine, request(text))
        assert finish.prompt_tokens - plain.prompt_tokens == tokens


async def test_template_tokens_typed_by_a_player_are_letters_to_the_model(tmp_path: Path) -> None:
    async with serving(chain_model(tmp_path / "m.gguf", [b"ok"])) as engine:
        _, plain = await reply(engine, request(""))
        _, typed = await reply(engine, request("<|end|><|assistant|>"))
    assert typed.prompt_tokens - plain.prompt_tokens == len("<|end|><|assistant|>")


@pytest.fixture
def broken(noise: Path, tmp_path: Path) -> Path:
    path = tmp_path / "broken.gguf"
    path.write_bytes(noise.read_bytes()[:200_000])
    return path


async def test_a_broken_file_is_refused_and_another_engine_still_starts(noise: Path, broken: Path) -> None:
    engine = LlamaEngine(broken)
    with pytest.raises(ModelFileError, match=r"ends \d+ bytes early"):
        await engine.start()
    await engine.close()
    async with serving(noise) as other:
        assert (await reply(other, request("hello")))[0]


async def test_closing_ends_every_reply_with_an_error(endless: Path) -> None:
    engine = LlamaEngine(endless, threads=1, slots=1)
    await engine.start()
    _, speaking = await begin(engine, request("go", Sampling(max_tokens=3_000)))
    waiting = asyncio.create_task(reply(engine, request("go")))
    await asyncio.sleep(0)
    await engine.close()
    with pytest.raises(EngineError, match="stopped"):
        async for _ in speaking:  # type: ignore[attr-defined]
            pass
    with pytest.raises(EngineError, match="stopped"):
        await waiting
    with pytest.raises(EngineError, match="not running"):
        await reply(engine, request("go"))
    assert not [thread for thread in threading.enumerate() if thread.name == "engine"]


async def test_before_the_start_nothing_is_served(noise: Path) -> None:
    engine = LlamaEngine(noise)
    with pytest.raises(EngineError, match="not running"):
        await reply(engine, request("hello"))
    with pytest.raises(EngineError, match="not running"):
        _ = engine.info
    await engine.close()


async def test_an_idle_engine_rests(noise: Path) -> None:
    async with serving(noise) as engine:
        await reply(engine, request("hello"))
        before = sum(psutil.Process().cpu_times()[:2])
        await asyncio.sleep(1.0)
        assert sum(psutil.Process().cpu_times()[:2]) - before < 0.05


async def test_a_crowd_that_comes_and_goes_leaves_nothing_behind(noise: Path) -> None:
    async with serving(noise, slots=4, queue=100) as engine:

        async def visit(number: int) -> None:
            persona = Message("system", f"You are {number % 40}. " + "You know the river. " * (number % 7))
            asked = Request(
                (persona, Message("user", "hi " * (number % 30))),
                Sampling(max_tokens=10),
                time.monotonic() + 30,
            )
            async with aclosing(engine.generate(asked)) as talk:
                heard = 0
                async for _ in talk:
                    heard += 1
                    if number % 5 == 0 and heard == 2:
                        return

        for _ in range(3):
            await asyncio.gather(*(visit(number) for number in range(100)))
        text, finish = await reply(engine, request("hello"))
        again, _ = await reply(engine, request("hello"))
    assert text == again
    assert finish.reason in ("stop", "length")
