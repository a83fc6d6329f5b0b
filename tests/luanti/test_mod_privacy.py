"""Consent on a real server: asked once, decided by command, kept until it is on disk."""

from __future__ import annotations

import asyncio

from agent_runtime.bridge.messages import Chat, Consent, Demonstration
from agent_runtime.bridge.session import Session
from demo.engine import Engine
from tests.support.ingame import Game, command, reply

QUESTION = "May your talk with NPCs be used to make them better?"


async def test_a_player_is_asked_once_and_decides(engine: Engine) -> None:
    made: list[str] = []

    def remember(session: Session, chat: Chat) -> None:
        made.append(reply(session, chat, f"Good day number {len(made)}!"))

    async with (
        Game(engine, answer=remember) as game,
        await game.server.join_admin() as admin,
        await game.server.join("bob") as bob,
    ):
        await game.spawn(admin)
        await command(bob, "hello Mira", "<Mira> Good day number 0!")
        await bob.hear(QUESTION, since=0)
        await command(bob, "/npc better  Good day,  bob.", "Thank you. Mira should have said: Good day, bob.")
        shown = await game.message(Demonstration)
        assert (shown.player, shown.text, shown.reply) == ("bob", "Good day, bob.", made[0])
        await command(bob, "Mira, once more", "<Mira> Good day number 1!")
        await asyncio.sleep(0.3)  # the question came this long after the first reply, at the latest
        assert len([line for line in bob.chat if QUESTION in line.text]) == 1
        assert not [line for line in admin.chat if QUESTION in line.text], "the admin has talked with nobody"

        await command(bob, "/npc privacy", "Until you do, nothing of your talk is trained on.")
        await command(bob, "/npc privacy allow", "Thank you. Your talk may make the NPCs better.")
        allowed = await game.message(Consent)
        assert (allowed.player, allowed.choice) == ("bob", "allow")
        await command(bob, "/npc privacy", "You allowed training with your talk.")
        await command(bob, "/npc privacy everything", "Use: /npc privacy")
        # Never acked, but it does not come again: what was decided later goes instead.
        await game.stop_runtime()
        await command(bob, "/npc privacy erase", "what you said to NPCs is being removed")
        await command(bob, "/npc good", "There is no reply to rate yet.")
        await game.start_runtime()
        await game.until(lambda: len(game.heard(Consent)) >= 2, "the last decision")
        assert game.heard(Consent)[1].choice == "erase"
