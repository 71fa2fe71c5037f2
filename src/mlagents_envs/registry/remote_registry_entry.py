"""Environments that are Unity executables, downloaded when they are made."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlagents_envs._imported_names import names_of
from mlagents_envs.registry.base_registry_entry import BaseRegistryEntry
from mlagents_envs.registry.binary_utils import get_local_binary_path

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


if TYPE_CHECKING:
    from mlagents_envs.environment import UnityEnvironment


class RemoteRegistryEntry(BaseRegistryEntry):
    """An executable behind a URL for each platform; nothing is fetched before `make()`.

    Args:
      identifier: the name in the registry.
      expected_reward: the mean episode reward of a well-trained agent; None if unknown.
      description: what the agents do.
      linux_url: http(s) URL of a .zip that holds the executable; None if there is none for the platform.
      darwin_url: as `linux_url`, for macOS.
      win_url: as `linux_url`, for Windows.
      additional_args: command-line arguments for the executable.
      tmp_dir: where downloads and executables are kept; the system's folder for temporary files if None.
      linux_sha256: what the .zip of `linux_url` must hash to, in hex; not checked if None.
      darwin_sha256: as `linux_sha256`, for macOS.
      win_sha256: as `linux_sha256`, for Windows.
    """

    def __init__(
        self,
        identifier: str,
        expected_reward: float | None,
        description: str | None,
        linux_url: str | None,
        darwin_url: str | None,
        win_url: str | None,
        additional_args: list[str] | None = None,
        tmp_dir: str | None = None,
        *,
        linux_sha256: str | None = None,
        darwin_sha256: str | None = None,
        win_sha256: str | None = None,
    ) -> None:
        super().__init__(identifier, expected_reward, description)
        self._downloads = {
            "linux": (linux_url, linux_sha256),
            "darwin": (darwin_url, darwin_sha256),
            "win32": (win_url, win_sha256),
        }
        self._additional_args = additional_args or []
        self._tmp_dir = tmp_dir

    def make(self, **kwargs: Any) -> UnityEnvironment:
        """Fetch the executable unless it is here already, and start it.

        Args:
          **kwargs: keyword arguments of `UnityEnvironment`; `file_name` does not count, `additional_args`
            come before those of the entry.

        Raises:
          FileNotFoundError: there is no executable for this platform, or the .zip holds none.
          UnityEnvironmentException: the download failed, or is not what the manifest says.
        """
        url, sha256 = self._downloads.get(sys.platform, (None, None))
        if url is None:
            raise FileNotFoundError(f"The environment {self.identifier} has no executable for {sys.platform}.")
        path = get_local_binary_path(self.identifier, url, self._tmp_dir, sha256=sha256)
        kwargs["file_name"] = path
        kwargs["additional_args"] = [*(kwargs.get("additional_args") or []), *self._additional_args]
        if (
            kwargs.get("num_areas") is None
        ):  # "as many as the environment likes": for an executable, what it was built with
            kwargs.pop("num_areas", None)
        from mlagents_envs.environment import UnityEnvironment  # here: looking up names needs no gRPC

        return UnityEnvironment(**kwargs)


_REQUIRED_KEYS = ("expected_reward", "description", "linux_url", "darwin_url", "win_url")
_OPTIONAL_KEYS = ("additional_args", "tmp_dir", "linux_sha256", "darwin_sha256", "win_sha256")


def entries_from_manifest(manifest: Any, where: str) -> dict[str, BaseRegistryEntry]:
    """Return the entries of a manifest: `environments`, a list of maps from one identifier to its entry's keys.

    Args:
      manifest: what the YAML holds.
      where: its path or address, for messages.

    Raises:
      TypeError: the manifest has another form, or an entry lacks a key or has an unknown one.
    """
    listed = manifest.get("environments") if isinstance(manifest, Mapping) else None
    if not isinstance(listed, list):
        raise TypeError(f"{where}: expected a key `environments` with a list below it, found {str(manifest)[:80]!r}.")
    entries: dict[str, BaseRegistryEntry] = {}
    for position, item in enumerate(listed, 1):
        if not (isinstance(item, Mapping) and [type(below) for below in item.values()] == [dict]):
            raise TypeError(
                f"{where}: item {position} of `environments` should be one identifier with keys below, found "
                f"{str(item)[:80]!r}."
            )
        ((identifier, keys),) = item.items()
        _check_keys(keys, f"{where}: environment {identifier}")
        entries[str(identifier)] = RemoteRegistryEntry(str(identifier), **keys)
    return entries


def _check_keys(keys: Mapping[str, Any], where: str) -> None:
    missing = [key for key in _REQUIRED_KEYS if key not in keys]
    if missing:
        raise TypeError(f"{where} lacks {', '.join(missing)} (null where there is none).")
    known = (*_REQUIRED_KEYS, *_OPTIONAL_KEYS)
    for key in keys:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, 1)
            hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}."
            raise TypeError(f"{where} has an unknown key {key!r}; {hint}")
