"""Trained versions come in and stay as they are; which of them serves goes out, with who decided it and why.

Plain files, no model: whoever trains and whoever serves meet here, and need nothing else of each other.
"""
