"""Which version answers whom: the registry's decisions come in; loaded and warmed lanes of the engine, and a
choice for each turn, go out. It never trains, and what is better is not decided here."""
