"""Who may import whom: the directions of dependency, and one home for every heavy library."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("agent_runtime", "learner", "exporters")

# What a package may import of ours: itself, and the contracts it stands on. What `FREE` names
# is free to all.
FREE = {"errors", "config", "sections", "clock", "files", "logs", "window"}
ALLOWED = {
    "bridge": {"bridge"},
    "engine": {"engine", "npc.persona", "npc.prompt"},
    "npc": {"npc", "bridge.messages", "bridge.parts", "bridge.text", "engine.interface"},
    "journal": {"journal", "bridge.parts", "npc.persona", "npc.prompt"},
    "registry": {"registry"},
    "serving": {"serving", "engine", "npc", "registry", "models"},
    "town": {"town", "serving", "npc", "journal", "bridge", "engine.interface", "__version__"},
}
ONLY_IN = {
    "llama_cpp": (
        "agent_runtime/engine/llama.py",
        "agent_runtime/engine/quantise.py",
        "agent_runtime/engine/build.py",
    ),
    "httpx2": ("agent_runtime/engine/openai.py",),
    "websockets": ("agent_runtime/bridge/server.py",),
    "duckdb": ("agent_runtime/journal/",),
    "huggingface_hub": ("agent_runtime/models.py",),
    "torch": ("learner/",),
    "transformers": ("learner/train/",),
    "peft": ("learner/train/",),
    "unsloth": ("learner/train/backends.py",),
    "matplotlib": ("learner/",),
}


def imports(path: Path) -> set[str]:
    """The modules that the file imports anywhere, with `from a import b` as both `a` and `a.b`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


FILES = {
    str(path.relative_to(ROOT)): imports(path)
    for package in PACKAGES
    for path in sorted((ROOT / package).rglob("*.py"))
}


def under(name: str, prefixes: set[str]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_lies_below_it(package: str) -> None:
    files = {name: found for name, found in FILES.items() if name.startswith(f"agent_runtime/{package}/")}
    assert files
    allowed = {f"agent_runtime.{name}" for name in ALLOWED[package] | FREE}
    wrong = [
        f"{name} imports {module}"
        for name, found in files.items()
        for module in sorted(found)
        if under(module, {"agent_runtime", "learner", "exporters"})
        and not under(module, allowed)
        and not any(prefix.startswith(module + ".") for prefix in allowed)  # `from a import b`, seen as `a`
    ]
    assert not wrong


def test_the_contracts_at_the_bottom_import_nothing_of_ours() -> None:
    for name in ("errors", "clock", "files", "sections", "bridge/parts"):
        assert not {module for module in FILES[f"agent_runtime/{name}.py"] if under(module, set(PACKAGES))}
    ours = {module for module in FILES["agent_runtime/bridge/messages.py"] if under(module, set(PACKAGES))}
    assert all(under(module, {"agent_runtime.bridge.parts"}) for module in ours)


def test_the_runtime_never_imports_the_learner() -> None:
    wrong = [name for name, found in FILES.items() for module in found if under(module, {"learner"})]
    assert not [name for name in wrong if name.startswith("agent_runtime/")]
    wrong = [name for name, found in FILES.items() for module in found if under(module, {"learner"})]
    assert not [name for name in wrong if name.startswith("exporters/")]


@pytest.mark.parametrize("library", ONLY_IN)
def test_a_heavy_library_has_one_home(library: str) -> None:
    users = [name for name, found in FILES.items() if any(under(module, {library}) for module in found)]
    assert not [name for name in users if not name.startswith(ONLY_IN[library])]


def test_the_command_line_starts_without_heavy_libraries() -> None:
    """`townsfolk --help` must be quick; torch and the engine are for those who need them."""
    script = "import sys, agent_runtime.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(ran.stdout.split())
    assert "agent_runtime" in loaded
    assert not loaded & {*ONLY_IN, "numpy", "jinja2"}
