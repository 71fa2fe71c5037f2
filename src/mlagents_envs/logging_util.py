"""Loggers that print to stdout, and one level for all of them.

Until `set_log_level` is called the levels are those of the logging module: warnings show, and what the
program sets on a logger or on the root logger counts.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from contextlib import suppress
from typing import TextIO

CRITICAL = logging.CRITICAL
FATAL = logging.FATAL
ERROR = logging.ERROR
WARNING = logging.WARNING
INFO = logging.INFO
DEBUG = logging.DEBUG
NOTSET = logging.NOTSET

DATE_FORMAT = "%Y-%m-%d %H:%M:%S"
LOG_FORMAT = "[%(levelname)s] %(message)s"
DEBUG_LOG_FORMAT = "%(asctime)s %(levelname)s [%(filename)s:%(lineno)d] %(message)s"


class _StdoutHandler(logging.StreamHandler[TextIO]):
    """Prints to what `sys.stdout` is at that time, and each record once though parent loggers have it too.

    Nothing fails, and nothing is said, when nobody reads stdout any more, as behind `| head`. Other faults of stdout,
    such as a full disk, are said once on stderr.
    """

    _is_reported = False

    def emit(self, record: logging.LogRecord) -> None:
        if sys.stdout is not None and not hasattr(record, "on_stdout"):
            record.on_stdout = True
            self.stream = sys.stdout
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        error = sys.exc_info()[1]
        if isinstance(error, OSError) and error.errno in _NOBODY_READS:
            silence_stdout()
        elif not isinstance(error, OSError):
            super().handleError(record)
        elif not self._is_reported and sys.stderr is not None:
            self._is_reported = True
            print(f"stdout cannot be written, so lines are missing there: {error.strerror}", file=sys.stderr)


_NOBODY_READS = (errno.EPIPE, errno.EIO)
"""A pipe whose reader is gone; a terminal that was closed."""

_stdout_is_closed = False


def silence_stdout() -> None:
    """Let what is printed from now on go nowhere: nobody reads it, and each print would fail."""
    global _stdout_is_closed
    _stdout_is_closed = True
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())  # takes what is still buffered, too, when the process ends
        os.close(nowhere)


def stdout_is_closed() -> bool:
    """Return whether it was noticed that nobody reads stdout any more."""
    return _stdout_is_closed


_handler = _StdoutHandler(sys.stdout)
_handler.setFormatter(logging.Formatter(LOG_FORMAT, DATE_FORMAT))
_loggers: set[logging.Logger] = set()
_level = NOTSET


def get_logger(name: str) -> logging.Logger:
    """Return the logger of that name, printing to stdout, at the level of `set_log_level` if that was called."""
    logger = logging.getLogger(name)
    logger.addHandler(_handler)
    if _level != NOTSET:
        logger.setLevel(_level)
    _loggers.add(logger)
    return logger


def set_log_level(log_level: int) -> None:
    """Give all loggers of `get_logger`, past and future, this level; DEBUG also shows time, file and line."""
    global _level
    _level = log_level
    layout = DEBUG_LOG_FORMAT if log_level == DEBUG else LOG_FORMAT
    _handler.setFormatter(logging.Formatter(layout, DATE_FORMAT))
    for logger in _loggers:
        logger.setLevel(log_level)
