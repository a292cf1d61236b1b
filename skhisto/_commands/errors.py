"""Errors that terminate a command."""


class UsageError(Exception):
    """The error for arguments with which a command cannot start."""
