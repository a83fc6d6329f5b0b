"""Everything that happened, on disk: typed rows come in and are acknowledged when they are safe.

Typed results and exports go out. Nothing stored is ever changed, and no player's name gets in."""
