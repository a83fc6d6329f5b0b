"""The doctor's look at the model: what runs it here, how fast that is, and what would make it faster.

The engine starts in a process of its own (`probe`): a file that kills the library is a finding.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil

from agent_runtime.config import Settings
from agent_runtime.doctor import machine
from agent_runtime.doctor.finding import Finding, State
from agent_runtime.engine.threads import cores
from agent_runtime.errors import AdapterError, TownsfolkError

PROBE = (sys.executable, "-m", "agent_runtime.doctor.probe")
PROBE_SECONDS = 300

# The runtime itself with an idle embedded model, beside the model's own weights.
_RUNTIME_BYTES = 250 * 2**20

_SLOW_FIRST_MS = 1000.0
_READING = 8.0
"""Tokens a second that somebody reads."""


class Report(msgspec.Struct):
    """What `probe` measured: rates in tokens a second, times in milliseconds, memory in bytes; or `error`.
    The library is llama-cpp-python, with the processor features that it uses."""

    error: str = ""
    library: str = ""
    features: list[str] = []
    gpu_build: bool = False
    name: str = ""
    digest: str = ""
    context: int = 0
    parameters: int = 0
    load_ms: float = 0.0
    first_token_ms: float = 0.0
    rate_alone: float = 0.0
    rate_together: float = 0.0
    together: int = 0
    resident: int = 0
    gpu_layers: int = 0
    layers: int = 0
    threads: int = 0


def model_findings(settings: Settings) -> Iterator[Finding]:
    """Whether the model runs here, and how well."""
    if settings.engine.backend == "openai":
        yield from _measured(settings, None)
        return
    from agent_runtime.models import embedded_model

    try:
        path = settings.model_path or embedded_model(settings.home)
        size = path.stat().st_size
    except (TownsfolkError, OSError) as error:
        yield Finding("broken", "model", str(error), "set model.path, or `townsfolk model pull REPO FILE`")
        return
    free = psutil.virtual_memory().available
    needed = size + _RUNTIME_BYTES
    state: State = "fine" if needed < free else "warning"
    fix = "" if state == "fine" else "choose a smaller model or a smaller model.context"
    yield Finding(state, "memory", f"{free / 2**20:.0f} MiB free, about {needed / 2**20:.0f} needed", fix)
    yield from adapter_findings(settings, path)
    yield from _measured(settings, path)


def build_finding(report: Report, gpus: list[str]) -> Finding:
    """What llama-cpp-python was compiled for, and whether that is all that this machine has."""
    kinds = "with" if report.gpu_build else "without"
    said = f"llama-cpp-python {report.library}, {kinds} GPU support ({', '.join(report.features)})"
    if gpus and not report.gpu_build:
        kind = "METAL" if "Apple" in gpus[0] else "CUDA" if "NVIDIA" in gpus[0] else "VULKAN"
        fix = (
            f"for larger models build it with: CMAKE_ARGS=-DGGML_{kind}=on pip install --no-deps "
            f"--force-reinstall --no-cache-dir llama-cpp-python=={report.library}"
        )
        return Finding("warning", "engine", f"{said}, but there is {', '.join(gpus)}", fix)
    return Finding("fine", "engine", said)


def threads_finding(threads: int, chosen: int, cores: int) -> Finding:
    """How many threads decode, and whether they leave the game server a core; `threads` is the setting."""
    if threads > cores:
        said = f"model.threads is {threads}, and {cores} cores are here"
        return Finding("warning", "threads", said, "set model.threads = 0")
    if threads == cores > 1:
        said = f"model.threads takes all {cores} cores: replies stall whenever the game server works"
        return Finding("warning", "threads", said, "set model.threads = 0, which leaves it one")
    why = "as set" if threads else "which measured fastest at this start"
    return Finding("fine", "threads", f"{chosen} for decoding, {why}; {cores} cores are here")


def adapter_findings(settings: Settings, base: Path) -> Iterator[Finding]:
    """Whether the personas' own adapters fit the base."""
    from agent_runtime.engine import adapterfile, modelfile
    from agent_runtime.npc.persona import load_personas

    try:
        personas = load_personas(*settings.persona_folders).values()
        header = modelfile.read_header(base)
    except TownsfolkError:
        return  # told elsewhere
    for persona in personas:
        if not persona.adapter:
            continue
        try:
            size = adapterfile.check(persona.adapter, header).size
        except AdapterError as error:
            fix = "the champion answers for it until then"
            yield Finding("warning", "adapter", f"{persona.id}: {error}", fix)
        else:
            said = f"{persona.id}: {persona.adapter} fits the base, {size / 2**20:.1f} MiB"
            yield Finding("fine", "adapter", said)


def speed_finding(report: Report, deadline_s: float, strained: bool = False) -> Finding:
    """What was measured, and what would help where it is too slow; `strained` when other programs keep the
    processor busy."""
    each = report.rate_together / report.together
    said = (
        f"first token after {report.first_token_ms:.1f} ms; {report.rate_alone:,.0f} tokens/s for one talk, "
        f"{report.rate_together:,.0f} for {report.together} at once ({each:,.1f} each)"
    )
    if strained and (report.first_token_ms > _SLOW_FIRST_MS or each < _READING):
        fix = "other programs keep the processor busy: look again when they rest, or move them elsewhere"
        return Finding("warning", "speed", said, fix)
    if report.first_token_ms > _SLOW_FIRST_MS or report.rate_alone < _READING:
        fix = "this base is too large for this machine: take a smaller one, or a Q4_0 file of it, or a GPU"
        return Finding("warning", "speed", said, fix)
    if each < _READING:
        fix = f"lower model.slots to {max(1, int(report.rate_together / _READING))}, or take a smaller base"
        return Finding("warning", "speed", said, fix)
    if report.rate_alone * deadline_s < 60:
        return Finding("warning", "speed", said, "a reply may not be over in turn.deadline_s: raise it")
    return Finding("fine", "speed", said)


def gpu_finding(report: Report) -> Finding | None:
    """Where the layers run, when a GPU was offered any."""
    if not report.layers:
        return None
    said = f"{report.gpu_layers} of {report.layers} layers"
    if report.gpu_layers < report.layers:
        return Finding("warning", "GPU", said, "the others run on the CPU: take a smaller file or context")
    return Finding("fine", "GPU", said)


def _measured(settings: Settings, path: Path | None) -> Iterator[Finding]:
    where = str(path) if path else settings.engine.url
    strained = psutil.getloadavg()[0] > cores()
    try:
        done = subprocess.run(
            [*PROBE, str(settings.home)], capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
        report = msgspec.json.decode(done.stdout, type=Report)
    except subprocess.TimeoutExpired:
        said = f"{where} does not load and speak within {PROBE_SECONDS} s"
        yield Finding("broken", "model", said, "choose a smaller one")
        return
    except msgspec.DecodeError:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        said = f"{where} ends the engine (status {done.returncode}): {reason}"
        yield Finding("broken", "model", said, "fetch it again, or choose another model")
        return
    if report.error:
        yield Finding("broken", "model", report.error)
        return
    yield Finding("fine", "model", _described(report, path, where))
    gpu = gpu_finding(report)
    if gpu:
        yield gpu
    if path:
        yield threads_finding(settings.model.threads, report.threads, cores())
        yield build_finding(report, machine.gpus())
        yield Finding("fine", "resident", f"{report.resident / 2**20:.0f} MiB with {report.together} talks")
    yield speed_finding(report, settings.turn.deadline_s, strained)


def _described(report: Report, path: Path | None, where: str) -> str:
    parts = [report.name]
    if path:
        parts.append(f"{path.stat().st_size / 2**20:.1f} MiB")
    if report.parameters:
        parts.append(f"{report.parameters / 1e6:,.1f}M weights")
    if report.context:
        parts.append(f"{report.context} tokens")
    if report.digest:
        parts.append(f"sha256 {report.digest[:16]}…")
    return f"{', '.join(parts)} runs from {where}, ready after {report.load_ms / 1000:.1f} s"
