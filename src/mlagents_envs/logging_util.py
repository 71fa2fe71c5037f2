"""Loggers that print to stdout, and one level for all of them.

Until `set_log_level` is called the levels are those of the logging module: warnings show, and what the
program sets on a logger or on the root logger counts.
"""

from __future__ import annotations

import logging
import sys
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
    """Prints to what `sys.stdout` is at that time, and each record once though parent loggers have it too."""

    def emit(self, record: logging.LogRecord) -> None:
        if not hasattr(record, "on_stdout"):
            record.on_stdout = True
            self.stream = sys.stdout
            super().emit(record)


_handler = _StdoutHandler(sys.stdout)
_handler.setFormatter(logging.Formatter(LOG_FORMAT, DATE_FORMAT))
_loggers: set[logging.Logger] = set()
_level = NOTSET


def get_logger(name: str) -> logging.Logger:
    """The logger of that name, printing to stdout, at the level of `set_log_level` if that was called."""
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
