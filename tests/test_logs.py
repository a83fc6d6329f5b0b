"""What a person, or journald, sees of the logs. In a process of its own: logging is global."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import logging, sys, structlog
from agent_runtime import logs
logs.configure("info", sys.argv[1])
log = structlog.get_logger("bridge")
log.debug("unseen")
log.info("player joined", player="eve\\x1b[31m", secret=None)
logging.getLogger("some.library").warning("low on %s", "fuel")
logging.getLogger("websockets").info("chatter")
try:
    line = "what a player said"
    raise ValueError("broken")
except ValueError:
    log.exception("turn failed")
"""


def written(format: str) -> str:
    done = subprocess.run([sys.executable, "-c", SCRIPT, format], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


def test_json_is_one_object_per_line() -> None:
    lines = [json.loads(line) for line in written("json").splitlines()]
    assert [(line["level"], line["event"]) for line in lines] == [
        ("info", "player joined"),
        ("warning", "low on fuel"),
        ("error", "turn failed"),
    ]
    assert lines[0]["player"] == "eve\x1b[31m"
    assert lines[0]["timestamp"].endswith("Z")
    assert "ValueError: broken" in lines[2]["exception"]


def test_without_a_terminal_auto_is_json() -> None:
    assert all(json.loads(line) for line in written("auto").splitlines())


def test_pretty_shows_no_raw_control_characters_and_no_local_variables() -> None:
    text = written("pretty")
    assert "player joined" in text
    assert "\x1b" not in text
    assert "ValueError: broken" in text
    assert "what a player said" not in text.replace('line = "what a player said"', "")
