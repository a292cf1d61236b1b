"""Measures speed, memory, accuracy and robustness. Not a part of the package."""
