"""What one game registers: items, descriptions and recipes come in once per catalogue hash; look-ups
by the words of a player's line go out. So crafting answers are true for that server's own mods.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog

from agent_runtime.bridge.messages import Knowledge
from agent_runtime.bridge.parts import Item, Recipe
from agent_runtime.npc.relevance import split_words, stem
from agent_runtime.npc.spelling import Spelling

_MAX_WORDS = 6

log = structlog.get_logger(__name__)


class _Stored(msgspec.Struct):
    items: tuple[Item, ...]
    recipes: tuple[Recipe, ...]


@dataclass(frozen=True, slots=True)
class Mention:
    """An item that a line names, with the words that named it."""

    item: str
    words: tuple[str, ...]


class Catalogue:
    """The items and recipes of one game; immutable once made."""

    def __init__(self, items: Iterable[Item], recipes: Iterable[Recipe]) -> None:
        self.items = {item.name: item for item in items if item.name and item.description.strip()}
        self._recipes: defaultdict[str, list[Recipe]] = defaultdict(list)
        self._uses: defaultdict[str, list[str]] = defaultdict(list)
        for recipe in recipes:
            if recipe.method == "fuel":
                continue
            if recipe not in self._recipes[recipe.output]:
                self._recipes[recipe.output].append(recipe)
            for ingredient in set(recipe.inputs):
                if recipe.output not in self._uses[ingredient]:
                    self._uses[ingredient].append(recipe.output)
        self._by_words: dict[tuple[str, ...], str] = {}
        for item in self.items.values():
            words = tuple(stem(word) for word in split_words(self.name_of(item.name)))
            if words:
                self._by_words.setdefault(words, item.name)
        self._spelling = Spelling(word for words in self._by_words for word in words)

    def name_of(self, item: str) -> str:
        """The name players read, in lower case: `default:pick_stone` → `stone pickaxe`. A group goes by
        its only item, or as `wood (any kind)`."""
        if item.startswith("group:"):
            return self._group_name(item.removeprefix("group:").split(","))
        known = self.items.get(item)
        if known is None:
            return item.partition(":")[2].replace("_", " ") or item
        return " ".join(known.description.splitlines()[0].lower().split())

    def _group_name(self, groups: list[str]) -> str:
        members = [item.name for item in self.items.values() if all(item.groups.get(g) for g in groups)]
        if len(members) == 1:
            return self.name_of(members[0])
        return " ".join(groups).replace("_", " ") + " (any kind)"

    def recipes(self, item: str) -> list[Recipe]:
        """The ways to make an item, the shortest first."""
        return sorted(self._recipes.get(item, []), key=lambda recipe: len(recipe.inputs))

    def uses(self, item: str) -> list[str]:
        """The items that an item is an ingredient of, directly or through one of its groups."""
        groups = self.items[item].groups if item in self.items else {}
        found = list(self._uses.get(item, []))
        for group in sorted(groups):
            found += [output for output in self._uses.get(f"group:{group}", []) if output not in found]
        return found

    def find(self, name: str) -> str | None:
        """The item of that name: an itemstring, or the words that players read."""
        if name in self.items:
            return name
        return self._by_words.get(tuple(stem(word) for word in split_words(name)))

    def mentions(self, line: str) -> list[Mention]:
        """The items that a line names, longest names first at each place, none overlapping. One slip of the
        fingers in a long word is forgiven."""
        words = [self._spelling.correct(stem(word)) for word in split_words(line)]
        found: list[Mention] = []
        start = 0
        while start < len(words):
            for length in range(min(_MAX_WORDS, len(words) - start), 0, -1):
                item = self._by_words.get(tuple(words[start : start + length]))
                if item is not None:
                    found.append(Mention(item, tuple(words[start : start + length])))
                    start += length
                    break
            else:
                start += 1
        return found


class CatalogueStore:
    """Catalogues on disk by hash, and those whose parts are still coming in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Catalogue] = {}
        self._parts: dict[str, dict[int, Knowledge]] = {}

    def get(self, digest: str) -> Catalogue | None:
        """The catalogue of that hash, from memory or disk; None when it has to be sent."""
        if digest not in self._known:
            try:
                stored = msgspec.msgpack.decode(self._path(digest).read_bytes(), type=_Stored)
            except (OSError, msgspec.MsgspecError):
                return None
            self._known[digest] = Catalogue(stored.items, stored.recipes)
        return self._known[digest]

    def add(self, part: Knowledge) -> Catalogue | None:
        """Take one part; with the last one the catalogue is stored and returned."""
        parts = self._parts.setdefault(part.catalogue, {})
        parts[part.part] = part
        if any(number not in parts for number in range(1, part.parts + 1)):
            return None
        ordered = [parts[number] for number in range(1, part.parts + 1)]
        del self._parts[part.catalogue]
        stored = _Stored(
            items=tuple(item for each in ordered for item in each.items),
            recipes=tuple(recipe for each in ordered for recipe in each.recipes),
        )
        self._known[part.catalogue] = Catalogue(stored.items, stored.recipes)
        path = self._path(part.catalogue)
        scratch = path.with_suffix(".new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            scratch.write_bytes(msgspec.msgpack.encode(stored))
            scratch.replace(path)
        except OSError as error:
            # It is good for as long as this runs; the next start has it sent again.
            log.warning("catalogue_not_stored", path=str(path), error=str(error))
        return self._known[part.catalogue]

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest}.msgpack"
