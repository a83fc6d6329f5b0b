"""The doctor, on real files, real ports and real programs: what is broken is named, with its fix."""

from __future__ import annotations

import asyncio
import http.server
import re
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_runtime import config
from agent_runtime.bridge.token import load_or_create_token
from agent_runtime.doctor import doctor, machine
from agent_runtime.doctor import model as doctor_model
from agent_runtime.doctor.finding import Finding
from agent_runtime.doctor.model import Report
from tests.support.adapters import random_adapter
from tests.support.engine import ScriptedEngine
from tests.support.models import random_model
from tests.support.openai_server import OpenAIServer


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> config.Settings:
    monkeypatch.setenv("TOWNSFOLK_SERVER__PORT", str(free_port()))
    return config.load()


def test_a_finding_is_one_line_with_its_fix() -> None:
    assert Finding("fine", "port", "free").line() == "✓ port: free"
    assert Finding("broken", "port", "taken", "move").line() == "✗ port: taken → move"


def test_wrong_settings_are_findings(home: Path) -> None:
    (home / config.FILE_NAME).write_text("[server]\nprot = 1\nport = -1\n")
    broken = [finding for finding in doctor.examine() if finding.state == "broken"]
    said = [finding.said for finding in broken if finding.subject == "settings"]
    assert len(said) == 2
    assert "did you mean server.port?" in "".join(said)


def test_home_findings(tmp_path: Path) -> None:
    assert doctor.home_finding(tmp_path).state == "fine"
    assert "made on first start" in doctor.home_finding(tmp_path / "a" / "b").said
    (tmp_path / "file").write_text("")
    assert doctor.home_finding(tmp_path / "file").state == "broken"


def test_the_token_is_looked_at_but_not_made(settings: config.Settings) -> None:
    assert "made on first start" in doctor.token_finding(settings).said
    assert not settings.token_path.exists()
    load_or_create_token(settings.token_path)
    assert doctor.token_finding(settings).state == "fine"
    settings.token_path.chmod(0o644)
    assert "chmod 600" in doctor.token_finding(settings).fix
    settings.token_path.write_text("short")
    assert doctor.token_finding(settings).state == "broken"


def test_a_free_port_is_fine_and_a_strange_program_on_it_is_not(settings: config.Settings) -> None:
    assert doctor.port_finding(settings).state == "fine"
    with socket.create_server(("127.0.0.1", settings.server.port)) as server:
        threading.Thread(target=_hang_up_once, args=(server,)).start()
        found = doctor.port_finding(settings)
    assert found.state == "broken"
    assert "server.port" in found.fix


def _hang_up_once(server: socket.socket) -> None:
    connection, _ = server.accept()
    connection.close()


class _Answer(http.server.BaseHTTPRequestHandler):
    """Answers as the bridge does before the first frame."""

    def do_GET(self) -> None:
        self.send_response(101 if self.headers["Authorization"] == f"Bearer {self.server.token}" else 401)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def runtime(settings: config.Settings) -> Iterator[http.server.HTTPServer]:
    server = http.server.HTTPServer(("127.0.0.1", settings.server.port), _Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_our_own_runtime_on_the_port_is_fine(
    settings: config.Settings, runtime: http.server.HTTPServer
) -> None:
    runtime.token = load_or_create_token(settings.token_path)  # type: ignore[attr-defined]
    assert doctor.port_finding(settings).said.startswith("a runtime with this token serves")
    runtime.token = "another one"  # type: ignore[attr-defined]
    found = doctor.port_finding(settings)
    assert found.state == "warning"
    assert "another token" in found.said


def test_a_token_that_cannot_be_read_hides_no_finding_of_the_port(
    settings: config.Settings, runtime: http.server.HTTPServer
) -> None:
    settings.token_path.write_text("short")
    assert doctor.port_finding(settings).state == "broken"


def test_a_damaged_journal_is_broken_and_a_missing_one_is_not(tmp_path: Path) -> None:
    assert doctor.journal_finding(tmp_path / "journal.duckdb").state == "fine"
    (tmp_path / "journal.duckdb").write_bytes(b"this is no database" * 1000)
    assert doctor.journal_finding(tmp_path / "journal.duckdb").state == "broken"


def test_a_broken_persona_is_named(settings: config.Settings) -> None:
    settings.personas_folder.mkdir()
    (settings.personas_folder / "bad.toml").write_text("name = 3\n")
    found = doctor.personas_finding(settings)
    assert found.state == "broken"
    assert "bad.toml" in found.said


def test_a_model_that_is_none_is_broken(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "model.gguf").write_bytes(b"GGUF" + b"\0" * 100)
    monkeypatch.setenv("TOWNSFOLK_MODEL__PATH", "model.gguf")
    found = list(doctor_model.model_findings(config.load()))
    assert found[-1].state == "broken"
    assert "model.gguf" in found[-1].said


def test_a_model_that_kills_the_engine_does_not_kill_the_doctor(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "model.gguf").write_bytes(b"")
    monkeypatch.setenv("TOWNSFOLK_MODEL__PATH", "model.gguf")
    monkeypatch.setattr(doctor_model, "PROBE", (sys.executable, "-c", "import os; os.abort()"))
    found = list(doctor_model.model_findings(config.load()))
    assert found[-1].state == "broken"
    assert "ends the engine" in found[-1].said


def program(folder: Path, name: str, says: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("says", "state"),
    [
        ("Minetest 5.6.1 (Linux)", "warning"),
        ("Luanti 5.15.1 (Linux)", "warning"),
        ("Luanti 5.15.2 (Linux)", "fine"),
        ("Luanti 5.17.0 (Linux)", "fine"),
    ],
)
def test_an_engine_with_the_known_hole_is_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, state: str
) -> None:
    program(tmp_path, "luantiserver", says)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = next(finding for finding in doctor.machine_findings() if finding.subject == "Luanti server")
    assert found.state == state
    assert ("CVE-2026-40960" in found.said) == (state == "warning")


def test_an_engine_is_searched_in_the_usual_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert machine.luanti_server((str(tmp_path),)) is None
    program(tmp_path, "minetestserver", "Minetest 5.6.1 (Linux)")
    found = machine.luanti_server((str(tmp_path),))
    assert found is not None
    assert (found.text, found.program) == ("5.6.1", tmp_path / "minetestserver")


def test_lua_libraries_are_found_by_their_files(tmp_path: Path) -> None:
    assert not machine.has_luasocket((str(tmp_path),))
    (tmp_path / "socket.lua").write_text("")
    assert machine.has_luasocket((str(tmp_path),))
    assert not machine.has_messagepack((str(tmp_path),))
    (tmp_path / "MessagePack.lua").write_text("")
    assert machine.has_messagepack((str(tmp_path),))


def test_cards_are_known_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(
        tmp_path, "nvidia-smi", "GPU 0: NVIDIA GeForce RTX 3060 (UUID: GPU-1)\nGPU 1: NVIDIA A2 (UUID: GPU-2)"
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    assert machine.gpus() == ["NVIDIA GeForce RTX 3060", "NVIDIA A2"]


def test_a_card_that_the_build_cannot_use_is_named_with_the_way_to_build() -> None:
    without = Report(library="0.3.36", features=["CPU", "AVX2"])
    assert doctor_model.build_finding(without, []).state == "fine"
    assert "AVX2" in doctor_model.build_finding(without, []).said
    found = doctor_model.build_finding(without, ["NVIDIA A2"])
    assert found.state == "warning"
    assert "-DGGML_CUDA=on" in found.fix
    assert "llama-cpp-python==0.3.36" in found.fix
    assert "-DGGML_METAL=on" in doctor_model.build_finding(without, ["an Apple GPU"]).fix
    assert "-DGGML_VULKAN=on" in doctor_model.build_finding(without, ["an AMD GPU"]).fix
    assert doctor_model.build_finding(Report(gpu_build=True), ["NVIDIA A2"]).state == "fine"


@pytest.mark.parametrize(
    ("threads", "cores", "state"),
    [(0, 4, "fine"), (3, 4, "fine"), (4, 4, "warning"), (9, 4, "warning"), (1, 1, "fine")],
)
def test_the_game_server_needs_a_core(threads: int, cores: int, state: str) -> None:
    found = doctor_model.threads_finding(threads, threads or 2, cores)
    assert found.state == state
    assert state == "warning" or f"{threads or 2} for decoding" in found.said


@pytest.mark.parametrize(
    ("first_ms", "alone", "together", "fix"),
    [
        (4.0, 2000.0, 3000.0, ""),
        (1500.0, 20.0, 200.0, "too large"),
        (200.0, 3.0, 6.0, "too large"),
        (200.0, 20.0, 32.0, "model.slots to 4"),
        (200.0, 9.0, 160.0, "turn.deadline_s"),
    ],
)
def test_slow_models_come_with_advice(first_ms: float, alone: float, together: float, fix: str) -> None:
    report = Report(first_token_ms=first_ms, rate_alone=alone, rate_together=together, together=16)
    found = doctor_model.speed_finding(report, deadline_s=6.0)
    assert found.state == ("warning" if fix else "fine")
    assert fix in found.fix
    strained = doctor_model.speed_finding(report, deadline_s=6.0, strained=True)
    assert strained.state == found.state
    assert ("look again" in strained.fix) == ("too large" in fix or "slots" in fix)


def test_adapters_of_personas_are_tried_on_the_base(settings: config.Settings, tmp_path: Path) -> None:
    base = random_model(tmp_path / "base.gguf")
    random_adapter(settings.personas_folder.parent / "good.gguf", base)
    settings.personas_folder.mkdir()
    for name in ("good", "lost"):
        (settings.personas_folder / f"{name}.toml").write_text(
            f'name = "N"\nrole = "r"\nvoice = "v"\nabout = "a"\nadapter = "../{name}.gguf"\n'
        )
    good, lost = doctor_model.adapter_findings(settings, base)
    assert (good.state, good.subject) == ("fine", "adapter")
    assert (lost.state, lost.fix) == ("warning", "the champion answers for it until then")
    assert "lost.gguf: cannot be read" in lost.said


def test_layers_on_a_gpu_are_told() -> None:
    assert doctor_model.gpu_finding(Report()) is None
    whole = doctor_model.gpu_finding(Report(gpu_layers=23, layers=23))
    part = doctor_model.gpu_finding(Report(gpu_layers=10, layers=23))
    assert whole
    assert part
    assert (whole.state, part.state) == ("fine", "warning")
    assert "10 of 23" in part.said


def test_the_embedded_model_is_measured(settings: config.Settings) -> None:
    found = {finding.subject: finding for finding in doctor_model.model_findings(settings)}
    assert list(found) == ["memory", "model", "threads", "engine", "resident", "speed"]
    assert re.match(r"[1-9]\d* for decoding, which measured fastest", found["threads"].said)
    assert {found[name].state for name in ("threads", "model", "engine")} == {"fine"}
    assert re.search(
        r"first token after [\d.]+ ms; [\d,]+ tokens/s for one talk, [\d,]+ for 16", found["speed"].said
    )


async def test_a_server_elsewhere_is_measured(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    behind = ScriptedEngine(["A reply of six whole words."])
    await behind.start()
    monkeypatch.setenv("TOWNSFOLK_ENGINE__BACKEND", "openai")
    async with OpenAIServer(behind, model="qwen") as server:
        monkeypatch.setenv("TOWNSFOLK_ENGINE__URL", server.url)
        found = await asyncio.to_thread(lambda: list(doctor_model.model_findings(config.load())))
        assert [finding.subject for finding in found] == ["model", "speed"]
        assert found[0].said.startswith(f"qwen runs from {server.url}")
    found = await asyncio.to_thread(lambda: list(doctor_model.model_findings(config.load())))
    assert found[-1].state == "broken"
    assert "start the server" in found[-1].said
