"""Errors that end a command."""


class UsageError(Exception):
    """The command cannot start with these arguments."""
