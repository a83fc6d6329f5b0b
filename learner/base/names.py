"""Names of players, items, places and mobs, drawn at random: some real, some composed, some invented.

`unseen=True` draws only from the lists and syllables that training never uses.
"""

from __future__ import annotations

import random

from learner.base.grammar import load_tables

PLURAL_ES = ("s", "x", "ch", "sh")


CONSONANTS = (
    "b",
    "c",
    "d",
    "f",
    "g",
    "h",
    "j",
    "k",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "t",
    "v",
    "w",
    "z",
    "th",
    "st",
)
VOWELS = ("a", "e", "i", "o", "u", "ai", "ou", "y")
ENDS = ("", "", "n", "r", "s", "k", "th", "l", "x", "nd")


class Names:
    """A source of names with one random generator."""

    def __init__(self, rng: random.Random, unseen: bool = False) -> None:
        self.rng = rng
        self.key = "unseen" if unseen else "seen"
        self.tables = load_tables("names")
        self.recipes = load_tables("minetest_game")["recipes"]
        self.real = list(self.recipes)

    def _pick(self, kind: str) -> str:
        return self.rng.choice(self.tables[kind][self.key])

    def invented(self) -> str:
        """A word nobody knows, of two or three syllables."""
        if self.rng.random() < 0.5:
            return "".join(self._pick("syllables") for _ in range(self.rng.choice((2, 2, 3))))
        sounds = "".join(
            self.rng.choice(CONSONANTS) + self.rng.choice(VOWELS) for _ in range(self.rng.choice((2, 2, 3)))
        )
        return sounds + self.rng.choice(ENDS)

    def player(self) -> str:
        """A player's name, often with digits or odd capitals."""
        if self.rng.random() < 0.25:
            return self._pick("player")
        if self.key == "unseen" or self.rng.random() < 0.3:
            word = self.invented()
            return self.rng.choice((word, word.capitalize(), f"{word}{self.rng.randint(1, 99)}"))
        table = self.tables["player"]
        return self.rng.choice(table["starts"]) + self.rng.choice(table["ends"])

    def npc(self) -> str:
        """A villager's name."""
        return self._pick("npc") if self.rng.random() < 0.5 else self.invented().capitalize()

    def item(self) -> str:
        """An item description in lower case."""
        roll = self.rng.random()
        if self.key == "seen" and roll < 0.35:
            return self.rng.choice(self.real)
        if roll < 0.7:
            return f"{self._pick('material')} {self._pick('thing')}"
        if roll < 0.85:
            return f"{self.invented()} {self._pick('thing')}"
        if roll < 0.93:
            return f"{self._pick('material')} {self.invented()} {self._pick('thing')}"
        return self._pick("thing") if roll < 0.97 else self.invented()

    def items(self, count: int) -> list[str]:
        """Different items; in half of the draws some share words, which is what confuses."""
        found: list[str] = [self.item()]
        while len(found) < count:
            other = self.item()
            if self.rng.random() < 0.45:
                head, _, tail = self.rng.choice(found).rpartition(" ")
                other = (
                    f"{self._pick('material')} {tail}"
                    if not head or self.rng.random() < 0.5
                    else (f"{head} {self._pick('thing')}")
                )
            if other not in found:
                found.append(other)
        return found

    def place(self) -> str:
        """A marked place's name."""
        roll = self.rng.random()
        if roll < 0.6:
            return self._pick("place")
        if roll < 0.8:
            return f"{self.invented()} {self._pick('place').split(' ')[-1]}"
        if roll < 0.92:
            return f"{self._pick('material')} {self._pick('place').split(' ')[-1]}"
        return self.invented()

    def mob(self) -> str:
        """A mob's name."""
        return self._pick("mob")

    def hostile(self, mob: str) -> bool:
        """Whether attacking it is nobody's harm."""
        return mob in self.tables["mob"]["hostile"]


def an(item: str) -> str:
    """The item with its indefinite article."""
    return f"{'an' if item[0] in 'aeiou' else 'a'} {item}"


def plural(item: str) -> str:
    """The item's plural, in the simple way players type it."""
    if item.endswith(PLURAL_ES):
        return f"{item}es" if not item.endswith("s") else item
    return f"{item[:-1]}ies" if item.endswith("y") and item[-2:-1] not in "aeiou" else f"{item}s"


def capital(text: str) -> str:
    """The text with a capital first letter."""
    return text[:1].upper() + text[1:]
