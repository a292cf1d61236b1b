"""The commands of ``python -m skhisto``."""
