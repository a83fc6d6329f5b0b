"""Words for roles, fears, colours and the like: a kind and a source of names come in, one word goes out."""

from __future__ import annotations

from learner.base.grammar import load_tables
from learner.base.names import Names

MADE_UP = {
    "role": (
        "the {item} maker",
        "the {word} keeper",
        "a {word} of the {place}",
        "the keeper of the {place}",
        "the {word} seller",
        "a {item} trader",
        "the warden of {name}",
        "the {place} cook",
    ),
    "fear": ("{word}s", "the {place}", "the {word} of {name}", "a broken {item}", "the lord of {name}"),
    "love": ("{word}s", "{word} songs", "the {place} at dawn", "a good {item}", "the {word} of {name}"),
    "origin": (
        "{name}",
        "the {word} hills",
        "the land of {name}",
        "a {place} near {name}",
        "{name} by the sea",
    ),
    "colour": ("{word}",),
    "food": ("{word} soup", "{word}s"),
    "trade": ("{word} maker", "{word}"),
    "home": ("near the {place}", "in {name}", "by the {place}"),
    "secret": ("the {item} is under the {place}", "{name} is asleep"),
    "thing": ("{name} has my {item}", "the {place} is closed", "my cat is called {name}"),
    "node": ("{word} ore", "{word} stone"),
    "ground": ("{word} stone, {word} land", "{word}, {word} hills"),
}


def draw(kind: str, names: Names) -> str:
    """A word of `texts/people.toml`, of the seen or the unseen ones, or often one made up on the spot:
    what has never been read before can only be copied."""
    shapes = MADE_UP.get(kind)
    if shapes and names.rng.random() < 0.55:
        shape = names.rng.choice(shapes)
        return shape.format(
            word=names.invented(), name=names.invented().capitalize(), item=names.item(), place=names.place()
        )
    return names.rng.choice(load_tables("people")[kind][names.key])
