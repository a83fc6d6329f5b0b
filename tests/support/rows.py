"""Rows of the journal with everything filled in; what a test cares about, it names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from agent_runtime.journal.rows import (
    ActionResultRow,
    ActionRow,
    ConsentRow,
    DemonstrationRow,
    EventRow,
    RatingRow,
    SessionRow,
    TurnRow,
)
from agent_runtime.npc.persona import Sampling
from agent_runtime.npc.prompt import Fact, Message, template_hash

START = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)


def ulid(number: int) -> str:
    """Looks like a ULID, and sorts like the number."""
    return f"01JD{number:022d}"


def turn(number: int, **fields: Any) -> TurnRow:
    return TurnRow(
        **{
            "id": ulid(number),
            "chat": ulid(number + 500_000),
            "session": ulid(900_001),
            "server": ulid(900_002),
            "server_name": "Riverside",
            "npc": ulid(900_003),
            "npc_name": "Ada",
            "persona": "smith",
            "player": "0123456789abcdef",
            "said_at": START + timedelta(seconds=number),
            "how": "near",
            "line": f"line {number}",
            "reply": f"reply {number}",
            "raw": f"reply [[1]] {number}",
            "base": "b" * 64,
            "template": template_hash(),
            "prompt": (Message("system", "You are Ada."), Message("user", f"alice: line {number}")),
            "facts": (Fact("torch", "1 coal lump over 1 stick", "torch", "recipe:default:torch"),),
            "quoted": (1,),
            "sampling": Sampling(seed=7),
            "seed": 7,
            "prompt_tokens": 120,
            "cached_tokens": 100,
            "completion_tokens": 12,
            "first_token_ms": 20.0,
            "first_sentence_ms": 45.5,
            "total_ms": 80.0,
            "finish": "stop",
            **fields,
        }
    )


def action(number: int, turn: int, **fields: Any) -> ActionRow:
    return ActionRow(
        **{
            "id": ulid(number),
            "turn": ulid(turn),
            "name": "follow",
            "arguments": {"target": "alice"},
            "verdict": "allowed",
            **fields,
        }
    )


def result(number: int, **fields: Any) -> ActionResultRow:
    return ActionResultRow(**{"id": ulid(number), "result": "done", "result_at": START, **fields})


def rating(number: int, turn: int, **fields: Any) -> RatingRow:
    return RatingRow(
        **{
            "id": ulid(number),
            "turn": ulid(turn),
            "player": "0123456789abcdef",
            "value": 5,
            "scale": "stars",
            "rated_at": START + timedelta(seconds=number),
            **fields,
        }
    )


def demonstration(number: int, turn: int, **fields: Any) -> DemonstrationRow:
    return DemonstrationRow(
        **{
            "id": ulid(number),
            "turn": ulid(turn),
            "player": "0123456789abcdef",
            "text": f"better {turn}",
            "shown_at": START + timedelta(seconds=number),
            **fields,
        }
    )


def consent(number: int, choice: str = "allow", player: str = "0123456789abcdef") -> ConsentRow:
    return ConsentRow(
        id=ulid(number),
        player=player,
        choice=choice,  # type: ignore[arg-type]
        decided_at=START + timedelta(seconds=number),
    )


def event(second: int, **fields: Any) -> EventRow:
    return EventRow(
        **{
            "server": ulid(900_002),
            "received_at": START + timedelta(seconds=second),
            "game_s": float(second),
            "kind": "dig",
            "player": "0123456789abcdef",
            "what": "default:stone",
            "x": 1.0,
            "y": -2.0,
            "z": 3.5,
            **fields,
        }
    )


def session(**fields: Any) -> SessionRow:
    return SessionRow(
        **{
            "id": ulid(900_001),
            "server": ulid(900_002),
            "server_name": "Riverside",
            "opened_at": START,
            **fields,
        }
    )
