"""The talk form and the ratings on a real server, with honest and with forged fields."""

from __future__ import annotations

import asyncio

from agent_runtime.bridge.messages import Chat, Rating
from agent_runtime.bridge.session import Session
from demo.engine import Engine
from demo.player import Player, Vector
from demo.stage import teleport
from tests.support.ingame import Game, body_of, command, reply

FORM = "townsfolk:talk"


def answer(session: Session, chat: Chat) -> None:
    reply(session, chat, "Good day!", "How are you?")


def said(player: Player, words: str) -> int:
    """How often the player heard Mira say that."""
    return [line.text for line in player.chat].count(f"<Mira> {words}")


async def open_form(player: Player) -> str:
    shown = len(player.forms)
    player.right_click(await body_of(player, "Mira"))
    await player.until(lambda: len(player.forms) > shown, within=5, what="the form")
    assert player.forms[-1].name == FORM
    return player.forms[-1].source


async def test_a_right_click_opens_a_talk(engine: Engine) -> None:
    async with Game(engine, answer=answer) as game, await game.server.join_admin() as admin:
        await game.spawn(admin)
        source = await open_form(admin)
        assert "the baker" in source
        assert "Fresh rolls!" in source
        admin.fields(FORM, {"line": "hello", "send": "Say"})
        await admin.until(
            lambda: "Good day! How are you?" in admin.forms[-1].source, within=5, what="the reply in the form"
        )
        assert "admin: hello" in admin.forms[-1].source
        chat = await game.message(Chat)
        assert (chat.text, chat.how, chat.player) == ("hello", "form", "admin")


async def test_a_form_that_was_not_shown_is_refused_and_logged(engine: Engine) -> None:
    async with (
        Game(engine, answer=answer) as game,
        await game.server.join_admin() as admin,
        await game.server.join("bob") as bob,
    ):
        await game.spawn(admin)
        await open_form(admin)
        for name in (FORM, ""):
            bob.fields(name, {"line": "forged", "send": "Say", "player": "admin", "name": "admin"})
        await command(bob, "/npc list", "Mira")
        assert game.heard(Chat) == []
        # The engine looks itself since 5.6, and its word comes before ours.
        log = game.server.log_text()
        assert (
            "bob sent a talk form that was not shown" in log or "submitted formspec ('townsfolk:talk')" in log
        )
        # Shown, closed, and sent again: closed is closed.
        admin.fields(FORM, {"quit": "true"})
        admin.fields(FORM, {"line": "after the end", "send": "Say"})
        await command(admin, "Mira?", "<Mira> Good day!")
        assert [chat.text for chat in game.heard(Chat)] == ["Mira?"]


async def test_hostile_fields_are_cut_and_cleaned(engine: Engine) -> None:
    async with Game(engine, answer=answer) as game, await game.server.join_admin() as admin:
        await game.spawn(admin)
        await open_form(admin)
        # The engine takes 640 KiB of fields and no more. Some end a field at a NUL, others hand it on.
        hostile = "\x1b(c@red)one\ntwo\u202e\x07 " + "é" * 327_000 + "\x00"
        assert 638 < len(hostile.encode()) / 1024 < 640
        admin.fields(FORM, {"line": hostile, "send": "Say"})
        chat = await game.message(Chat)
        assert chat.text.startswith("one two éééé")
        assert len(chat.text) <= 500
        for hostile in ("", " \n\t ", "\x1b(c@red)"):
            admin.fields(FORM, {"line": hostile, "send": "Say"})
        await admin.until(lambda: "Type a line first" in admin.forms[-1].source, within=5, what="the hint")
        assert len(game.heard(Chat)) == 1


async def test_a_form_counts_only_near_the_npc(engine: Engine) -> None:
    async with Game(engine, answer=answer) as game, await game.server.join_admin() as admin:
        await game.spawn(admin)
        await open_form(admin)
        await teleport(admin, Vector(admin.pos.x + 40, admin.pos.y, admin.pos.z))
        admin.fields(FORM, {"line": "from afar", "send": "Say"})
        await admin.until(lambda: "too far away" in admin.forms[-1].source, within=5, what="the refusal")
        assert game.heard(Chat) == []


async def test_ratings_are_kept_until_they_are_on_disk(engine: Engine) -> None:
    made: list[str] = []

    def remember(session: Session, chat: Chat) -> None:
        made.append(reply(session, chat, "Good day!"))

    async with (
        Game(engine, answer=remember) as game,
        await game.server.join_admin() as admin,
        await game.server.join("bob") as bob,
    ):
        await game.spawn(admin)
        await command(bob, "hello Mira", "<Mira> Good day!")
        await asyncio.sleep(0.3)  # the reply's end comes a moment after its last sentence
        await command(bob, "/npc rate 4", "Thank you. Mira's last reply: 4 of 5.")
        await admin.hear("[Townsfolk] bob rated Mira's reply: 4 of 5. “Good day!”", since=0)
        first = await game.message(Rating)
        assert (first.player, first.value, first.scale, first.reply) == ("bob", 4, "stars", made[0])
        # Never acked: it comes again on the next connection, with the same id.
        await game.stop_runtime()
        await game.start_runtime()
        await game.until(lambda: len(game.heard(Rating)) >= 2, "the rating again")
        assert game.heard(Rating)[1] == first
        # A changed mind goes instead of it.
        await game.stop_runtime()
        await command(bob, "/npc bad", "Thank you")
        await game.start_runtime()
        await game.until(lambda: len(game.heard(Rating)) >= 3, "the other rating")
        second = game.heard(Rating)[2]
        assert (second.value, second.scale) == (1, "thumb")
        game.session.ack(second.id)
        await asyncio.sleep(0.5)
        await game.stop_runtime()
        await game.start_runtime()
        await game.connected(4)
        await command(bob, "Mira, once more", "<Mira> Good day!")
        assert len(game.heard(Rating)) == 3


async def test_nobody_rates_what_was_said_to_others(engine: Engine) -> None:
    async with (
        Game(engine, answer=answer) as game,
        await game.server.join_admin() as admin,
        await game.server.join("bob") as bob,
    ):
        await game.spawn(admin)
        await command(bob, "hello Mira", "<Mira> How are you?")
        await command(admin, "/npc rate 1", "There is no reply to rate yet")
        await open_form(admin)
        admin.fields(FORM, {"good": "Good"})
        await admin.until(lambda: "no reply to rate yet" in admin.forms[-1].source, within=5, what="the hint")
        assert game.heard(Rating) == []


async def test_a_flood_of_forms_bothers_nobody_but_the_sender(engine: Engine) -> None:
    async with (
        Game(engine, answer=answer) as game,
        await game.server.join_admin() as admin,
        await game.server.join("bob") as bob,
    ):
        await game.spawn(admin)
        await open_form(admin)
        shown = len(admin.forms)
        for number in range(300):
            admin.fields(FORM, {"line": f"line {number}", "send": "Say"})
        await admin.hear("<Mira> One roll at a time.", since=0)
        await command(admin, "Mira, are you there?", "<admin> Mira, are you there?")
        await bob.until(lambda: said(bob, "Good day!") == 20, within=5, what="the answers to twenty lines")
        assert len(game.heard(Chat)) == 20
        assert said(admin, "One roll at a time.") == 1
        assert said(bob, "One roll at a time.") == 0
        # Twenty answers were drawn as they grew; of the other lines only so many as a person could send.
        assert len(admin.forms) - shown < 200


async def test_a_flood_of_ratings_is_one_rating(engine: Engine) -> None:
    async with (
        Game(engine, answer=answer) as game,
        await game.server.join_admin() as admin,
        await game.server.join("bob") as bob,
    ):
        await game.spawn(admin)
        await open_form(bob)
        bob.fields(FORM, {"line": "hello", "send": "Say"})
        await bob.until(lambda: "How are you?" in bob.forms[-1].source, within=5, what="the reply")
        await asyncio.sleep(0.3)  # the reply's end comes a moment after its last sentence
        for _ in range(300):
            bob.fields(FORM, {"good": "Good"})
        await bob.until(lambda: "Thank you" in bob.forms[-1].source, within=5, what="the thanks")
        await command(bob, "/npc good", "Thank you")
        assert len(game.heard(Rating)) == 1
        assert len([line for line in admin.chat if "bob rated" in line.text]) == 1
        assert game.server.log_text().count("bob rates reply") == 1
