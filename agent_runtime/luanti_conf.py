"""The text of a Luanti configuration file comes in, the same text with some settings changed goes out.

Comments, order and every other setting stay as they are. Reads and writes no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def get(text: str, name: str) -> str | None:
    """The value of a one-line setting; the last one counts, as in the engine."""
    value = None
    for _, key, found in _settings(text):
        if key == name:
            value = found
    return value


def merge(text: str, values: Mapping[str, str]) -> str:
    """The text with `values` set: in place where a setting stands already, at the end otherwise."""
    lines = _lines(text)
    missing = dict(values)
    for index, key, _ in _settings(text):
        if key in values:
            lines[index] = f"{key} = {values[key]}"
            missing.pop(key, None)
    lines += [f"{key} = {value}" for key, value in missing.items()]
    return "\n".join(lines) + "\n"


def with_trusted(trusted: str | None, mod: str) -> str:
    """The list of trusted mods with `mod` in it."""
    names = [name.strip() for name in (trusted or "").split(",") if name.strip()]
    return ", ".join(names if mod in names else [*names, mod])


def _lines(text: str) -> list[str]:
    """As the engine sees them: only a line feed ends one."""
    return text.removesuffix("\n").split("\n") if text else []


def _settings(text: str) -> Iterator[tuple[int, str, str]]:
    """Line number, name and value of every top-level setting of one line.

    Values in triple quotes and groups in braces run over many lines (Luanti's `src/settings.cpp`);
    what is inside them is no setting of ours.
    """
    in_text = False
    depth = 0
    for index, raw in enumerate(_lines(text)):
        line = raw.strip()
        if in_text:
            in_text = line != '"""'
            continue
        if depth and line == "}":
            depth -= 1
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if line.startswith("#") or not equals or not name:
            continue
        if value == "{":
            depth += 1
        elif value == '"""':
            in_text = True
        elif not depth:
            yield index, name, value
