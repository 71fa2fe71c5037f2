"""Fetching manifests and executables, and the folder where executables are kept.

Layout: `<tmp>/ml-agents-binaries/binaries/<name>-<md5 of the URL>/`; downloads pass through
`<tmp>/ml-agents-binaries/tmp/`. Each executable's folder also holds the SHA-256 of the .zip it came from.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import shutil
import stat
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from mlagents_envs._imported_names import names_of
from mlagents_envs.exception import UnityEnvironmentException

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


_ATTEMPTS = 5
_TIMEOUT_S = 30.0
_FIRST_PAUSE_S = 0.2
_BLOCK_BYTES = 1 << 20
_LARGEST_BYTES = 32 << 30  # of an archive, and of what is in it
_SMALL_BYTES = 64 << 20  # harmless, whatever it came from
_MOST_INFLATED = 100  # builds of games shrink to a third or so
_MOST_ENTRIES = 100_000  # of a manifest; aliases of aliases of aliases reach it in a few lines
_DIGEST_FILE = ".zip-sha256"
_MODE = stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH  # 755
_EXECUTABLES = {"linux": "*.x86_64", "darwin": "*.app", "win32": "*.exe"}


def get_local_binary_path(name: str, url: str, tmp_dir: str | None = None, *, sha256: str | None = None) -> str:
    """Return the path of an executable, fetched from `url` unless it is here already.

    Args:
      name: of the environment; part of a folder name.
      url: http(s) URL of a .zip.
      tmp_dir: where to keep it; the system's folder for temporary files if None.
      sha256: what the .zip must hash to, in hex. A copy here that came from another .zip is replaced.

    Raises:
      FileNotFoundError: the .zip holds no executable for this platform.
      UnityEnvironmentException: the download failed, or the .zip is not what it should be.
    """
    folder = _binary_folder(name, url, tmp_dir)
    if sha256 is not None and _digest_of(folder) != sha256.lower():
        shutil.rmtree(folder, ignore_errors=True)
    path = get_local_binary_path_if_exists(name, url, tmp_dir)
    if path is None:
        download_and_extract_zip(url, name, tmp_dir, sha256=sha256)
        path = get_local_binary_path_if_exists(name, url, tmp_dir)
    if path is None:
        raise FileNotFoundError(
            f"The archive {url} of the environment {name} holds no executable for {sys.platform} "
            f"({_EXECUTABLES.get(sys.platform, 'an unknown platform')})."
        )
    return path


def get_local_binary_path_if_exists(name: str, url: str, tmp_dir: str | None = None) -> str | None:
    """Return the path of an executable that was fetched before; None if it was not."""
    folder = _binary_folder(name, url, tmp_dir)
    pattern = _EXECUTABLES.get(sys.platform)
    if pattern is None or not folder.is_dir():
        return None
    found = sorted(path for path in folder.rglob(pattern) if "UnityCrashHandler64" not in path.name)
    return str(found[0]) if found else None


def get_tmp_dirs(tmp_dir: str | None = None) -> tuple[str, str]:
    """Return the folders for downloads and for executables, made if they are not there.

    Raises:
      UnityEnvironmentException: they belong to another user, who could put anything there for us to run.
    """
    # macOS gives every process group its own temporary folder, which would be no cache
    base = tmp_dir or ("/tmp" if sys.platform == "darwin" else tempfile.gettempdir())
    root = Path(base) / "ml-agents-binaries"
    folders = root / "tmp", root / "binaries"
    for folder in (root, *folders):
        if not folder.is_dir():
            folder.mkdir(mode=_MODE, parents=True, exist_ok=True)
        if hasattr(os, "getuid") and folder.stat().st_uid not in (os.getuid(), 0):
            raise UnityEnvironmentException(
                f"{folder} belongs to another user; give the registry entry a tmp_dir of your own."
            )
    return str(folders[0]), str(folders[1])


def download_and_extract_zip(url: str, name: str, tmp_dir: str | None = None, *, sha256: str | None = None) -> None:
    """Fetch a .zip and unpack it into the executable folder; arguments as in `get_local_binary_path`.

    The folder appears whole or not at all, so processes that fetch one executable at once are safe.

    Raises:
      UnityEnvironmentException: the download failed, or the .zip is not what it should be.
    """
    folder = _binary_folder(name, url, tmp_dir)
    downloads, _ = get_tmp_dirs(tmp_dir)
    stem = Path(downloads) / str(uuid.uuid4())
    archive, unpacked = stem.with_suffix(".zip"), stem
    try:
        found = _download(url, archive, f"  Downloading {name}")
        if sha256 is not None and found != sha256.lower():
            raise UnityEnvironmentException(
                f"The archive {url} of the environment {name} hashes to sha256 {found}, the manifest says "
                f"{sha256.lower()}. It was changed, or the manifest is out of date; nothing was unpacked."
            )
        _extract(archive, unpacked, url)
        (unpacked / _DIGEST_FILE).write_text(found)
        _put_in_place(unpacked, folder, found)
    finally:
        archive.unlink(missing_ok=True)
        shutil.rmtree(unpacked, ignore_errors=True)


def print_progress(prefix: str, percent: float) -> None:
    """Rewrite the current line of stderr with a bar; it ends at 100."""
    done = int(percent / 2)
    end = "\n" if percent >= 100 else ""
    print(f"\r{prefix}: |{'#' * done}{'-' * (50 - done)}| {percent:.0f}%", end=end, file=sys.stderr, flush=True)


def load_local_manifest(path: str) -> Any:
    """Return what a manifest file holds.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it has far too many entries.
      ruamel.yaml.error.YAMLError: it is no YAML.
    """
    return _parse_yaml(Path(path).read_bytes())


def load_remote_manifest(url: str) -> Any:
    """Return what the manifest behind an http(s) URL holds.

    Raises:
      UnityEnvironmentException: it could not be fetched.
      ValueError: it has far too many entries.
      ruamel.yaml.error.YAMLError: it is no YAML.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "manifest.yaml"
        _download(url, file, "  Downloading the manifest")
        return _parse_yaml(file.read_bytes())


def _parse_yaml(text: bytes) -> Any:
    from ruamel.yaml import YAML  # here, because only manifests need it

    yaml = YAML(typ="safe", pure=True)
    if (entries := _entries(yaml.compose(text), {})) > _MOST_ENTRIES:
        raise ValueError(f"{entries:,} entries, counted through aliases; a manifest has at most {_MOST_ENTRIES:,}.")
    return yaml.load(text)


def _entries(node: Any, counted: dict[int, int]) -> int:
    """Return how many entries there are below a YAML node if every alias were written out."""
    below = node.value if node is not None and isinstance(node.value, list) else []
    if id(node) not in counted:
        counted[id(node)] = _MOST_ENTRIES + 1  # what an alias to something that contains it finds
        values = [part for entry in below for part in (entry if isinstance(entry, tuple) else (entry,))]
        counted[id(node)] = sum(1 + _entries(value, counted) for value in values)
    return counted[id(node)]


def _binary_folder(name: str, url: str, tmp_dir: str | None) -> Path:
    if name in ("", ".", "..") or name != PureWindowsPath(name).name:
        raise ValueError(f"The environment name {name!r} cannot be part of a folder name.")
    _, binaries = get_tmp_dirs(tmp_dir)
    return Path(binaries) / f"{name}-{hashlib.md5(url.encode(), usedforsecurity=False).hexdigest()}"


def _digest_of(folder: Path) -> str | None:
    file = folder / _DIGEST_FILE
    return file.read_text().strip() if file.is_file() else None


def _download(url: str, target: Path, prefix: str) -> str:
    """Fetch a URL into a file, trying again when the network fails; returns the SHA-256 in hex."""
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"Expected an http(s) address, found {url!r}.")
    attempt = 1
    while True:
        try:
            return _download_once(url, target, prefix)
        except (OSError, http.client.HTTPException) as error:
            refused = isinstance(error, urllib.error.HTTPError) and error.code < 500
            if refused or attempt == _ATTEMPTS:
                raise UnityEnvironmentException(f"{url} could not be fetched (attempts: {attempt}): {error}") from error
        time.sleep(_FIRST_PAUSE_S * 2 ** (attempt - 1))
        attempt += 1


def _download_once(url: str, target: Path, prefix: str) -> str:
    digest, done = hashlib.sha256(), 0
    show = sys.stderr.isatty()
    with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response, target.open("wb") as file:
        size = int(response.headers.get("Content-Length") or 0)
        while block := response.read(_BLOCK_BYTES):
            file.write(block)
            digest.update(block)
            done += len(block)
            if done > _LARGEST_BYTES:
                raise UnityEnvironmentException(
                    f"{url} sends more than {_LARGEST_BYTES:,} bytes; the download was stopped."
                )
            if show and size:
                print_progress(prefix, 100 * done / size)
    if done < size:
        raise http.client.IncompleteRead(b"", size - done)
    return digest.hexdigest()


def _extract(archive: Path, folder: Path, url: str) -> None:
    """Unpack a .zip whose members all stay inside the folder; everything gets mode 755."""
    try:
        with zipfile.ZipFile(archive) as opened:
            fault = _fault(opened, archive.stat().st_size, shutil.disk_usage(archive.parent).free)
            if fault is not None:
                raise UnityEnvironmentException(f"The archive {url} {fault}; nothing was unpacked.")
            opened.extractall(folder)
    except zipfile.BadZipFile as error:
        raise UnityEnvironmentException(f"What came from {url} is no whole .zip: {error}") from error
    except (OSError, RuntimeError) as error:  # a file where another needs a folder; a password; an unknown method
        raise UnityEnvironmentException(f"The archive {url} cannot be unpacked: {error}") from error
    for path in (folder, *folder.rglob("*")):
        path.chmod(_MODE)


def _fault(archive: zipfile.ZipFile, size: int, free: int) -> str | None:
    """Return why an archive of `size` bytes is not to be unpacked onto a disk with `free` bytes; None if it is fine."""
    members = archive.infolist()
    for member in members:
        if _leads_outside(member.filename):
            return f"has a member {member.filename!r} that leads out of its folder"
    links = {PurePosixPath(member.filename) for member in members if stat.S_ISLNK(member.external_attr >> 16)}
    for member in members:
        if below := links.intersection(PurePosixPath(member.filename).parents):
            return f"has a member {member.filename!r} below {str(below.pop())!r}, which is a link"
    unpacked = sum(member.file_size for member in members)
    if unpacked > _LARGEST_BYTES:
        return f"would become {unpacked:,} bytes; at most {_LARGEST_BYTES:,} are unpacked"
    if unpacked > _SMALL_BYTES and unpacked > _MOST_INFLATED * size:
        return (
            f"of {size:,} bytes would become {unpacked:,}, more than {_MOST_INFLATED} times as many: no build does that"
        )
    if unpacked > free:
        return f"would become {unpacked:,} bytes, and the disk has {free:,} left"
    return None


def _leads_outside(member: str) -> bool:
    posix, windows = PurePosixPath(member), PureWindowsPath(member)
    return posix.is_absolute() or bool(windows.anchor) or ".." in windows.parts


def _put_in_place(unpacked: Path, folder: Path, digest: str) -> None:
    if _digest_of(folder) != digest:
        shutil.rmtree(folder, ignore_errors=True)  # a copy without an executable, or of another .zip
    try:
        unpacked.rename(folder)
    except OSError:
        if _digest_of(folder) != digest:
            raise
        # Another process was faster, and may be running its copy: leave that.
