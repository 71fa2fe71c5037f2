"""The exceptions of this package.

```
UnityException
├── UnityEnvironmentException           launch, version mismatch, process exit, use after close, framing
├── UnityCommunicationException         a message came on a channel that only sends
├── UnityCommunicatorStoppedException   the other side closed the connection
├── UnityObservationException           wrong or undecodable observation shapes
│   └── UnityNotFiniteException         NaN or infinite rewards or observations; a RuntimeError too
├── UnityActionException                bad actions, unknown behavior
├── UnityTimeOutException               no answer in time
├── UnitySideChannelException           bad side-channel arguments
├── UnityWorkerInUseException           the port is taken
└── UnityPolicyException                trainer and policy errors
```

Not in the tree: `IndexError` for an agent without a pending decision, `KeyError` for a missing id.
"""

from __future__ import annotations


class UnityException(Exception):
    """Root of everything this package raises on its own account."""


class UnityEnvironmentException(UnityException):
    """The environment could not be launched, left, broke the protocol, or is used after `close()`."""


class UnityCommunicationException(UnityException):
    """A message came on a channel that only sends."""


class UnityCommunicatorStoppedException(UnityException):
    """The environment closed the connection."""


class UnityObservationException(UnityException):
    """An observation has the wrong shape or cannot be decoded."""


class UnityNotFiniteException(UnityObservationException, RuntimeError):
    """A reward or an observation is NaN or infinite; a `RuntimeError` too, as programs expect it."""


class UnityActionException(UnityException):
    """An action does not fit its spec, or names a behavior that the environment does not have."""


class UnityTimeOutException(UnityException):
    """The environment did not answer in time."""


class UnitySideChannelException(UnityException):
    """A side channel was given arguments that it cannot send."""


class UnityPolicyException(UnityException):
    """A policy or trainer cannot work with what it was given."""


class UnityWorkerInUseException(UnityException):
    """The port of a worker is taken, usually by an environment that was not closed."""

    MESSAGE_TEMPLATE = (
        "Could not start the environment: the port of worker {} is in use. An earlier environment may still "
        "be running; close it, or choose another worker_id or base_port."
    )

    def __init__(self, worker_id: int) -> None:
        super().__init__(self.MESSAGE_TEMPLATE.format(worker_id))
        self.worker_id = worker_id

    def __reduce__(self) -> tuple[type[UnityWorkerInUseException], tuple[int]]:
        return type(self), (self.worker_id,)  # not the message, as exceptions do
