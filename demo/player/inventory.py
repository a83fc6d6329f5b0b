"""A player's inventory as the server sends it: its text comes in, lists of stacks come out."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Stack:
    """A stack of items."""

    name: str
    count: int


def read(text: str, before: dict[str, list[Stack]]) -> dict[str, list[Stack]]:
    """The lists of the inventory, without empty slots. Lists that did not change are taken from `before`."""
    lists: dict[str, list[Stack]] = {}
    current: list[Stack] = []
    for line in text.split("\n"):
        word, _, rest = line.partition(" ")
        if word == "List":
            current = lists[rest.split(" ")[0]] = []
        elif word == "KeepList":
            lists[rest] = before.get(rest, [])
        elif word == "Item":
            current.append(_stack(rest))
        elif word == "EndInventory":
            break
    return lists


def _stack(text: str) -> Stack:
    if text.startswith('"'):
        name, end = json.JSONDecoder().raw_decode(text)
        rest = text[end:].split()
    else:
        name, *rest = text.split(" ")
    return Stack(str(name), int(rest[0]) if rest else 1)
