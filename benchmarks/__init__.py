"""Measurements: each prints a table of figures with their goals and writes it under benchmarks/results/."""
