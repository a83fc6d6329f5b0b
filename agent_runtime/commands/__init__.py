"""The groups of `townsfolk` commands, one file each: arguments come in, one of our modules does the work,
lines for a terminal go out. `agent_runtime/cli.py` puts them together."""
