"""Starts the configured engine once and measures it: settings come in, one line of JSON goes out.

`python -m agent_runtime.doctor.probe [HOME]` is what the doctor runs in a process of its own, so that a model
that kills the engine library kills nothing else. It takes about two seconds beyond loading.
"""

from __future__ import annotations

import asyncio
import logging
import re
import sys
import time
from pathlib import Path
from statistics import median

import msgspec
import psutil

from agent_runtime import config
from agent_runtime.app import engine_of
from agent_runtime.doctor.model import Report
from agent_runtime.engine.build import build
from agent_runtime.engine.interface import Engine, Finish, Request
from agent_runtime.errors import TownsfolkError
from agent_runtime.npc.persona import Persona, Sampling
from agent_runtime.npc.prompt import Message, system_text, user_text

_SECONDS = 0.9
_LONGEST = 10.0
_FIRSTS = 5
_OFFLOADED = re.compile(r"offloaded (\d+)/(\d+) layers to GPU")
_ALONE, _TOGETHER = 1, 16


class _Offloaded(logging.Handler):
    """Listens to what the library says of layers on a GPU while it loads."""

    gpu_layers, layers = 0, 0

    def emit(self, record: logging.LogRecord) -> None:
        found = _OFFLOADED.search(record.getMessage())
        if found:
            self.gpu_layers, self.layers = int(found[1]), int(found[2])


async def measure(engine: Engine, slots: int) -> Report:
    """Start the engine and measure it. Raises `EngineError`."""
    listener = _Offloaded(logging.DEBUG)
    library = logging.getLogger("townsfolk.llama")
    library.addHandler(listener)
    library.setLevel(logging.DEBUG)
    library.propagate = False
    began = time.monotonic()
    await engine.start()
    load_ms = (time.monotonic() - began) * 1000
    library.removeHandler(listener)
    info, here = engine.info, build()
    await _reply(engine, 0, tokens=1)
    firsts = [(await _reply(engine, number, tokens=1)).first_token_ms for number in range(1, _FIRSTS + 1)]
    together = min(slots, _TOGETHER)
    return Report(
        library=here.version,
        features=list(here.features),
        gpu_build=here.gpu,
        name=info.name,
        digest=info.digest,
        context=info.context,
        parameters=info.parameters,
        load_ms=load_ms,
        first_token_ms=median(firsts),
        rate_alone=await _rate(engine, _ALONE),
        rate_together=await _rate(engine, together),
        together=together,
        resident=psutil.Process().memory_info().rss,
        gpu_layers=listener.gpu_layers,
        layers=listener.layers,
        threads=info.threads,
    )


async def _rate(engine: Engine, talks: int) -> float:
    """Tokens a second of so many talks, each going on with a new line as soon as it was answered."""
    began = time.monotonic()

    async def talk(number: int) -> int:
        tokens = 0
        while time.monotonic() < began + _SECONDS:
            tokens += (await _reply(engine, number := number + talks, tokens=100)).completion_tokens
        return tokens

    said = await asyncio.gather(*(talk(100 + number) for number in range(talks)))
    return sum(said) / (time.monotonic() - began)


async def _reply(engine: Engine, number: int, tokens: int) -> Finish:
    persona = Persona(id="probe", name="Mira", role="the miller", voice="kind", about="You run the mill.")
    messages = (
        Message("system", system_text(persona)),
        Message("user", user_text("you", f"{number}: tell me a story about the river and the mill")),
    )
    request = Request(
        messages, Sampling(temperature=1.0, max_tokens=tokens, seed=number + 1), time.monotonic() + _LONGEST
    )
    async for event in engine.generate(request):
        if isinstance(event, Finish):
            return event
    raise AssertionError("a reply ended without a finish")


async def _probe(home: Path | None) -> Report:
    try:
        settings = config.load(home)
        # We are a process of our own already, and what the library says must be heard here.
        here = settings.engine.model_copy(update={"isolated": False})
        engine = engine_of(settings.model_copy(update={"engine": here}))
        try:
            return await measure(engine, settings.model.slots)
        finally:
            await engine.close()
    except TownsfolkError as error:
        return Report(error=str(error))


if __name__ == "__main__":
    report = asyncio.run(_probe(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
    print(msgspec.json.encode(report).decode())
