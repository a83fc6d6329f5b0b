"""The table of actions (`agent_runtime.npc.actions`) comes in; the mod's own copy, as Lua, goes out.

`python -m exporters.actions` writes it. What an action does in the world is the mod's business, not ours.
"""

from __future__ import annotations

from pathlib import Path

from agent_runtime.npc.actions import DIRECTIONS, EMOTES, MAX_COUNT, MAX_SECONDS, MAX_TEXT, TABLE, Action

TARGET = Path(__file__).parent.parent / "luanti_bridge_mod" / "src" / "npc" / "action_table.lua"

_HEADER = """\
-- Written by `python -m exporters.actions` from agent_runtime/npc/actions.py; change it there.
-- The actions, their typed arguments and limits, as the mod checks them. Distances in nodes.
"""


def lua_text() -> str:
    """The whole file."""
    lines = [
        _HEADER,
        "return {",
        f"\tmax_count = {MAX_COUNT},",
        f"\tmax_seconds = {MAX_SECONDS},",
        f"\tmax_text = {MAX_TEXT},",
        *_list("directions", DIRECTIONS),
        *_list("emotes", EMOTES),
        "\tactions = {",
        *(line for action in TABLE.values() for line in _action(action)),
        "\t},",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _list(name: str, values: tuple[str, ...]) -> list[str]:
    return [f"\t{name} = {{", *(f'\t\t"{value}",' for value in values), "\t},"]


def _action(action: Action) -> list[str]:
    head = [
        f"\t\t{action.name} = {{",
        f"\t\t\treach = {action.reach},",
        f"\t\t\texecuted = {str(action.executed).lower()},",
    ]
    if not action.arguments:
        return [*head, "\t\t\targuments = {},", "\t\t},"]
    arguments = [
        f'\t\t\t\t{{ name = "{each.name}", kind = "{each.kind}", required = {str(each.required).lower()} }},'
        for each in action.arguments
    ]
    return [*head, "\t\t\targuments = {", *arguments, "\t\t\t},", "\t\t},"]


def main() -> None:
    """Write the file and say so."""
    TARGET.write_text(lua_text(), encoding="utf-8")
    print(f"{TARGET}: {len(TABLE)} actions")


if __name__ == "__main__":
    main()
