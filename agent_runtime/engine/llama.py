"""One GGUF model and its KV cache behind plain calls: tokens come in, logits are sampled, tokens go out.

The only importer of `llama_cpp`. Everything here must be called from one and the same thread, from
loading on: each thread that enters the library gets a pool of workers of its own, and two pools spin
against each other. Nothing here knows of talks or players.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
from numpy.typing import NDArray

from agent_runtime.engine.backend import ContextFull, DecodeFailed, Row, Size, Version
from agent_runtime.engine.batch import Batch
from agent_runtime.engine.complaints import Complaints
from agent_runtime.engine.pulse import Pulse
from agent_runtime.engine.residents import ADAPTER_BYTES, Residents
from agent_runtime.engine.sampling import Stage
from agent_runtime.errors import AdapterError, ModelFileError

_MAX_PIECE = 1024
_complaints = Complaints()
# Kept here, because the library calls it whenever it likes.
_on_log = llama_cpp.llama_log_callback(_complaints.take)


def listen() -> Complaints:
    """What the library complains of from now on."""
    llama_cpp.llama_log_set(_on_log, ctypes.c_void_p(0))
    _complaints.clear()
    return _complaints


class Llama:
    """A loaded model with one context. Raises `ModelFileError` when the file cannot be used.

    `path` must have passed `modelfile.read_header`: the library may abort the process otherwise. `like` is
    a model with the same vocabulary. `pulse` beats while a long batch is computed.
    """

    def __init__(self, path: Path, like: Llama | None = None) -> None:
        listen()
        llama_cpp.llama_backend_init()
        _complaints.clear()
        parameters = llama_cpp.llama_model_default_params()
        parameters.check_tensors = True
        self._model = llama_cpp.llama_model_load_from_file(str(path).encode(), parameters)
        self._context: Any = None
        self._residents = Residents(self._load_adapter, llama_cpp.llama_adapter_lora_free, ADAPTER_BYTES)
        self._used: tuple[Path | None, float] = (None, 1.0)
        self.pulse: Pulse = like.pulse if like else Pulse()
        # A failed load is a NULL pointer, which is not None.
        if not self._model:
            raise ModelFileError(f"{path}: the engine refuses it: {_complaints.reason()}")
        self._vocab = llama_cpp.llama_model_get_vocab(self._model)
        of_one_piece = llama_cpp.llama_model_is_recurrent, llama_cpp.llama_model_is_hybrid
        self._can_cut = not any(asked(self._model) for asked in of_one_piece)
        self.vocabulary = int(llama_cpp.llama_vocab_n_tokens(self._vocab))
        self.trained_context = int(llama_cpp.llama_model_n_ctx_train(self._model))
        self.parameters = int(llama_cpp.llama_model_n_params(self._model))
        self.bos = int(llama_cpp.llama_vocab_bos(self._vocab))
        self.most_sequences = int(llama_cpp.llama_max_parallel_sequences())
        self.eos = int(llama_cpp.llama_vocab_eos(self._vocab))
        self.adds_bos = bool(llama_cpp.llama_vocab_get_add_bos(self._vocab))
        # Reading them all takes as long as the rest of loading a small model.
        self._pieces: list[bytes] = (
            like._pieces if like else [self._read_piece(token, False) for token in range(self.vocabulary)]
        )
        self._silent = [token for token, piece in enumerate(self._pieces) if not piece]
        self.longest_piece = max(map(len, self._pieces))
        self._chain = llama_cpp.llama_sampler_chain_default_params()

    def open(self, size: Size) -> None:
        """Make the context. Raises `ModelFileError` when the library refuses (out of memory, mostly)."""
        self._size = size
        parameters = llama_cpp.llama_context_default_params()
        parameters.n_ctx = size.cells
        parameters.n_batch = parameters.n_ubatch = size.batch
        parameters.n_seq_max = size.sequences
        # One per sequence: logits for every token of a batch would take hundreds of megabytes with a
        # large vocabulary.
        parameters.n_outputs_max = size.sequences
        parameters.n_threads = parameters.n_threads_batch = size.threads
        # Copying part of a sequence aborts the process without one unified cache.
        parameters.kv_unified = True
        parameters.no_perf = True
        _complaints.clear()
        context = llama_cpp.llama_init_from_model(self._model, parameters)
        if not context:
            raise ModelFileError(
                f"no room for {size.cells} tokens: {_complaints.reason()}; lower model.context"
            )
        self._context = context
        self._memory = llama_cpp.llama_get_memory(context)
        if not self._memory:
            raise ModelFileError("the model keeps no KV cache, so it cannot talk")
        self._batch = Batch(size.batch)
        self._struct = llama_cpp.llama_batch(n_tokens=0, embd=None, **self._batch.fields)

    def chat_template(self) -> str | None:
        """The template in the file, or None when it carries none."""
        source = llama_cpp.llama_model_chat_template(self._model, None)
        return source.decode("utf-8", "replace") if source else None

    def name(self) -> str:
        """The model's own name; empty when it has none."""
        buffer = ctypes.create_string_buffer(256)
        length = llama_cpp.llama_model_meta_val_str(self._model, b"general.name", buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace") if length > 0 else ""

    def tokenize(self, text: str, special: bool) -> list[int]:
        """Token ids. Special tokens count as such only with `special`; no BOS is added."""
        data = text.encode("utf-8", "replace")
        room = len(data) + 2
        while True:
            tokens = (ctypes.c_int32 * room)()
            count = llama_cpp.llama_tokenize(self._vocab, data, len(data), tokens, room, False, special)
            if count >= 0:
                return list(tokens[:count])
            room = -count

    def piece(self, token: int) -> bytes:
        """The bytes that a token stands for; none for control tokens."""
        return self._pieces[token]

    def text(self, token: int) -> str:
        """A token as it is spelled in a template, control tokens included; empty when there is none."""
        return self._read_piece(token, special=True).decode("utf-8", "replace") if token >= 0 else ""

    def ends(self, token: int) -> bool:
        """Whether the reply is over with this token. A role's token ends it as well as end-of-turn."""
        return bool(
            llama_cpp.llama_vocab_is_eog(self._vocab, token)
            or llama_cpp.llama_vocab_is_control(self._vocab, token)
        )

    def use(self, version: Version) -> None:
        """Answer as this version from the next batch on; its adapter must have passed `adapterfile.check`,
        and its file stays as it is. Raises `AdapterError`."""
        wanted = (version.adapter, version.scale)
        if wanted == self._used:
            return
        handles = [self._residents.get(version.adapter)] if version.adapter else []
        adapters = (llama_cpp.llama_adapter_lora_p_ctypes * 1)(*handles)
        scales = (ctypes.c_float * 1)(version.scale)
        if llama_cpp.llama_set_adapters_lora(self._context, adapters, len(handles), scales):
            raise AdapterError(f"{version.adapter}: the engine cannot use it: {_complaints.reason()}")
        self._used = wanted

    def unload(self, adapter: Path) -> None:
        """Free an adapter, if it is loaded."""
        if self._used[0] == adapter:
            self.use(Version())
        self._residents.drop(adapter)

    def _load_adapter(self, path: Path) -> Any:
        _complaints.clear()
        handle = llama_cpp.llama_adapter_lora_init(self._model, str(path).encode())
        # A failed load is a NULL pointer, which is not None.
        if not handle:
            raise AdapterError(f"{path}: the engine refuses it: {_complaints.reason()}")
        return handle

    def logits(self, place: int) -> NDArray[np.float32]:
        """A copy of the logits at `place`."""
        values = llama_cpp.llama_get_logits_ith(self._context, place)
        return np.ctypeslib.as_array(values, (self.vocabulary,)).copy()

    def decode(self, rows: Sequence[Row]) -> list[int]:
        """Run the rows through the model in one batch.

        Returns, row by row, where the logits of its last token lie (for `sample`), or −1 for a row that
        wants none. Raises `ContextFull` (nothing was changed) or `DecodeFailed` (drop the sequences).
        """
        places = self._batch.fill(rows)
        self._struct.n_tokens = self._batch.tokens
        llama_cpp.llama_set_abort_callback(self._context, self.pulse.asked(self._batch.tokens), None)
        status = llama_cpp.llama_decode(self._context, self._struct)
        if status == 1:
            raise ContextFull("no room in the KV cache")
        if status:
            raise DecodeFailed(f"the engine failed on a batch (status {status}): {_complaints.reason()}")
        return places

    def sampler(self, stages: Sequence[Stage]) -> object:
        """A sampler chain; free it with `free`."""
        chain = llama_cpp.llama_sampler_chain_init(self._chain)
        for name, arguments in stages:
            make = getattr(llama_cpp, f"llama_sampler_init_{name}")
            if name == "penalties":
                arguments = (self.vocabulary, *arguments)
            llama_cpp.llama_sampler_chain_add(chain, make(*arguments))
        return chain

    def sample(self, sampler: object, place: int, grammar: object = None) -> int:
        """Draw a token from the logits at `place`, and where there is a grammar, one that it allows;
        sampler and grammar remember it."""
        if grammar is None:
            return int(llama_cpp.llama_sampler_sample(sampler, self._context, place))
        # Asking the grammar about every token of a vocabulary takes long, and mostly the first draw will do.
        logits = self.logits(place)
        token = _draw(logits, sampler)
        if not self.accept(grammar, token):
            logits[self._silent] = -np.inf
            token = _draw(logits, grammar, sampler)
            llama_cpp.llama_sampler_accept(grammar, token)
        llama_cpp.llama_sampler_accept(sampler, token)
        return token

    def grammar(self, text: str) -> object:
        """A new grammar from GBNF; free it with `free`. None when it cannot be read."""
        return llama_cpp.llama_sampler_init_grammar(self._vocab, text.encode(), b"root") or None

    def accept(self, grammar: object, token: int) -> bool:
        """Take a token that was said; false, and nothing is changed, when the grammar forbids it."""
        if not self._pieces[token]:
            # To the library's grammars a control token is its name in letters.
            return False
        candidates, _ = _apply(np.array([token]), np.zeros(1, np.float32), grammar)
        if candidates["logit"][0] < 0:
            # The library throws through us when it must accept what it forbids.
            return False
        llama_cpp.llama_sampler_accept(grammar, token)
        return True

    def free(self, sampler: object) -> None:
        """Give a sampler chain or a grammar back."""
        llama_cpp.llama_sampler_free(sampler)

    def copy(self, source: int, target: int, length: int) -> None:
        """Let `target` share the first `length` cells of `source`."""
        llama_cpp.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def drop(self, sequence: int) -> None:
        """Forget a sequence; cells that others share stay."""
        llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    def cut(self, sequence: int, start: int, end: int = -1) -> None:
        """Forget a sequence's cells from position `start` up to `end`, or to its last."""
        llama_cpp.llama_memory_seq_rm(self._memory, sequence, start, end)

    def save(self, sequence: int) -> bytearray:
        """A copy of a sequence's cells, for this file and library only; empty where they cannot be cut."""
        if not self._can_cut:
            return bytearray()
        state = bytearray(llama_cpp.llama_state_seq_get_size(self._context, sequence))
        size = llama_cpp.llama_state_seq_get_data(self._context, _bytes(state), len(state), sequence)
        return state if size == len(state) else bytearray()

    def restore(self, sequence: int, state: bytearray) -> bool:
        """Put saved cells back, as all that the sequence has; false when there is no room."""
        return bool(llama_cpp.llama_state_seq_set_data(self._context, _bytes(state), len(state), sequence))

    def set_threads(self, threads: int) -> None:
        """Use so many threads from the next batch on."""
        llama_cpp.llama_set_n_threads(self._context, threads, threads)

    def close(self) -> None:
        """Free everything; nothing may be called afterwards."""
        if self._context:
            self.use(Version())
            self._residents.clear()
            llama_cpp.llama_free(self._context)
            self._context = None
        if self._model:
            llama_cpp.llama_model_free(self._model)
            self._model = None

    def _read_piece(self, token: int, special: bool) -> bytes:
        buffer = ctypes.create_string_buffer(_MAX_PIECE)
        length = llama_cpp.llama_token_to_piece(self._vocab, token, buffer, _MAX_PIECE, 0, special)
        return buffer.raw[: max(length, 0)]


def _draw(logits: NDArray[np.float32], *samplers: object) -> int:
    candidates, chosen = _apply(np.arange(len(logits)), logits, *samplers)
    return int(candidates["id"][chosen])


def _apply(
    tokens: NDArray[np.int64], logits: NDArray[np.float32], *samplers: object
) -> tuple[NDArray[np.void], int]:
    """What samplers make of some tokens, and which of these the last one chose (−1 for none)."""
    candidates = np.zeros(len(tokens), llama_cpp.llama_token_data)
    candidates["id"], candidates["logit"] = tokens, logits
    data = candidates.ctypes.data_as(llama_cpp.llama_token_data_p)
    array = llama_cpp.llama_token_data_array(data, len(tokens), -1, False)
    for sampler in samplers:
        llama_cpp.llama_sampler_apply(sampler, ctypes.byref(array))
    return candidates, int(array.selected)


def _bytes(state: bytearray) -> Any:
    return (ctypes.c_uint8 * len(state)).from_buffer(state)
