"""What is measured side by side, each in a process of its own: orders come in as JSON lines, figures go out.

Two engines in one process would be unfair: every thread that enters llama.cpp brings a team of workers, and
two teams spin against each other.
"""
