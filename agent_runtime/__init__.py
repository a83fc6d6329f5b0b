"""The runtime of Townsfolk: players' lines come in; words, allowed actions, a journal go out."""
