"""A headless Luanti player: it joins a real server over UDP, talks, walks, and sees what a client is sent.

It draws nothing and asks for no media. Works with protocol versions 37 to 51 (Luanti 5.0 to 5.15)."""

from demo.player.client import Player
from demo.player.inventory import Stack
from demo.player.objects import Entity
from demo.player.packets import Vector
from demo.player.session import Chat, Formspec

__all__ = ["Chat", "Entity", "Formspec", "Player", "Stack", "Vector"]
