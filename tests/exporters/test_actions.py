"""The mod's table of actions is the runtime's."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

from agent_runtime.npc.actions import EMOTES, MAX_COUNT, TABLE
from exporters.actions import TARGET, lua_text


def test_the_mods_table_is_current() -> None:
    assert TARGET.read_text(encoding="utf-8") == lua_text(), "run: make actions"


def test_lua_reads_what_python_has() -> None:
    lua = shutil.which("luajit") or shutil.which("lua5.1") or shutil.which("lua")
    if lua is None:
        pytest.skip("no Lua on this machine (apt install luajit)")
    script = f"""
        local t = dofile({json.dumps(str(TARGET))})
        print(t.max_count, #t.emotes)
        for name, row in pairs(t.actions) do
            local words = {{ name, tostring(row.reach), tostring(row.executed) }}
            for _, a in ipairs(row.arguments) do
                words[#words + 1] = a.name .. ":" .. a.kind .. ":" .. tostring(a.required)
            end
            print(table.concat(words, " "))
        end
    """
    ran = subprocess.run([lua, "-e", script], capture_output=True, text=True, check=True)
    head, *rows = ran.stdout.splitlines()
    assert head.split() == [str(MAX_COUNT), str(len(EMOTES))]
    assert sorted(rows) == sorted(
        " ".join(
            [action.name, str(action.reach), str(action.executed).lower()]
            + [f"{each.name}:{each.kind}:{str(each.required).lower()}" for each in action.arguments]
        )
        for action in TABLE.values()
    )
