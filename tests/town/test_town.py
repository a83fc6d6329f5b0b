from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import duckdb
import pytest
import structlog

from agent_runtime.errors import JournalError
from agent_runtime.journal.views import NpcView
from agent_runtime.town import decisions
from tests.support.engine import Reply, ScriptedEngine
from tests.support.game import MIRA, SERVER, Game, chat, hello, make_id, snapshot
from tests.support.runtime import Running, town


async def answer(game: Game, line: dict[str, Any]) -> list[dict[str, Any]]:
    """Say a line; all messages up to and with the reply's end."""
    await game.send(line)
    return await until_done(game)


async def until_done(game: Game) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        while not messages or messages[-1]["type"] not in ("reply_done", "error"):
            messages.append(await game.receive())
    return messages


async def eventually(read: Any) -> Any:
    """The first truthy result."""
    async with asyncio.timeout(10):
        while not (result := await read()):  # noqa: ASYNC110 - the journal is asked, it tells nobody
            await asyncio.sleep(0.01)
        return result


async def test_a_line_is_answered_acted_on_and_written_down(tmp_path: Path) -> None:
    engine = ScriptedEngine(["Good day, alice! [[ACTION:go_to target= river]] This way."])
    async with town(tmp_path, engine) as running, Game(running.port) as game:
        messages = await answer(game, chat("hello Mira, where is the river?"))
        deltas = [m for m in messages if m["type"] == "reply_delta"]
        assert "".join(delta["text"] for delta in deltas) == "Good day, alice! This way."
        assert [delta["n"] for delta in deltas] == list(range(len(deltas)))
        assert deltas[0]["npc"] == MIRA
        actions = [m for m in messages if m["type"] == "action"]
        assert [(a["name"], a["arguments"], a["taken"]) for a in actions] == [
            ("go_to", {"target": "river"}, 100.5)
        ]
        assert messages[-1]["text"] == "Good day, alice! This way."
        await game.send({"type": "action_result", "action": actions[0]["action"], "result": "done"})

        turn = (await eventually(running.queries.turns))[0]
        whole = await running.queries.turn(turn.id)
        assert whole is not None
        assert whole.player == running.pseudonyms.of(SERVER, "alice")
        assert (whole.npc_name, whole.persona, whole.source) == ("Mira", "mira", "model")
        assert whole.raw == "Good day, alice! [[ACTION:go_to target= river]] This way."
        assert whole.prompt[-1].content.endswith("alice: hello Mira, where is the river?")
        assert any(fact.source == "place:river" for fact in whole.facts)

        async def fate() -> bool:
            found = await running.queries.actions()
            return bool(found) and found[0].result == "done"

        await eventually(fate)


async def test_a_rating_is_acked_only_when_it_is_on_disk_and_counts_once(tmp_path: Path) -> None:
    async with town(tmp_path, ScriptedEngine()) as running, Game(running.port) as game:
        done = (await answer(game, chat()))[-1]
        rating = {
            "type": "rating",
            "id": make_id(),
            "reply": done["reply"],
            "player": "alice",
            "value": 5,
            "scale": "thumb",
        }
        for _ in range(2):
            assert await game.ask(rating) == {"type": "ack", "ids": [rating["id"]]}
        ratings = await running.queries.ratings()
        assert [(r.turn, r.value, r.scale) for r in ratings] == [(done["reply"], 5, "thumb")]


async def test_a_better_wording_is_kept_for_who_was_answered(tmp_path: Path) -> None:
    greeting = hello(players=["alice", "mallory"])
    async with town(tmp_path, ScriptedEngine()) as running, Game(running.port, greeting=greeting) as game:
        reply = (await answer(game, chat()))[-1]["reply"]
        shown = {"type": "demonstration", "id": make_id(), "reply": reply, "text": "Grüß  dich,\talice."}
        error = await game.ask(shown | {"player": "mallory"})
        assert (error["code"], error["of"]) == ("unknown_reply", shown["id"])
        for _ in range(2):
            assert await game.ask(shown | {"player": "alice"}) == {"type": "ack", "ids": [shown["id"]]}
    with duckdb.connect(str(tmp_path / "journal.duckdb"), read_only=True) as connection:
        found = connection.execute("select turn, text from demonstrations").fetchall()
    assert found == [(reply, "Grüß dich, alice.")]


async def test_a_choice_about_training_is_acked_when_it_is_on_disk_and_the_last_one_counts(
    tmp_path: Path,
) -> None:
    async with town(tmp_path, ScriptedEngine()) as running, Game(running.port) as game:
        assert game.welcome["consent"] == "ask"
        for choice in ("allow", "withdraw"):
            message = {"type": "consent", "id": make_id(), "player": "alice", "choice": choice}
            assert await game.ask(message) == {"type": "ack", "ids": [message["id"]]}
        (view,) = await running.queries.consents()
        assert (view.player, view.choice) == (running.pseudonyms.of(SERVER, "alice"), "withdraw")


async def test_what_cannot_be_stored_is_refused_for_now_and_stored_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*args: object) -> None:
        raise JournalError("the disk is full")

    async with town(tmp_path, ScriptedEngine()) as running, Game(running.port) as game:
        reply = (await answer(game, chat()))[-1]["reply"]
        kept: list[dict[str, Any]] = [
            {"type": "rating", "reply": reply, "value": 5, "scale": "thumb"},
            {"type": "demonstration", "reply": reply, "text": "Grüß dich."},
            {"type": "consent", "choice": "erase"},
        ]
        kept = [message | {"id": make_id(), "player": "alice"} for message in kept]
        with monkeypatch.context() as disk:
            disk.setattr(running.journal, "add", full)
            disk.setattr(decisions, "decide", full)
            for message in kept:
                error = await game.ask(message)
                assert (error["type"], error["code"], error["of"]) == ("error", "internal", message["id"])
        for message in kept:
            assert await game.ask(message) == {"type": "ack", "ids": [message["id"]]}


async def test_an_end_does_not_wait_for_what_is_read_ahead(tmp_path: Path) -> None:
    class Slow(ScriptedEngine):
        async def warm(self, *args: Any, **options: Any) -> None:
            await asyncio.Event().wait()

    async with asyncio.timeout(5), town(tmp_path, Slow()) as running, Game(running.port):
        pass


async def test_erasing_ends_the_reply_under_way_and_leaves_no_word_of_it(tmp_path: Path) -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine(["I am Mira.", Reply("Your secret is safe with me.", gate=gate)])
    async with town(tmp_path, engine) as running, Game(running.port) as game:
        await answer(game, chat("hello Mira"))
        pseudonym = running.pseudonyms.of(SERVER, "alice")
        assert len(await running.memory.recall(MIRA, pseudonym)) == 1
        await game.send(chat("my secret is the key under the mat"))
        while len(engine.requests) < 2:  # noqa: ASYNC110 - the engine tells nobody
            await asyncio.sleep(0.01)
        message = {"type": "consent", "id": make_id(), "player": "alice", "choice": "erase"}
        await game.send(message)
        while (await game.receive()) != {"type": "ack", "ids": [message["id"]]}:
            pass
        assert {turn.line for turn in await running.queries.turns()} == {""}
        assert await running.memory.recall(MIRA, pseudonym) == []
        gate.set()
    with duckdb.connect(str(tmp_path / "journal.duckdb"), read_only=True) as connection:
        found = connection.execute("select distinct line, reply, raw, prompt::varchar from turns").fetchall()
    assert found == [("", "", "", "[]")]


async def test_a_rating_of_anothers_reply_is_refused_also_after_a_restart(tmp_path: Path) -> None:
    greeting = hello(players=["alice", "mallory"])
    async with town(tmp_path, ScriptedEngine()) as running, Game(running.port, greeting=greeting) as game:
        reply = (await answer(game, chat()))[-1]["reply"]
    async with town(tmp_path, ScriptedEngine()) as running, Game(running.port, greeting=greeting) as game:
        for player, of in (("mallory", reply), ("alice", make_id())):
            forged = {"type": "rating", "id": make_id(), "reply": of, "player": player}
            error = await game.ask(forged | {"value": 1, "scale": "stars"})
            assert (error["code"], error["of"]) == ("unknown_reply", forged["id"])
        honest = {"type": "rating", "id": make_id(), "reply": reply, "player": "alice"}
        assert (await game.ask(honest | {"value": 5, "scale": "stars"}))["type"] == "ack"
        assert [rating.value for rating in await running.queries.ratings()] == [5]


async def test_what_is_forged_or_said_again_costs_no_generation_and_is_logged(
    tmp_path: Path,
) -> None:
    engine = ScriptedEngine(["Good day! [[ACTION:follow]]"])
    brom = {"npc": make_id(), "name": "Brom", "persona": "mira", "pos": {"x": 1, "y": 8, "z": 1}}
    far = snapshot(player_pos={"x": 3000, "y": 8, "z": 0})
    with structlog.testing.capture_logs() as logged:
        async with town(tmp_path, engine) as running, Game(running.port) as game:
            honest = chat()
            first = await answer(game, honest)
            assert await game.ask(honest) == first[-1]
            await game.send({"type": "npc_state", "npc": brom, "state": "spawned"})
            await game.send({"type": "npc_state", "npc": brom, "state": "removed"})
            forged = {
                "unknown_npc": [chat(npc=make_id()), chat(npc=brom["npc"])],
                "unknown_player": [chat(player="mallory")],
                "too_far": [chat(snapshot=far)],
                "invalid_field": [chat(player="alice\nadmin"), chat("x" * 501)],
            }
            for code, lines in forged.items():
                for line in lines:
                    refusal = await game.ask(line)
                    assert (refusal["type"], refusal["code"], refusal["of"]) == ("error", code, line["id"])
            assert len(engine.requests) == 1
            await eventually(running.queries.turns)
            assert len(await running.queries.turns()) == len(await running.queries.actions()) == 1
    refused = [entry["code"] for entry in logged if entry["event"] == "message_refused"]
    assert refused == [code for code, lines in forged.items() for _ in lines]
    assert [entry["chat"] for entry in logged if entry["event"] == "repeated_chat_answered"] == [honest["id"]]


async def test_memory_outlives_a_restart(tmp_path: Path) -> None:
    async with town(tmp_path, ScriptedEngine(["Nice to meet you."])) as running, Game(running.port) as game:
        await answer(game, chat("my name is Al"))
    engine = ScriptedEngine(["You are Al."])
    async with town(tmp_path, engine) as running, Game(running.port) as game:
        await answer(game, chat("what is my name?"))
        contents = [message.content for message in engine.requests[0].messages]
        assert contents[1:3] == ["alice: my name is Al", "Nice to meet you."]


async def test_too_many_lines_and_too_many_players_get_polite_lines(tmp_path: Path) -> None:
    gate = asyncio.Event()
    engine = ScriptedEngine([Reply("At last.", gate=gate)])
    async with (
        town(tmp_path, engine, per_player_per_10s=1, npc_talks=1, npc_queue=0) as running,
        Game(running.port, greeting=hello(players=["alice", "bob"])) as game,
    ):
        await game.send(chat())
        busy = (await answer(game, chat(player="bob")))[-1]
        assert (busy["source"], busy["player"]) == ("busy", "bob")
        slow = (await answer(game, chat()))[-1]
        assert (slow["source"], slow["text"]) == ("slow_down", "Slowly, friend.")
        gate.set()
        assert (await until_done(game))[-1]["text"] == "At last."


async def test_a_reply_ends_when_its_player_leaves(tmp_path: Path) -> None:
    engine = ScriptedEngine([Reply("word ", between=0.01, endless=True)])
    async with town(tmp_path, engine) as running, Game(running.port) as game:
        await game.send(chat())
        assert (await game.receive())["type"] == "reply_delta"
        await game.send({"type": "player_left", "player": "alice"})

        async def cancelled() -> bool:
            return engine.cancelled == 1

        await eventually(cancelled)
        turn = (await eventually(running.queries.turns))[0]
        assert turn.reply.startswith("word")


async def test_a_violation_freezes_the_npc_and_is_flagged(tmp_path: Path) -> None:
    engine = ScriptedEngine(["Die! [[ACTION:attack target= alice]]"])
    async with town(tmp_path, engine) as running, Game(running.port) as game:
        messages = await answer(game, chat())
        freezes = [m for m in messages if m["type"] == "freeze"]
        assert [(f["npc"], f["seconds"]) for f in freezes] == [(MIRA, 5.0)]
        assert not [m for m in messages if m["type"] == "action"]
        assert (await eventually(running.queries.turns))[0].flagged


async def test_the_catalogue_is_asked_for_once_and_answers_from_it(tmp_path: Path) -> None:
    knowledge = {
        "type": "knowledge",
        "catalogue": "0" * 40,
        "part": 1,
        "parts": 1,
        "items": [
            {"name": "x:glow", "description": "Glow Rod"},
            {"name": "x:dust", "description": "Star Dust"},
        ],
        "recipes": [{"output": "x:glow", "count": 2, "method": "normal", "inputs": ["x:dust", "x:dust"]}],
    }
    engine = ScriptedEngine(lambda request: "Take [[recipe]].")
    async with town(tmp_path, engine) as running, Game(running.port) as game:
        assert game.welcome["send_catalogue"] is True
        await game.send(knowledge)
        done = (await answer(game, chat("how do I make a glow rod?")))[-1]
        facts = engine.requests[0].messages[-1].content
        assert "[recipe] glow rod: 2 star dust (makes 2)" in facts
        assert done["source"] == "model"
    async with town(tmp_path, ScriptedEngine()) as running, Game(running.port) as game:
        assert game.welcome["send_catalogue"] is False


async def test_events_and_npcs_are_written_down(tmp_path: Path) -> None:
    engine = ScriptedEngine()
    async with town(tmp_path, engine) as running, Game(running.port) as game:
        await game.send(
            {
                "type": "event",
                "events": [
                    {"kind": "dig", "player": "alice", "at": 5.0, "what": "default:stone"},
                    {"kind": "join", "player": "alice", "at": 4.0},
                ],
            }
        )
        spawned = {"npc": make_id(), "name": "Brom", "persona": "mira", "pos": {"x": 1, "y": 2, "z": 3}}
        await game.send({"type": "npc_state", "npc": spawned, "state": "spawned"})
        await eventually(running.queries.npcs)
        kinds = {event.kind for event in await eventually(running.queries.events)}
        assert kinds == {"dig", "join"}
        assert any("You are Brom" in warmed[0].content for warmed in engine.warmed)


async def test_two_game_servers_do_not_mix(tmp_path: Path) -> None:
    engine = ScriptedEngine(["Hello."])
    async with town(tmp_path, engine) as running, Game(running.port) as first:
        other = hello(server="01J0000000000000000000TWXY")
        async with Game(running.port, greeting=other) as second:
            await answer(first, chat("remember this"))
            await answer(second, chat("what did I say?"))
            assert len(engine.requests[1].messages) == 2
            assert snapshot()["taken"] == 100.5


async def npcs_by_name(running: Running, count: int) -> dict[str, tuple[str, float]]:
    """State and x of each NPC, once so many are known."""

    async def known() -> list[NpcView]:
        found = await running.queries.npcs()
        return found if len(found) >= count else []

    return {npc.name: (npc.state, npc.x) for npc in await eventually(known)}


def npc(name: str, x: float = 0, persona: str = "mira", id: str = "") -> dict[str, Any]:
    return {"npc": id or make_id(), "name": name, "persona": persona, "pos": {"x": x, "y": 8, "z": 0}}


async def test_npcs_that_came_went_or_moved_while_nobody_listened_are_known(tmp_path: Path) -> None:
    mira, brom, ada = npc("Mira"), npc("Brom"), npc("Ada")
    elsewhere = hello(server="01J0000000000000000000TWXY", npcs=[npc("Stranger")])
    async with town(tmp_path, ScriptedEngine()) as running:
        async with Game(running.port, greeting=elsewhere):
            pass
        async with Game(running.port, greeting=hello(npcs=[mira, brom, ada])):
            found = await npcs_by_name(running, 4)
    assert found == dict.fromkeys(("Mira", "Brom", "Ada", "Stranger"), ("spawned", 0))
    moved, cato = npc("Brom", x=9, id=brom["npc"]), npc("Cato")
    async with town(tmp_path, ScriptedEngine()) as running:
        for _ in range(2):
            async with Game(running.port, greeting=hello(npcs=[mira, moved, cato])):
                found = await npcs_by_name(running, 5)
    assert found == {
        "Mira": ("spawned", 0),
        "Brom": ("moved", 9),
        "Ada": ("removed", 0),
        "Cato": ("spawned", 0),
        "Stranger": ("spawned", 0),
    }
    with duckdb.connect(str(tmp_path / "journal.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*) from npc_states").fetchall() == [(7,)], "no row twice"


async def test_what_does_not_fit_is_said_in_both_logs(tmp_path: Path) -> None:
    old = hello(mod="0.0.1", npcs=[npc("Brom", persona="bromm")])
    with structlog.testing.capture_logs() as logged:
        async with town(tmp_path, ScriptedEngine()) as running, Game(running.port, greeting=old) as game:
            notices = [await game.receive() for _ in range(2)]
            spawned = {"type": "npc_state", "npc": npc("Ada", persona="smithy"), "state": "spawned"}
            notices.append(await game.ask(spawned))
    assert [(notice["type"], notice["level"]) for notice in notices] == [("notice", "warning")] * 3
    mod, bromm, smithy = [notice["text"] for notice in notices]
    assert "the mod in this world is 0.0.1" in mod
    assert "townsfolk mod install" in mod
    assert "no persona 'bromm': 'mira' speaks for Brom" in bromm
    assert "no persona 'smithy': 'mira' speaks for Ada" in smithy
    assert [entry["text"] for entry in logged if entry["event"] == "game_server_warned"] == [
        mod,
        bromm,
        smithy,
    ]


async def test_what_fits_is_not_spoken_of(tmp_path: Path) -> None:
    async with town(tmp_path, ScriptedEngine()) as running, Game(running.port) as game:
        assert await game.is_alive()


async def test_why_a_link_ended_is_written_down(tmp_path: Path) -> None:
    async with town(tmp_path, ScriptedEngine()) as running, Game(running.port), Game(running.port):
        pass
    with duckdb.connect(str(tmp_path / "journal.duckdb"), read_only=True) as connection:
        found = connection.execute("select reason from session_ends order by closed_at").fetchall()
    assert found == [("this game server has connected again",), ("it left",)]
