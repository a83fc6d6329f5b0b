"""The bound: llama-cpp-python's batch calls in a bare loop, without scheduler, event loop or text.

`python -m benchmarks.peers.raw MODEL THREADS SLOTS`. Sequence 0 keeps the persona's prefix; talks copy it.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import sys
import time

import llama_cpp

from agent_runtime.engine.sampling import stages
from agent_runtime.engine.template import ChatTemplate
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Message
from benchmarks.peers.process import serve
from benchmarks.peers.talks import LINE, WARM, line, persona

_CONTEXT, _BATCH = 1024, 512
_CELLS = 512
_numbers = itertools.count(1)


@llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
def _silent(level: int, text: bytes, data: object) -> None:
    pass


class Raw:
    """One model, `slots` sequences beside the prefix."""

    def __init__(self, model: str, threads: int, slots: int) -> None:
        llama_cpp.llama_log_set(_silent, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        self._model = llama_cpp.llama_model_load_from_file(
            model.encode(), llama_cpp.llama_model_default_params()
        )
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = max(_CONTEXT, slots * _CELLS)
        parameters.n_batch = parameters.n_ubatch = _BATCH
        parameters.n_seq_max = slots + 1
        parameters.n_threads = parameters.n_threads_batch = threads
        parameters.kv_unified = True
        self._context = llama_cpp.llama_init_from_model(self._model, parameters)
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self._memory = llama_cpp.llama_get_memory(self._context)
        template = llama_cpp.llama_model_chat_template(self._model, None)
        self._template = ChatTemplate(template.decode())
        self._batch = llama_cpp.llama_batch_init(_BATCH, 0, 1)
        self._prefix = self._tokens(WARM, prefix=True)
        self._read(0, 0, self._prefix)

    async def cold(self) -> float:
        who = persona(f"Stranger {next(_numbers)}")
        began = time.perf_counter()
        self._read(1, 0, self._tokens(who, prefix=True) + self._tokens(who))
        return self._first(began)

    async def cached(self) -> float:
        began = time.perf_counter()
        self._join(1, self._tokens(WARM, line()))
        return self._first(began)

    async def decode(self, count: int, tokens: int) -> float:
        """Tokens a second of so many sequences, each sampled by itself."""
        samplers = [self._sampler(number + 1) for number in range(count)]
        next_tokens, lengths = [], []
        for number, sampler in enumerate(samplers):
            told = self._tokens(WARM, line())
            place = self._join(number + 1, told)
            next_tokens.append(llama_cpp.llama_sampler_sample(sampler, self._context, place))
            lengths.append(len(self._prefix) + len(told))
        began = time.perf_counter()
        for _ in range(tokens - 1):
            for number in range(count):
                self._put(number, next_tokens[number], lengths[number], number + 1, True)
                lengths[number] += 1
            self._decode(count)
            for number, sampler in enumerate(samplers):
                next_tokens[number] = llama_cpp.llama_sampler_sample(sampler, self._context, number)
        elapsed = time.perf_counter() - began
        for number, sampler in enumerate(samplers):
            llama_cpp.llama_sampler_free(sampler)
            llama_cpp.llama_memory_seq_rm(self._memory, number + 1, -1, -1)
        return count * (tokens - 1) / elapsed

    def _first(self, began: float) -> float:
        """Draw one token of sequence 1 and forget it; milliseconds since then."""
        sampler = self._sampler(1)
        llama_cpp.llama_sampler_sample(sampler, self._context, -1)
        elapsed = time.perf_counter() - began
        llama_cpp.llama_sampler_free(sampler)
        llama_cpp.llama_memory_seq_rm(self._memory, 1, -1, -1)
        return elapsed * 1000

    def _join(self, sequence: int, line: list[int]) -> int:
        """A sequence that begins with the prefix and goes on with a line; where its logits lie."""
        llama_cpp.llama_memory_seq_cp(self._memory, 0, sequence, 0, len(self._prefix))
        return self._read(sequence, len(self._prefix), line)

    def _read(self, sequence: int, position: int, tokens: list[int]) -> int:
        for start in range(0, len(tokens), _BATCH):
            part = tokens[start : start + _BATCH]
            for index, token in enumerate(part):
                self._put(index, token, position + start + index, sequence, index == len(part) - 1)
            self._decode(len(part))
        return len(part) - 1

    def _put(self, index: int, token: int, position: int, sequence: int, wanted: bool) -> None:
        batch = self._batch
        batch.token[index], batch.pos[index], batch.logits[index] = token, position, wanted
        batch.n_seq_id[index] = 1
        batch.seq_id[index][0] = sequence

    def _decode(self, count: int) -> None:
        self._batch.n_tokens = count
        if llama_cpp.llama_decode(self._context, self._batch):
            raise RuntimeError("llama_decode failed")

    def _tokens(self, who: Message, said: str = LINE, prefix: bool = False) -> list[int]:
        """The prefix's tokens, or what follows it."""
        found: list[int] = []
        for piece in self._template.split((who, Message("user", said)), 1)[0 if prefix else 1]:
            data = piece.text.encode()
            room = (ctypes.c_int32 * (len(data) + 2))()
            count = llama_cpp.llama_tokenize(
                self._vocabulary, data, len(data), room, len(room), False, piece.special
            )
            found += room[:count]
        return found

    def _sampler(self, seed: int) -> object:
        chain = llama_cpp.llama_sampler_chain_init(llama_cpp.llama_sampler_chain_default_params())
        for name, arguments in stages(Sampling(), seed):
            llama_cpp.llama_sampler_chain_add(
                chain, getattr(llama_cpp, f"llama_sampler_init_{name}")(*arguments)
            )
        return chain


async def main(model: str, threads: int, slots: int) -> None:
    peer = Raw(model, threads, slots)
    await serve({name: getattr(peer, name) for name in ("cold", "cached", "decode")})


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
