"""The connection to a Ray cluster: its faults in one sentence each, and nothing left of a cluster that was started."""

from __future__ import annotations

import math
import os
import platform
import re
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from mlagents_envs import __version__
from mlagents_envs.rpc.address import speaks_grpc
from mlagents_envs.rpc.security import is_loopback

_ANSWER_S = 5.0  # for the head node of a cluster to take a connection
_TRIES = 3  # of Ray, a second apart, where something answers that is no head node
_LOCAL_STORE_BYTES = 512 * 2**20
_ENVIRONMENT = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # whatever its name says: Ray then stays on 127.0.0.1
    "RAY_USAGE_STATS_ENABLED": "0",
}

_PROBE_S = 30.0
_PROBE = """
def probe():
    try:
        from mlagents.rollout.cluster import versions
        return versions()
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error}".split())
"""
_NUMBERS = re.compile(r"\b(class_name|actor_id|pid|namespace|ip|repr|name): \S+ ?")
_MOST_CHARACTERS = 300
_NO_HEAD = (
    "what answers there is no head node of a Ray cluster. Is it the port that `ray start --head --port` was given (6379"
    " by default)?"
)


class ClusterError(RuntimeError):
    """A Ray cluster, or a sampler on it, cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Places:
    """What is to run on a cluster at a time.

    Attributes:
      flag: that says how many; for messages. number: of actors.
      cpus: that Ray sets aside for each. resources: other ones that each needs.
      adjustable: what else could be changed if there is no room; for messages.
    """

    flag: str
    number: int
    cpus: float = 1.0
    resources: Mapping[str, float] = field(default_factory=dict)
    adjustable: str = ""

    def needed(self) -> dict[str, float]:
        """Return what each needs, by Ray's names."""
        return {name: amount for name, amount in {"CPU": self.cpus, **self.resources}.items() if amount > 0}


class Cluster:
    """A connection to a cluster, which is started for it with the address `local`.

    Args:
      address: HOST:PORT of its head node, `auto` or `local`.
      places: what is to run there.
      working_dir: folder that Ray copies to the nodes, if any.

    Attributes:
      ray: the library.

    Raises:
      ClusterError: there is no Ray, the cluster does not answer, has other versions, or is too small.
    """

    def __init__(self, address: str, places: Places, working_dir: str | None = None) -> None:
        self._places, self._working_dir = places, working_dir
        self._is_local = address == "local"
        self._environment = {name: os.environ.get(name) for name in _ENVIRONMENT}
        self._stays_here = self._is_local or _is_loopback(address)
        if self._stays_here:
            os.environ.update(_ENVIRONMENT)
        self.ray = self._imported()
        try:
            self._connect(address)
            self._refuse_too_small()
            if not self._is_local:
                self._refuse_other_installations()
        except BaseException:
            self.close()
            raise

    def _imported(self) -> Any:
        try:
            import ray
        except ModuleNotFoundError as error:
            raise ClusterError(
                "--ray: Ray is not installed here. Install it, on every machine of the cluster, with:"
                ' pip install "mlagents-jax[ray]"'
            ) from error
        if ray.is_initialized():
            raise ClusterError("--ray: this process is connected to a Ray cluster already; call ray.shutdown() first.")
        return ray

    def _connect(self, address: str) -> None:
        quiet: dict[str, Any] = {"configure_logging": False, "logging_level": "ERROR"}
        if self._working_dir is not None:
            quiet["runtime_env"] = {"working_dir": self._working_dir}
        handler = signal.getsignal(signal.SIGTERM)
        constants = self.ray._private.ray_constants
        if not self._is_local:
            constants.NUM_REDIS_GET_RETRIES = _TRIES
        if self._stays_here:
            constants.ENABLE_RAY_CLUSTER = False  # as above, if Ray was imported before
        try:
            if self._is_local:
                self._start(quiet)
            else:
                if address != "auto":
                    _refuse_silent(address)
                self.ray.init(address=address, **quiet)
        except ClusterError:
            raise
        except Exception as error:  # a node that does not come up in time is a bare one
            raise ClusterError(f"--ray={address}: {_reason(error)}") from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)  # Ray has put its own in its place

    def _start(self, options: Mapping[str, Any]) -> None:
        places = self._places
        self.ray.init(
            address="local",  # whatever RAY_ADDRESS says
            num_cpus=math.ceil(places.cpus * places.number),
            resources={name: amount * places.number for name, amount in places.resources.items()},
            include_dashboard=False,
            object_store_memory=_LOCAL_STORE_BYTES,
            _node_ip_address="127.0.0.1",
            **options,
        )

    def options(self) -> dict[str, Any]:
        """Return what Ray is told of each actor."""
        return {"num_cpus": self._places.cpus, "resources": dict(self._places.resources)}

    def _nodes(self) -> Iterator[tuple[dict[str, Any], float]]:
        """Yield every node that is there, and how many actors it has room for when nothing else runs."""
        needed = self._places.needed()
        for node in self.ray.nodes():
            if node["Alive"]:
                room = (math.floor(node["Resources"].get(name, 0.0) / amount) for name, amount in needed.items())
                yield node, min(room, default=math.inf)

    def _refuse_too_small(self) -> None:
        places, needed, nodes = self._places, self._places.needed(), list(self._nodes())
        room = sum(number for _, number in nodes)
        if room < places.number:
            each = ", ".join(f"{amount:g} {name}" for name, amount in needed.items())
            raise ClusterError(
                f"{places.flag}={places.number}: the cluster has room for {room:g} (each needs {each};"
                f" {len(nodes)} nodes). Add nodes, ask for fewer, or lower {places.adjustable}."
            )

    def _refuse_other_installations(self) -> None:
        """Ask every node where something may be placed; what is sent is a function that needs no package of ours."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        names: dict[str, Any] = {}
        exec(_PROBE, names)
        probe = self.ray.remote(num_cpus=0, max_retries=0)(names["probe"])
        asked = {}
        for node, room in self._nodes():
            if room:
                strategy = NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
                asked[probe.options(scheduling_strategy=strategy).remote()] = node["NodeManagerAddress"]
        for answer in self.ray.wait(list(asked), num_returns=len(asked), timeout=_PROBE_S)[0]:
            with suppress(self.ray.exceptions.RayError):  # a node that goes; others may come
                found = self.ray.get(answer)
                if isinstance(found, str):
                    raise ClusterError(
                        f"The node {asked[answer]} cannot import this package ({found}). Install the same on all"
                        " machines."
                    )
                refuse_other_versions("--ray", asked[answer], found)

    def close(self) -> None:
        """Disconnect; a cluster that was started here ends. Harmless when called again."""
        with suppress(Exception):  # the cluster may be gone
            self.ray.shutdown()
        if self._stays_here:
            for name, value in self._environment.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value


def _is_loopback(address: str) -> bool:
    """Return whether a HOST:PORT is this machine's own; Ray would put the machine's outer address in its place."""
    host, _, _ = address.removeprefix("ray://").rpartition(":")
    return bool(host) and is_loopback(host)


def _refuse_silent(address: str) -> None:
    """Raise an error if no cluster can be there: Ray would try for minutes.

    Raises:
      ClusterError: nobody answers, or something else than gRPC, which the head node speaks.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise ClusterError(f"--ray={address}: expected HOST:PORT of a cluster's head node, auto, or local.")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S) as connection:
            is_encrypted = os.environ.get("RAY_USE_TLS", "0") not in ("0", "")
            is_ray = is_encrypted or speaks_grpc(connection)
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"--ray={address}: no answer ({_reason(error)}). Is the cluster up (`ray status` on its head node), and the"
            " port open from here?"
        ) from error
    if not is_ray:
        raise ClusterError(f"--ray={address}: {_NO_HEAD}")


def _reason(error: BaseException) -> str:
    """Return what Ray says, in one line: its messages about versions have several."""
    text = " ".join(str(error).split()) or type(error).__name__
    if "Version mismatch" in text:
        return f"{text.removesuffix('.')}. Install the same versions here and on all nodes."
    if "connect to GCS" in text or "Failed to connect to Ray cluster" in text:
        return _NO_HEAD
    if "Could not find any running Ray instance" in text:
        return "no cluster runs on this machine. Start one with `ray start --head`, or write --ray local."
    return text


def loss(error: BaseException) -> str:
    """Return in one line why Ray has lost an actor: without the numbers by which it knows that."""
    return _NUMBERS.sub("", " ".join(str(error).split()))[:_MOST_CHARACTERS]


def is_loss_of_node(reason: str) -> bool:
    """Return whether an actor was lost, by what `loss` says, with its node: then it is not to blame."""
    return "its node has died" in reason


def versions() -> dict[str, str]:
    """Return the versions that must be the same on every machine."""
    import numpy

    python = ".".join(platform.python_version_tuple()[:2])
    return {"mlagents": __version__, "Python": python, "numpy": numpy.__version__.partition(".")[0]}


def refuse_other_versions(who: str, node: str, found: Mapping[str, str]) -> None:
    """Raise an error if a node has other versions than this one.

    Args:
      who: runs there.
      node: its address.
      found: its `versions()`.

    Raises:
      ClusterError: so it is.
    """
    ours = versions()
    others = [
        f"{name} {version}, here {ours[name]}" for name, version in found.items() if ours.get(name, version) != version
    ]
    if others:
        raise ClusterError(
            f"{who}: the node {node} has other versions: {'; '.join(others)}. Install the same on all machines."
        )
