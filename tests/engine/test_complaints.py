"""What is told of the library's log when something fails."""

from __future__ import annotations

from agent_runtime.engine.complaints import Complaints


def test_the_last_errors_are_the_reason_and_are_told_once() -> None:
    complaints = Complaints()
    for level, text in ((2, b"loading\n"), (4, b"bad magic\n"), (4, b"\n"), (4, b"cannot load \xff\n")):
        complaints.take(level, text, None)
    assert complaints.reason() == "bad magic; cannot load \N{REPLACEMENT CHARACTER}"
    assert complaints.reason() == "it gives no reason"


def test_what_was_said_before_is_no_reason() -> None:
    complaints = Complaints()
    complaints.take(4, b"an old trouble", None)
    complaints.clear()
    assert complaints.reason() == "it gives no reason"
