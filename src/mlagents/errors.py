"""What all commands may raise."""


class UsageError(Exception):
    """The command line asks for something that does not exist; exit code 2, as for an unknown flag."""
