"""`python -m learner` is `townsfolk learn`: the learner as a program of its own."""

from __future__ import annotations

from learner.cli import main

main()
