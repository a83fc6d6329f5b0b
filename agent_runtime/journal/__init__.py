"""Everything that happened, on disk: typed rows come in and are acknowledged when they are safe.

Typed results, exports and sealed snapshots go out. Nothing stored is ever changed, except that players can
have their texts erased."""
