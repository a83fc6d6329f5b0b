"""The engine behind an OpenAI-compatible server: a real one over real sockets, in good and in bad health."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent_runtime.engine import completions
from agent_runtime.engine.interface import BASE_LANE, Chunk, Engine, Lane, Priority, Request
from agent_runtime.engine.openai import OpenAIEngine
from agent_runtime.engine.service import LlamaEngine
from agent_runtime.errors import AdapterError, EngineBusy, EngineDown, EngineError, LaneUnknown, PromptTooLong
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message
from tests.support.engine import Reply, ScriptedEngine
from tests.support.models import random_model
from tests.support.openai_server import Connection, OpenAIServer
from tests.support.replies import reply

SMITH = Message("system", "You are Bo, the smith.")
ADAPTER = Path(__file__)  # the scripted engine takes any file; the client never opens it


@asynccontextmanager
async def serving(engine: Engine, **options: Any) -> AsyncIterator[OpenAIServer]:
    await engine.start()
    try:
        async with OpenAIServer(engine, **options) as server:
            yield server
    finally:
        await engine.close()


@asynccontextmanager
async def client(server: OpenAIServer, **options: Any) -> AsyncIterator[OpenAIEngine]:
    engine = OpenAIEngine(server.url, **options)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def request(line: str = "hello", seconds: float = 20, max_tokens: int = 24, **more: Any) -> Request:
    sampling = more.pop("sampling", Sampling(temperature=0, max_tokens=max_tokens))
    return Request((SMITH, Message("user", line)), sampling, time.monotonic() + seconds, **more)


async def test_the_same_words_come_through_the_server_as_from_the_engine_behind_it(tmp_path: Path) -> None:
    model = random_model(tmp_path / "noise.gguf")
    llama = LlamaEngine(model, threads=1)
    async with serving(llama) as server, client(server) as engine:
        drawn = Sampling(temperature=1.0, top_p=0.9, min_p=0.02, repeat_penalty=1.1, seed=7, max_tokens=20)
        direct, behind = await reply(llama, request("who are you?", sampling=drawn))
        text, finish = await reply(engine, request("who are you?", sampling=drawn))
    assert text == direct
    assert (finish.seed, finish.reason) == (7, behind.reason)
    assert finish.prompt_tokens == behind.prompt_tokens
    assert finish.completion_tokens == behind.completion_tokens
    assert 0 < finish.first_token_ms <= finish.total_ms


async def test_what_a_server_is_asked(tmp_path: Path) -> None:
    asked = Sampling(temperature=0.5, top_p=0.8, min_p=0.1, repeat_penalty=1.2, seed=11, max_tokens=9)
    async with serving(ScriptedEngine()) as server, client(server) as engine:
        await reply(engine, request("a\ud800\0b", sampling=asked, stop=("1", "2", "3", "4", "5")))
        await reply(engine, request(sampling=Sampling(min_p=0, repeat_penalty=1.0)))
    first, plain = server.bodies
    assert first["messages"][1] == {"role": "user", "content": "a?\0b"}
    expected = {"temperature": 0.5, "top_p": 0.8, "min_p": 0.1, "seed": 11, "max_tokens": 9, "model": "base"}
    assert {key: first[key] for key in expected} == expected
    assert first["repeat_penalty"] == first["repetition_penalty"] == 1.2
    assert first["stop"] == ["1", "2", "3", "4"]
    assert not {"min_p", "repeat_penalty", "repetition_penalty", "stop"} & set(plain)
    assert plain["seed"] > 0


async def test_an_adapter_is_a_model_name_that_the_server_lists() -> None:
    behind = ScriptedEngine(lambda asked: f"I am {asked.lane or 'plain'}.")
    async with serving(behind) as server, client(server) as engine:
        await behind.load(Lane("v7", ADAPTER))
        with pytest.raises(LaneUnknown):
            await reply(engine, request(lane="v7"))
        await engine.load(Lane("v7", ADAPTER))
        await engine.load(Lane("v7", ADAPTER))
        assert [lane.key for lane in engine.lanes] == [BASE_LANE, "v7"]
        text, finish = await reply(engine, request(lane="v7"))
        assert (text, finish.lane) == ("I am v7.", "v7")
        assert (await reply(engine, request()))[0] == "I am plain."
        with pytest.raises(AdapterError, match="lists no model 'v8'"):
            await engine.load(Lane("v8", ADAPTER))
        with pytest.raises(AdapterError, match="scale"):
            await engine.load(Lane("v9", ADAPTER, scale=0.5))
        await engine.unload("v7")
        with pytest.raises(LaneUnknown):
            await reply(engine, request(lane="v7"))
        with pytest.raises(EngineError, match="always"):
            await engine.unload(BASE_LANE)


async def test_unloading_waits_for_replies_in_progress() -> None:
    gate = asyncio.Event()
    behind = ScriptedEngine([Reply("slow words", gate=gate)])
    async with serving(behind) as server, client(server) as engine:
        await behind.load(Lane("v7", ADAPTER))
        await engine.load(Lane("v7", ADAPTER))
        talk = asyncio.create_task(reply(engine, request(lane="v7")))
        await server.until(lambda: len(server.bodies) == 1)
        unloading = asyncio.create_task(engine.unload("v7"))
        await asyncio.sleep(0.02)
        assert not unloading.done()
        gate.set()
        assert (await talk)[0] == "slow words"
        await asyncio.wait_for(unloading, 2)


async def test_the_chosen_model_must_be_there_and_the_server_too() -> None:
    async with serving(ScriptedEngine(), model="qwen") as server:
        async with client(server, model="qwen") as engine:
            assert (engine.info.name, engine.info.digest) == ("qwen", "")
        with pytest.raises(EngineError, match=r"no 'llama', but qwen"):
            await OpenAIEngine(server.url, model="llama").start()
        with pytest.raises(EngineError, match="no /nothing/models"):
            await OpenAIEngine(server.url.replace("v1", "nothing")).start()
    with pytest.raises(EngineError, match=r"engine\.url.*start the server"):
        await OpenAIEngine(server.url).start()
    with pytest.raises(EngineError, match=r"engine\.url"):
        await OpenAIEngine("not a url").start()
    with pytest.raises(EngineError, match="not running"):
        await reply(OpenAIEngine(server.url), request())


async def test_the_key_is_shown_and_a_wrong_one_is_named() -> None:
    async with serving(ScriptedEngine(), api_key="secret") as server:
        async with client(server, api_key="secret") as engine:
            assert (await reply(engine, request()))[0] == "Hello."
        with pytest.raises(EngineError, match=r"engine\.api_key"):
            await OpenAIEngine(server.url, api_key="wrong").start()


async def test_leaving_hangs_up_and_the_server_stops() -> None:
    behind = ScriptedEngine([Reply("on and on", between=0.01, endless=True)])
    async with serving(behind) as server, client(server) as engine:
        async with aclosing(engine.generate(request(max_tokens=1000))) as talk:
            assert isinstance(await anext(talk), Chunk)
        await server.until(lambda: server.hung_up == 1)
        assert behind.cancelled == 1


async def test_a_slow_server_is_left_at_the_deadline() -> None:
    behind = ScriptedEngine([Reply("never", first=60), Reply("one two three", between=0.3)])
    async with serving(behind) as server, client(server) as engine:
        began = time.monotonic()
        text, finish = await reply(engine, request(seconds=0.3))
        assert (text, finish.reason, finish.completion_tokens) == ("", "deadline", 0)
        assert 0.25 < time.monotonic() - began < 1
        text, finish = await reply(engine, request(seconds=0.45))
        assert finish.reason == "deadline"
        assert text.startswith("one")
        assert "three" not in text
        assert (await reply(engine, request(seconds=0)))[1].reason == "deadline"


async def test_too_many_at_once_are_turned_away_here_and_there() -> None:
    gate = asyncio.Event()
    behind = ScriptedEngine([Reply("done", gate=gate)])
    async with serving(behind) as server, client(server, slots=2, queue=1) as engine:
        talks = [asyncio.create_task(reply(engine, request())) for _ in range(3)]
        await server.until(lambda: len(server.bodies) == 2)
        with pytest.raises(EngineBusy, match="3 replies"):
            await reply(engine, request())
        with pytest.raises(EngineBusy, match="2 replies"):
            await reply(engine, request(priority=Priority.BACKGROUND))
        assert len(server.bodies) == 2, "more requests than slots are under way"
        gate.set()
        assert [text for text, _ in await asyncio.gather(*talks)] == ["done"] * 3
        for status in (429, 503):
            server.faults.append(answering(status, {"error": {"message": "no slot"}}))
            with pytest.raises(EngineBusy, match="no slot"):
                await reply(engine, request())


def answering(status: int, content: dict[str, Any]) -> Any:
    async def fault(connection: Connection) -> None:
        await connection.answer(status, content)

    return fault


def streaming(*parts: bytes, end: bool = True, kind: str = "text/event-stream") -> Any:
    async def fault(connection: Connection) -> None:
        await connection.begin(200, kind)
        for part in parts:
            await connection.data(part)
        if end:
            await connection.end()
        else:
            connection.reset()

    return fault


def delta(text: str) -> bytes:
    return f'data: {{"choices": [{{"delta": {{"content": "{text}"}}}}]}}\n\n'.encode()


async def test_before_the_first_word_a_failing_server_is_asked_again() -> None:
    async with serving(ScriptedEngine()) as server, client(server) as engine:
        server.faults += [answering(500, {"error": "out of memory"}), streaming(end=False)]
        assert (await reply(engine, request()))[0] == "Hello."
        assert len(server.bodies) == 3
        server.faults += [answering(502, {})] * 3
        with pytest.raises(EngineError, match="status 502"):
            await reply(engine, request())
        assert len(server.bodies) == 6


async def test_after_the_first_word_it_is_not_asked_again() -> None:
    async with serving(ScriptedEngine()) as server, client(server) as engine:
        server.faults.append(streaming(delta("Once"), end=False))
        talk = engine.generate(request())
        assert await anext(talk) == Chunk("Once")
        with pytest.raises(EngineDown):
            await anext(talk)
        assert len(server.bodies) == 1
        assert (await reply(engine, request()))[0] == "Hello."


async def test_a_server_that_is_away_says_nothing_of_a_version() -> None:
    async with serving(ScriptedEngine()) as server, client(server) as engine:
        server.faults += [answering(500, {})] * 3
        with pytest.raises(EngineError) as failed:
            await reply(engine, request())
        assert not isinstance(failed.value, EngineDown)
        server.faults += [streaming(end=False)] * 3
        with pytest.raises(EngineDown):
            await reply(engine, request())


async def test_a_server_that_starts_anew_says_nothing_of_the_version_it_should_load() -> None:
    behind = ScriptedEngine()
    async with serving(behind) as server, client(server) as engine:
        for server.starting in (500, 502, 503):
            with pytest.raises(EngineDown, match=f"status {server.starting}.*starting"):
                await engine.load(Lane("v7", ADAPTER))
        await server.__aexit__(None, None, None)
        with pytest.raises(EngineDown, match=r"engine\.url.*start the server"):
            await engine.load(Lane("v7", ADAPTER))
    with pytest.raises(EngineError) as failed:
        await OpenAIEngine(server.url.replace("http", "gopher")).start()
    assert not isinstance(failed.value, EngineDown), "that is for whoever set it to correct"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (streaming(b"data: {nonsense\n\n"), "no chat completion"),
        (streaming(b'data: {"choices": 7}\n\n'), "no chat completion"),
        (streaming(b"\xff\xfe\x00 garbage without an end"), "broke off"),
        (streaming(b""), "broke off"),
        (streaming(delta("Half a"), b"data: [DONE]\n\n"), "broke off"),
        (streaming(b"<html>hello</html>", kind="text/html"), "content type"),
        (streaming(b'data: {"error": {"message": "slot died"}}\n\n'), "slot died"),
        (streaming(b"data: " + b"x" * 1_000_000 + b"\n\n"), "byte limit"),
        (streaming(*[b"data: " + b"y" * 10_000] * 100), "byte limit"),
        (answering(400, {"error": {"message": "bad sampler"}}), "bad sampler"),
        (answering(404, {"nothing": 1}), "status 404"),
        (answering(400, {"error": "z" * 2_000_000}), "longer than"),
    ],
)
async def test_a_server_that_talks_nonsense_is_an_error_with_a_reason(fault: Any, reason: str) -> None:
    async with serving(ScriptedEngine()) as server, client(server) as engine:
        server.faults.append(fault)
        with pytest.raises(EngineError, match=reason):
            await reply(engine, request())
        assert (await reply(engine, request()))[0] == "Hello."


async def test_a_compressed_stream_is_not_unpacked() -> None:
    async def compressed(connection: Connection) -> None:
        await connection.begin(headers=(("Content-Encoding", "gzip"),))
        await connection.data(b"\x1f\x8b")
        await connection.end()

    async with serving(ScriptedEngine()) as server, client(server) as engine:
        server.faults.append(compressed)
        with pytest.raises(EngineError, match="compresses"):
            await reply(engine, request())


async def test_a_server_that_does_not_keep_the_token_limit_is_cut_off() -> None:
    async with serving(ScriptedEngine()) as server, client(server) as engine:
        server.faults.append(streaming(delta("a" * 50_000)))
        text, finish = await reply(engine, request(max_tokens=10))
        assert (len(text), finish.reason) == (320, "length")
        server.faults.append(streaming(*[delta("word ")] * 2_000))
        text, finish = await reply(engine, request(max_tokens=10))
        assert (len(text), finish.reason) == (320, "length")


async def test_stop_strings_hold_even_where_the_server_ignores_them() -> None:
    async with serving(ScriptedEngine(["Yes. Pla yer: no"])) as server, client(server) as engine:
        text, finish = await reply(engine, request(stop=("Pla y",)))
        assert (text, finish.reason) == ("Yes. ", "stop")


async def test_tokens_are_counted_here_where_the_server_does_not() -> None:
    async with serving(ScriptedEngine(["one two three"]), usage=False) as server, client(server) as engine:
        _, finish = await reply(engine, request())
        assert (finish.prompt_tokens, finish.completion_tokens) == (0, 3)
        _, finish = await reply(engine, request(max_tokens=2))
        assert (finish.reason, finish.completion_tokens) == ("length", 2)


@pytest.mark.parametrize(
    ("content", "tokens", "limit"),
    [
        ({"type": "exceed_context_size_error", "n_prompt_tokens": 900, "n_ctx": 512}, 900, 512),
        ({"message": "The input (900 tokens) exceeds the context length (512 tokens)."}, 900, 512),
        ({"message": "too big", "code": "context_length_exceeded"}, 0, 0),
    ],
)
async def test_a_prompt_that_does_not_fit_there_is_too_long(
    content: dict[str, Any], tokens: int, limit: int
) -> None:
    async with serving(ScriptedEngine(context=10)) as server, client(server) as engine:
        with pytest.raises(PromptTooLong) as raised:
            await reply(engine, request("word " * 50))
        assert raised.value.tokens > raised.value.limit == 10
        server.faults.append(answering(400, {"error": content}))
        with pytest.raises(PromptTooLong) as raised:
            await reply(engine, request())
        assert (raised.value.tokens, raised.value.limit) == (tokens, limit)


async def test_closing_ends_every_reply_with_an_error() -> None:
    behind = ScriptedEngine([Reply("on and on", between=0.01, endless=True), Reply("late", first=60)])
    async with serving(behind) as server, client(server, slots=2, queue=1) as engine:
        talks = [asyncio.create_task(reply(engine, request(max_tokens=1000))) for _ in range(3)]
        await server.until(lambda: len(server.bodies) == 2)
        await engine.close()
        async with asyncio.timeout(2):
            results = await asyncio.gather(*talks, return_exceptions=True)
        assert [type(result) for result in results] == [EngineError] * 3
        with pytest.raises(EngineError, match="not running"):
            await reply(engine, request())


async def test_closing_at_a_replys_deadline_closes() -> None:
    behind = ScriptedEngine([Reply("late", first=60)])
    async with serving(behind) as server, client(server) as engine:
        talk = asyncio.create_task(reply(engine, request(seconds=0.5)))
        await server.until(lambda: len(server.bodies) == 1)
        time.sleep(0.6)  # noqa: ASYNC251 (so that the deadline comes in the tick after the next)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await engine.close()
        with pytest.raises(EngineError, match="not running"):
            await talk


async def test_an_empty_reason_to_end_ends_nothing() -> None:
    event = completions.event('{"choices": [{"delta": {"content": "Well"}, "finish_reason": ""}]}')
    assert (event.text, event.reason) == ("Well", None)


async def test_warming_asks_for_one_token_of_the_prefix() -> None:
    async with serving(ScriptedEngine()) as server, client(server) as engine:
        await engine.warm((SMITH,))
        with pytest.raises(LaneUnknown):
            await engine.warm((SMITH,), lane="v7")
    (body,) = server.bodies
    assert body["max_tokens"] == 1
    assert body["messages"][0]["content"] == SMITH.content


async def test_a_server_that_never_answers_is_given_up_at_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        engine = OpenAIEngine(f"http://127.0.0.1:{mute.getsockname()[1]}/v1")
        began = time.monotonic()
        with pytest.raises(EngineError, match="TimeoutError"):
            await engine.start()
        assert time.monotonic() - began < 8
        await engine.close()


async def test_a_waiting_player_goes_before_background_work_that_came_first() -> None:
    gate = asyncio.Event()
    behind = ScriptedEngine([Reply("done", gate=gate)])
    async with serving(behind) as server, client(server, slots=1) as engine:
        talks = [asyncio.create_task(reply(engine, request("under way")))]
        await server.until(lambda: len(server.bodies) == 1)
        for line, priority in (("evaluation", Priority.BACKGROUND), ("player", Priority.PLAYER)):
            talks.append(asyncio.create_task(reply(engine, request(line, priority=priority))))
            await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(*talks)
    asked = [body["messages"][-1]["content"] for body in server.bodies]
    assert asked == ["under way", "player", "evaluation"]
