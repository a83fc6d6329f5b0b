"""The runtime of Townsfolk: players' lines come in; words, allowed actions, a journal go out.

Where to begin: `app` puts everything together. A message goes from `bridge` to `town`, which has a case for
each; `town.talks` takes the turn of a line with what is in `npc`, in the `engine`'s lane that `serving`
names; what was said and done becomes rows in `town.record`, and the `journal` keeps them.
"""

from importlib.metadata import version

__version__ = version("townsfolk")
