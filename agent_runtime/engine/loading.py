"""From a path to a model that is ready to speak: checks, loads, sizes the context, runs a first batch."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from agent_runtime.engine import modelfile, threads
from agent_runtime.engine.backend import DecodeFailed, Row, Size
from agent_runtime.engine.ggufheader import Header
from agent_runtime.engine.interface import ModelInfo
from agent_runtime.engine.llama import Llama
from agent_runtime.engine.scheduler import CHUNK_ALONE
from agent_runtime.engine.template import ChatTemplate
from agent_runtime.errors import ModelFileError
from agent_runtime.npc.prompt import Message

PROBE_CELLS = 32
"""KV cells beyond those of all talks, in a sequence of their own, for trying an adapter out."""

_PREFIXES = 32
_CELLS_PER_TALK = 512
_MAX_CONTEXT = 4096
_PROBE = (Message("system", "s"), Message("user", "u"))


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a model may take: threads (0: measured), talks side by side, tokens per talk (0: the
    model's own, but at most 4,096), bytes for KV cells that pause."""

    threads: int
    slots: int
    context: int
    shelf_bytes: int = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model ready to speak, and what it was loaded for. It decodes with `threads` threads, the best of
    `tries`."""

    model: Llama
    template: ChatTemplate
    info: ModelInfo
    header: Header
    size: Size
    slots: int
    prefixes: int
    cells: int
    shelf_bytes: int
    tries: list[int]
    threads: int


def load(path: Path, limits: Limits) -> Loaded:
    """Load a model on the calling thread, which must be the only one that uses it. Raises
    `ModelFileError`."""
    header = modelfile.read_header(path)
    digest = modelfile.digest(path)
    model = Llama(path)
    try:
        template = _template(model, path)
        context = min(limits.context or _MAX_CONTEXT, model.trained_context)
        # Reserving the longest reply for everybody would cost memory that talks rarely use.
        cells = max(context, limits.slots * min(context, _CELLS_PER_TALK))
        slots = min(limits.slots, model.most_sequences // 2)
        prefixes = min(_PREFIXES, model.most_sequences - slots - 1)
        tries = [limits.threads] if limits.threads else threads.candidates(threads.cores())
        size = Size(slots + prefixes + 1, cells + PROBE_CELLS, CHUNK_ALONE, tries[0])
        model.open(size)
        # The first batch builds the graph and pages the weights in: better now than for a player.
        model.decode([Row(0, 0, [max(model.bos, 0)], True)])
        model.drop(0)
        chosen = threads.choose(model, 0, tries, time.perf_counter) if len(tries) > 1 else tries[0]
    except DecodeFailed as error:
        model.close()
        raise ModelFileError(f"{path}: {error}") from error
    except BaseException:
        model.close()
        raise
    info = ModelInfo(model.name() or path.stem, digest, model.parameters, context, chosen)
    return Loaded(
        model, template, info, header, size, slots, prefixes, cells, limits.shelf_bytes, tries, chosen
    )


def _template(model: Llama, path: Path) -> ChatTemplate:
    source = model.chat_template()
    if not source:
        raise ModelFileError(f"{path}: it has no chat template; choose a model made for chat (instruct)")
    template = ChatTemplate(source, model.text(model.bos), model.text(model.eos))
    template.pieces(_PROBE)
    return template
