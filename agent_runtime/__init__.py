"""The runtime of Townsfolk: players' lines come in; words, allowed actions, a journal go out."""

from importlib.metadata import version

__version__ = version("townsfolk")
