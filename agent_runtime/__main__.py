"""`python -m agent_runtime` is the command `townsfolk`."""

from agent_runtime.cli import main

main()
