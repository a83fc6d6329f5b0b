"""Versions that come and go while talks go on, over real llama.cpp and adapters made on the spot."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from agent_runtime.engine import adapterfile, modelfile
from agent_runtime.engine.backend import ContextFull, Row
from agent_runtime.engine.interface import BASE_LANE, Chunk, Engine, Finish, Lane, Request
from agent_runtime.engine.lanes import Lanes
from agent_runtime.engine.llama import Llama
from agent_runtime.engine.loading import Limits, load
from agent_runtime.engine.orders import Load
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.engine.talk import Talk
from agent_runtime.errors import AdapterError, EngineError, LaneUnknown
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message
from tests.support.adapters import random_adapter
from tests.support.models import chain_model, quantized, random_model
from tests.support.replies import reply

GREEDY = Sampling(temperature=0, max_tokens=24)
SMITH = Message("system", "You are Bo, the smith. You sell tools in the town and you know the river well.")
LINES = ("hello", "where is the river", "what do you sell", "who are you")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_model(tmp_path_factory.mktemp("models") / "base.gguf")


@pytest.fixture(scope="module")
def adapters(base: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("adapters")
    return [random_adapter(folder / f"{seed}.gguf", base, seed=seed) for seed in (1, 2)]


@asynccontextmanager
async def serving(path: Path, *lanes: Lane, **limits: int) -> AsyncIterator[LlamaEngine]:
    engine = LlamaEngine(path, **{"threads": 1, **limits})
    await engine.start()
    try:
        for lane in lanes:
            await engine.load(lane)
        yield engine
    finally:
        await engine.close()


def request(line: str, lane: str = BASE_LANE, talk: str = "", tokens: int = 24) -> Request:
    sampling = Sampling(temperature=0, max_tokens=tokens)
    return Request((SMITH, Message("user", line)), sampling, time.monotonic() + 30, lane=lane, talk=talk)


async def replies(engine: Engine, lane: str) -> list[str]:
    return [(await reply(engine, request(line, lane)))[0] for line in LINES]


async def fresh(base: Path, *lanes: Lane) -> list[str]:
    """What the last of the lanes says in an engine that never did anything else."""
    async with serving(base, *lanes) as engine:
        return await replies(engine, lanes[-1].key if lanes else BASE_LANE)


async def test_each_lane_says_what_it_would_say_alone(base: Path, adapters: list[Path]) -> None:
    one, two = (Lane(f"v{number}", path) for number, path in enumerate(adapters, 1))
    expected = {BASE_LANE: await fresh(base), "v1": await fresh(base, one), "v2": await fresh(base, two)}
    assert len({tuple(said) for said in expected.values()}) == 3
    async with serving(base, one, two) as engine:
        assert engine.lanes == (Lane(BASE_LANE), one, two)
        for _ in range(2):  # the second time, every prefix and every talk is cached
            for lane, said in expected.items():
                heard = [await reply(engine, request(line, lane, talk="alice")) for line in LINES]
                assert [text for text, _ in heard] == said
                assert {finish.lane for _, finish in heard} == {lane}
        together = await asyncio.gather(*(replies(engine, lane) for lane in expected))
        assert together == list(expected.values())


async def test_the_same_seed_in_the_same_lane_gives_the_same_reply(base: Path, adapters: list[Path]) -> None:
    lanes = [Lane(f"v{number}", path) for number, path in enumerate(adapters, 1)]

    def seeded(lane: str, seed: int) -> Request:
        sampling = Sampling(temperature=1.0, seed=seed, max_tokens=24)
        return replace(request("hello", lane, talk="alice"), sampling=sampling)

    async with serving(base, *lanes) as engine:
        said = {
            (lane, seed): (await reply(engine, seeded(lane, seed)))[0]
            for lane in ("v1", "v2")
            for seed in (7, 8)
        }
        again = {key: (await reply(engine, seeded(*key)))[0] for key in reversed(said)}
        together = await asyncio.gather(*(reply(engine, seeded(*key)) for key in said))
    assert again == said
    assert len(set(said.values())) == 4
    assert [text for text, _ in together] == list(said.values())


async def test_the_scale_of_an_adapter_counts(base: Path, adapters: list[Path]) -> None:
    whole = Lane("whole", adapters[0])
    half, none = Lane("half", adapters[0], 0.5), Lane("none", adapters[0], 0.0)
    bare = await fresh(base)
    async with serving(base, whole, half, none) as engine:
        said = [await replies(engine, lane) for lane in ("whole", "half", "none")]
    assert said[2] == bare
    assert len({tuple(texts) for texts in said}) == 3


async def test_a_merged_copy_says_what_its_adapter_says(base: Path, adapters: list[Path]) -> None:
    adapted = await fresh(base, Lane("v1", adapters[0]))
    async with serving(base, Lane("v1", adapters[0], merged=True), Lane("v2", adapters[1])) as engine:
        assert await replies(engine, "v1") == adapted
        assert await replies(engine, BASE_LANE) == await fresh(base)


async def test_a_lane_is_merged_while_it_talks(base: Path, adapters: list[Path]) -> None:
    lane = Lane("v1", adapters[0])
    async with serving(base, lane) as engine:
        before = await replies(engine, "v1")
        talks = asyncio.gather(*(replies(engine, "v1") for _ in range(4)))
        await engine.load(Lane("v1", adapters[0], merged=True))
        assert await talks == [before] * 4
        assert await replies(engine, "v1") == before
        assert engine.lanes == (Lane(BASE_LANE), Lane("v1", adapters[0], merged=True))


def shared(text: str, other: str) -> int:
    """How long both are the same. In a batch a near tie may fall the other way, late in a reply."""
    return sum(
        1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(text, other, strict=False))
    )


async def test_versions_are_swapped_while_talks_stream(base: Path, adapters: list[Path]) -> None:
    lanes = [Lane(f"v{number}", path, merged=number == 2) for number, path in enumerate(adapters, 1)]
    expected = {lane.key: await fresh(base, lane) for lane in lanes}
    expected[BASE_LANE] = await fresh(base)
    champion, stopping, heard = BASE_LANE, False, 0

    async def visitor(number: int) -> None:
        nonlocal heard
        while not stopping:
            line = LINES[number % len(LINES)]
            number += 1
            text, finish = await reply(engine, request(line, champion, talk=f"visitor {number % 3}"))
            alike = {key: shared(text, texts[LINES.index(line)]) for key, texts in expected.items()}
            assert alike[finish.lane] == max(alike.values()) > 0
            heard += 1

    async with serving(base, slots=16) as engine, asyncio.TaskGroup() as group:
        for number in range(16):
            group.create_task(visitor(number))
        for _ in range(3):
            for lane in lanes:
                await engine.load(lane)
                await engine.warm((SMITH,), lane.key)
                champion, last = lane.key, champion
                if last != BASE_LANE:
                    await engine.unload(last)
                await asyncio.sleep(0.1)
        stopping = True
    assert heard > 50


async def test_nothing_is_read_ahead_while_many_talk(tmp_path: Path) -> None:
    path = chain_model(tmp_path / "m.gguf", [b"on", b"and "], context=4_096, endless=True)
    history = (SMITH, Message("user", "hello"), Message("assistant", "Good day."))
    asked = Request((*history, Message("user", "go")), GREEDY, time.monotonic() + 30, talk="alice")
    async with serving(path, slots=4) as engine:
        talks = [engine.generate(request("go", tokens=2_000)) for _ in range(2)]
        for talk in talks:
            await anext(talk)
        await engine.warm(history, talk="alice")
        for talk in talks:
            await talk.aclose()
        _, busy = await reply(engine, replace(asked, talk="bob"))
        await engine.warm(history, talk="bob")
        _, idle = await reply(engine, replace(asked, talk="bob"))
        _, never = await reply(engine, asked)
    assert never.cached_tokens == busy.cached_tokens < idle.cached_tokens


async def test_a_version_is_warmed_although_every_slot_is_taken(tmp_path: Path) -> None:
    path = chain_model(tmp_path / "m.gguf", [b"on", b"and "], context=4_096, endless=True)
    stopping = False

    async def visitor(engine: Engine) -> None:
        while not stopping:
            await reply(engine, request("go", tokens=20))

    async with serving(path, slots=4) as engine, asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(visitor(engine))
        await asyncio.sleep(0.1)
        try:
            await asyncio.wait_for(engine.warm((SMITH,)), timeout=10)
        finally:
            stopping = True


async def test_a_lane_that_leaves_ends_its_talks_first(tmp_path: Path) -> None:
    path = chain_model(tmp_path / "m.gguf", [b"on", b"and "], context=4_096, endless=True)
    adapter = random_adapter(tmp_path / "a.gguf", path, strength=0.0)
    async with serving(path, Lane("v1", adapter)) as engine:
        talk = engine.generate(request("go", "v1", tokens=400))
        await anext(talk)
        leaving = asyncio.create_task(engine.unload("v1"))
        await asyncio.sleep(0)
        for refused in (reply(engine, request("go", "v1")), engine.warm((SMITH,), "v1"), engine.unload("v1")):
            with pytest.raises(LaneUnknown):
                await refused
        assert not leaving.done()
        said = [event.text async for event in talk if isinstance(event, Chunk)]
        assert len(said) == 399
        await leaving
        assert engine.lanes == (Lane(BASE_LANE),)
        await engine.load(Lane("v1", adapter))
        assert (await reply(engine, request("go", "v1", tokens=2)))[0] == "onand "


async def test_a_bad_adapter_is_refused_and_nobody_notices(
    base: Path, adapters: list[Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(adapters[0].read_bytes()[:-1_000])
    weights = np.full((4, 64), 3e38, np.float32)
    overflowing = random_adapter(
        tmp_path / "big.gguf", base, replaced={"blk.0.attn_q.weight.lora_a": weights}
    )
    foreign = random_adapter(tmp_path / "foreign.gguf", random_model(tmp_path / "wide.gguf", width=128))
    async with serving(base) as engine:
        said = await replies(engine, BASE_LANE)
        for path, reason in (
            (broken, "ends 1000 bytes early"),
            (overflowing, "NaN under it"),
            (foreign, "has the shapes"),
            (tmp_path / "absent.gguf", "cannot be read"),
            (base, "not a LoRA"),
        ):
            with pytest.raises(AdapterError, match=reason):
                await engine.load(Lane("v1", path))
        for lane in (Lane("v1"), Lane("v1", adapters[0], float("nan")), Lane(BASE_LANE, adapters[0])):
            with pytest.raises(AdapterError):
                await engine.load(lane)
        assert engine.lanes == (Lane(BASE_LANE),)
        assert await replies(engine, BASE_LANE) == said
        await engine.load(Lane("v1", adapters[0]))
        with pytest.raises(AdapterError, match="another adapter serves as 'v1'"):
            await engine.load(Lane("v1", adapters[1]))
        with pytest.raises(EngineError, match="always serves"):
            await engine.unload(BASE_LANE)


async def test_a_merged_copy_that_lost_the_adapter_does_not_serve(
    base: Path, adapters: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    coarse = quantized(base, tmp_path / "q8_0.gguf")
    weak = random_adapter(tmp_path / "weak.gguf", coarse, strength=1e-4)
    async with serving(coarse, Lane("strong", adapters[0], merged=True)) as engine:
        assert "served unmerged" not in caplog.text
        await engine.load(Lane("weak", weak, merged=True))
        assert "lane weak is served unmerged: rounding" in caplog.text
        assert (await reply(engine, request("hello", "weak")))[1].lane == "weak"


async def test_without_room_for_a_merged_copy_the_adapter_serves(
    base: Path, adapters: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shown = tmp_path / "shown.gguf"
    shown.symlink_to(base)
    expected = await fresh(base, Lane("v1", adapters[0]))
    async with serving(shown) as engine:
        # The model is in memory; its file, which merging reads, is cut off meanwhile.
        shown.unlink()
        shown.symlink_to(tmp_path)
        await engine.load(Lane("v1", adapters[0], merged=True))
        assert "lane v1 is served unmerged" in caplog.text
        assert await replies(engine, "v1") == expected


async def test_leaving_an_engine_that_loads_ends_the_load(base: Path, adapters: list[Path]) -> None:
    engine = LlamaEngine(base, threads=1)
    await engine.start()
    loading = asyncio.create_task(engine.load(Lane("v1", adapters[0], merged=True)))
    await asyncio.sleep(0.005)
    await engine.close()
    with pytest.raises(EngineError):
        await loading


async def test_the_history_of_a_talk_is_read_ahead(base: Path, adapters: list[Path]) -> None:
    history = (SMITH, Message("user", "alice: hello"), Message("assistant", "Good day to you, alice."))
    asked = Request(
        (*history, Message("user", "alice: where is the river")),
        GREEDY,
        time.monotonic() + 30,
        lane="v1",
        talk="alice",
    )
    async with serving(base, Lane("v1", adapters[0])) as engine:
        cold, figures = await reply(engine, asked)
    async with serving(base, Lane("v1", adapters[0])) as engine:
        await engine.warm(history, "v1", talk="alice")
        warm, ahead = await reply(engine, asked)
        async with aclosing(engine.generate(asked)) as again:
            assert "".join([event.text async for event in again if isinstance(event, Chunk)]) == warm
    assert warm == cold
    assert ahead.cached_tokens > figures.prompt_tokens - 40
    assert figures.cached_tokens == 0


class Heard(Llama):
    """The real one, which keeps the logits that replies were drawn from, takes as long as a test says, and
    finds its cache full when that wants it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.heard: list[NDArray[np.float32]] = []
        self.freed: list[Path] = []
        self.now, self.seconds, self.threads = 0.0, {1: 0.0, 2: 0.0}, 1
        self.full = False

    def clock(self) -> float:
        return self.now

    def set_threads(self, threads: int) -> None:
        # The library goes on with one: tests share the cores with others.
        self.threads = threads

    def decode(self, rows: Sequence[Row]) -> list[int]:
        self.now += self.seconds[self.threads]
        if self.full:
            raise ContextFull("no room in the KV cache")
        return super().decode(rows)

    def sample(self, sampler: object, place: int, grammar: object = None) -> int:
        self.heard.append(self.logits(place))
        return super().sample(sampler, place, grammar)

    def unload(self, adapter: Path) -> None:
        self.freed.append(adapter)
        super().unload(adapter)


@contextmanager
def lanes_over(path: Path, **changes: Any) -> Iterator[tuple[Lanes, Heard]]:
    """As the engine's thread has them."""
    loaded = load(path, Limits(threads=1, slots=4, context=0))
    loaded.model.close()
    model = Heard(path)
    model.open(loaded.size)
    lanes = Lanes(replace(loaded, model=model, **changes), model.clock)
    try:
        yield lanes, model
    finally:
        lanes.close()


def load_lane(lanes: Lanes, base: Path, key: str, adapter: Path) -> None:
    checked = adapterfile.check(adapter, modelfile.read_header(base))
    for _ in lanes.load(Load(Lane(key, adapter), checked.digest, None, lambda _: None)):
        pass


def ask(lanes: Lanes, lane: str, prompt: list[int], shared: int, limit: int = 4, key: str = "") -> Finish:
    """Let a talk go to its end."""
    sampling = Sampling(temperature=0)
    lanes.add(Talk("ticket", prompt, shared, limit, sampling, 1, 0.0, 1e9, lanes.version(lane), key=key))
    events = []
    while not lanes.idle:
        events += lanes.step()
    lanes.sweep()
    finish = events[-1][1]
    assert isinstance(finish, Finish)
    return finish


def test_what_one_version_has_read_is_never_built_on_by_another(base: Path, adapters: list[Path]) -> None:
    """The logits of the first word, over a warm prefix and a warm talk of another version."""
    one, two = adapters
    with lanes_over(base) as (lanes, model):
        load_lane(lanes, base, "v1", one)
        load_lane(lanes, base, "v2", two)
        persona = model.tokenize(SMITH.content, special=False)
        prompt = persona + model.tokenize("where is the river", special=False)
        ask(lanes, "v1", persona, len(persona), limit=0)
        assert ask(lanes, "v1", prompt, len(persona), key="alice").cached_tokens == len(persona)
        assert ask(lanes, "v1", prompt, len(persona), key="alice").cached_tokens == len(prompt) - 1
        model.heard.clear()
        assert ask(lanes, "v2", prompt, len(persona), key="alice").cached_tokens == 0
        beside = model.heard[0]
        first, second = lanes.version("v1"), lanes.version("v2")
        model.use(first)
        model.decode([Row(0, 0, persona, False)])
        model.use(second)
        crossed = model.logits(model.decode([Row(0, len(persona), prompt[len(persona) :], True)])[0])
        model.drop(0)
    with lanes_over(base) as (lanes, model):
        load_lane(lanes, base, "v2", two)
        ask(lanes, "v2", prompt, len(persona), key="alice")
        alone = model.heard[0]
    np.testing.assert_allclose(beside, alone, atol=1e-3)
    assert np.abs(crossed - alone).max() > 0.1, "a prefix of the other version would have been seen here"


def test_a_lane_that_is_loaded_again_as_it_is_keeps_what_it_has_read(
    base: Path, adapters: list[Path]
) -> None:
    with lanes_over(base) as (lanes, model):
        load_lane(lanes, base, "v1", adapters[0])
        prompt = model.tokenize(SMITH.content, special=False)
        ask(lanes, "v1", prompt, len(prompt) - 1, key="alice")
        load_lane(lanes, base, "v1", adapters[0])
        assert ask(lanes, "v1", prompt, len(prompt) - 1, key="bob").cached_tokens == len(prompt) - 1
        assert not model.freed


async def test_a_refused_copy_costs_no_warm_prefix(
    base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    coarse = quantized(base, tmp_path / "q8_0.gguf")
    weak = Lane("weak", random_adapter(tmp_path / "weak.gguf", coarse, strength=1e-4))
    async with serving(coarse, weak) as engine:
        await reply(engine, request("hello", "weak"))
        await engine.load(replace(weak, merged=True))
        assert "lane weak is served unmerged" in caplog.text
        _, finish = await reply(engine, request("who are you", "weak"))
        assert finish.cached_tokens > 0


def test_an_adapter_that_cannot_be_tried_for_want_of_room_is_freed(base: Path, adapters: list[Path]) -> None:
    with lanes_over(base) as (lanes, model):
        model.full = True
        with pytest.raises(AdapterError, match="no room in the KV cache"):
            load_lane(lanes, base, "v1", adapters[0])
        assert model.freed == [adapters[0]]
        with pytest.raises(LaneUnknown):
            lanes.version("v1")
        model.full = False
        load_lane(lanes, base, "v1", adapters[0])
        assert ask(lanes, "v1", [1, 2, 3], 2).completion_tokens == 4


def test_a_neighbour_that_comes_and_goes_changes_the_number_of_threads(
    base: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "townsfolk.engine")
    with lanes_over(base, tries=[2, 1], threads=2) as (lanes, model):
        model.set_threads(2)

        def talk_until(seconds: float) -> None:
            while model.now < seconds:
                ask(lanes, BASE_LANE, [1, 2, 3], 2, limit=100)

        model.seconds = {2: 0.1, 1: 0.2}
        talk_until(30)
        assert model.threads == 2
        model.seconds = {2: 2.0, 1: 0.2}
        talk_until(150)
        assert model.threads == 1
        model.seconds = {2: 0.1, 1: 0.2}
        talk_until(200)
        assert model.threads == 2
        assert "1 threads decode now, not 2" in caplog.text


def test_a_choice_that_fails_changes_nothing(base: Path, caplog: pytest.LogCaptureFixture) -> None:
    with lanes_over(base, tries=[2, 1], threads=1) as (lanes, model):
        model.now = 21.0
        model.full = True
        lanes.add(Talk("ticket", [1, 2], 1, 4, Sampling(), 1, 0.0, 1e9, lanes.version(BASE_LANE)))
        lanes.step()
        assert "the number of threads stays at 1: no room in the KV cache" in caplog.text
        assert model.threads == 1
