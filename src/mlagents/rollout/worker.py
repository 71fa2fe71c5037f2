"""The process of one environment. It imports what the environment needs, and nothing that trains."""

from __future__ import annotations

import _thread
import faulthandler
import logging
import os
import pickle
import signal
import sys
import threading
import time
import traceback
from contextlib import suppress
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import NamedTuple

from mlagents.rollout.exchange import (
    CLOSE,
    FAILURE,
    PARAMETERS,
    RESET,
    News,
    WorkerEnd,
    decode_parameters,
    encode_report,
)
from mlagents.rollout.parameters import tell
from mlagents_envs.base_env import BaseEnv
from mlagents_envs.exception import UnityCommunicatorStoppedException, UnityException, UnitySideChannelException
from mlagents_envs.logging_util import get_logger, set_log_level
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel

logger = get_logger(__name__)

_ORPHAN_GRACE_S = 3.0
_PARENT_CHECK_S = 1.0
_NOTICE_S = 0.5


class Failure(NamedTuple):
    """Why a worker can not go on.

    Attributes:
      summary: what happened, the rest of a sentence about the worker.
      advice: what the user may do.
      details: traceback of a defect, or what else the environment said; "" if there is nothing.
      error: that exception, pickled, or None if it does not come out of pickling as it went in.
      curable: whether a fresh environment may do better; not so if it refused what it was told, or left by itself.
    """

    summary: str
    advice: str
    details: str = ""
    error: bytes | None = None
    curable: bool = True


def run(connection: Connection, source: bytes, index: int, log_level: int = logging.NOTSET) -> None:
    """Make the environment and answer the pool's requests until it says CLOSE or is gone.

    Args:
      connection: to the pool.
      source: a pickled EnvironmentSource.
      index: of the worker.
      log_level: of the pool's process; NOTSET if it set none.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the trainer decides what ends
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # was blocked until now
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # reaches the group, too, when its terminal is closed
    signal.signal(signal.SIGTERM, _exit)
    if log_level != logging.NOTSET:
        set_log_level(log_level)
    faulthandler.enable()
    threading.Thread(target=_follow_parent, daemon=True).start()
    parameters, stats = EnvironmentParametersChannel(), StatsSideChannel()
    try:
        env: BaseEnv = pickle.loads(source).make(index, [parameters, stats])
    except Exception as error:
        _send(connection, _failure_message(error))
        sys.exit(1)
    except SystemExit:  # perhaps in the middle of the start of a process, which then nobody would end
        kill_tree(os.getpid())
        raise
    try:
        well = _serve(connection, env, parameters, stats)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends already, and is killed if that takes long
        with suppress(Exception):  # an environment that failed may refuse
            env.close()
    sys.exit(0 if well else 1)


def _exit(signum: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would come in the middle of the end
    sys.exit(128 + signum)


def _serve(
    connection: Connection, env: BaseEnv, parameters: EnvironmentParametersChannel, stats: StatsSideChannel
) -> bool:
    """Answer every request with a report; return False if the environment raised an exception."""
    exchange = WorkerEnd()
    _send(connection, encode_report([], News({}, {}, {})))
    while (request := _receive(connection))[:1] != CLOSE:
        try:
            if request[:1] == PARAMETERS:
                tell(parameters, decode_parameters(request))
                continue
            if request[:1] == RESET:
                env.reset()
            else:
                for behavior, actions in exchange.actions(request):
                    env.set_actions(behavior, actions)
                env.step()
            report = exchange.report(env, request[1], stats.get_and_reset_stats())
        except Exception as error:
            _send(connection, _failure_message(error))
            return False
        _send(connection, report)
    return True


def _receive(connection: Connection) -> bytes:
    try:
        return connection.recv_bytes()
    except (EOFError, OSError):
        return CLOSE  # the pool is gone


def _send(connection: Connection, message: bytes) -> None:
    with suppress(OSError):  # the pool is gone: the next `_receive` says so
        connection.send_bytes(message)


def _failure_message(error: Exception) -> bytes:
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, UnityException):  # it says all there is to say, but for those who debug
        head, _, rest = str(error).partition("\n")
        failure = Failure(head.rstrip("."), "", trace if logger.isEnabledFor(logging.DEBUG) else rest)
    else:
        summary = f"its environment raised {type(error).__name__}: {error}"
        failure = Failure(summary, "Correct the environment; the traceback shows where.", trace)
    curable = not isinstance(error, UnitySideChannelException | UnityCommunicatorStoppedException)
    return FAILURE + pickle.dumps(failure._replace(error=_pickled(error), curable=curable))


def _pickled(error: Exception) -> bytes | None:
    """Return the pickled exception, or None if it does not come back the same."""
    try:
        data = pickle.dumps(error)
        return data if str(pickle.loads(data)) == str(error) else None
    except Exception:
        return None


def _follow_parent() -> None:
    """End this process when the pool's process is gone, whatever the main thread is doing.

    This, not Linux's PR_SET_PDEATHSIG: the environment is closed if it can be, the processes that it started
    end too, and it works on every system. (That signal also comes when merely the pool's thread ends.)
    """
    parent = parent_process()
    if parent is None:
        return
    pid = os.getppid()  # changes at the parent's death, when a sibling forked by it holds the sentinel open
    while not wait([parent.sentinel], _PARENT_CHECK_S) and os.getppid() == pid:
        pass
    time.sleep(_NOTICE_S)  # the main thread ends by itself if it waits for a request
    _thread.interrupt_main(signal.SIGTERM)
    time.sleep(_ORPHAN_GRACE_S)
    kill_tree(os.getpid())


def kill_tree(pid: int) -> None:
    """Kill the processes that a process started, then itself; harmless if it is gone."""
    import psutil  # takes memory that a worker needs only here

    try:
        process = psutil.Process(pid)
        family = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
