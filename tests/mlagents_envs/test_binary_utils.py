from __future__ import annotations

import hashlib
import http.server
import io
import stat
import sys
import threading
import types
import zipfile
from pathlib import Path

import pytest

from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.registry import UnityEnvRegistry, binary_utils
from mlagents_envs.registry.remote_registry_entry import RemoteRegistryEntry

EXECUTABLE = {"linux": "Walk.x86_64", "darwin": "Walk.app", "win32": "Walk.exe"}[sys.platform]


def zip_of(*members: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for member in members:
            archive.writestr(member, f"content of {member}")
    return buffer.getvalue()


WALK_ZIP = zip_of(f"Walk/{EXECUTABLE}", "Walk/UnityCrashHandler64.exe", "Walk/Walk_Data/data.bin")


class Site:
    """An HTTP server on 127.0.0.1; `answers`: path -> (status, body, announced length) in turn."""

    def __init__(self):
        self.answers: dict[str, list[tuple[int, bytes, int]]] = {}
        self.asked: list[str] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                site.asked.append(self.path)
                answers = site.answers[self.path]
                status, body, length = answers.pop(0) if len(answers) > 1 else answers[0]
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def put(self, path: str, *answers: tuple[int, bytes, int] | bytes) -> str:
        self.answers[path] = [a if isinstance(a, tuple) else (200, a, len(a)) for a in answers]
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def close(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(binary_utils, "_FIRST_PAUSE_S", 0.001)
    site = Site()
    yield site
    site.close()


def test_an_executable_is_fetched_once_and_kept_where_the_layout_says(site, tmp_path):
    url = site.put("/walk.zip", WALK_ZIP)
    assert binary_utils.get_local_binary_path_if_exists("Walk", url, str(tmp_path)) is None
    path = binary_utils.get_local_binary_path("Walk", url, str(tmp_path))
    folder = f"Walk-{hashlib.md5(url.encode()).hexdigest()}"
    assert Path(path) == tmp_path / "ml-agents-binaries" / "binaries" / folder / "Walk" / EXECUTABLE
    assert Path(path).read_text() == f"content of Walk/{EXECUTABLE}"
    assert not list((tmp_path / "ml-agents-binaries" / "tmp").iterdir())
    if sys.platform != "win32":
        assert Path(path).stat().st_mode & 0o777 == 0o755
        assert Path(path).parent.stat().st_mode & 0o777 == 0o755
    assert binary_utils.get_local_binary_path("Walk", url, str(tmp_path)) == path
    assert site.asked == ["/walk.zip"]


def test_the_digest_is_checked_when_given(site, tmp_path):
    url = site.put("/walk.zip", WALK_ZIP)
    digest = hashlib.sha256(WALK_ZIP).hexdigest()
    with pytest.raises(UnityEnvironmentException, match=f"sha256 {digest}, the manifest says {'0' * 64}"):
        binary_utils.get_local_binary_path("Walk", url, str(tmp_path), sha256="0" * 64)
    assert binary_utils.get_local_binary_path_if_exists("Walk", url, str(tmp_path)) is None
    path = binary_utils.get_local_binary_path("Walk", url, str(tmp_path), sha256=digest.upper())
    assert binary_utils.get_local_binary_path("Walk", url, str(tmp_path), sha256=digest) == path
    assert len(site.asked) == 2


def test_a_kept_copy_of_another_archive_is_replaced_when_a_digest_is_given(site, tmp_path):
    changed = zip_of(f"Walk/{EXECUTABLE}", "Walk/new.bin")
    url = site.put("/walk.zip", WALK_ZIP, changed)
    binary_utils.get_local_binary_path("Walk", url, str(tmp_path))
    path = binary_utils.get_local_binary_path("Walk", url, str(tmp_path), sha256=hashlib.sha256(changed).hexdigest())
    assert sorted(file.name for file in Path(path).parent.iterdir()) == sorted([EXECUTABLE, "new.bin"])


@pytest.mark.parametrize("member", ["../evil", "Walk/../../evil", "/evil", "C:\\evil", "..\\evil"])
def test_an_archive_that_leads_out_of_its_folder_is_refused(site, tmp_path, member):
    url = site.put("/walk.zip", zip_of(f"Walk/{EXECUTABLE}", member))
    with pytest.raises(UnityEnvironmentException, match=r"has a member .*evil.*leads out of its folder"):
        binary_utils.get_local_binary_path("Walk", url, str(tmp_path))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def refused(site, tmp_path, archive: bytes) -> str:
    """What is said about an archive, of which nothing may stay."""
    url = site.put("/bad.zip", archive)
    with pytest.raises(UnityEnvironmentException) as caught:
        binary_utils.get_local_binary_path("Walk", url, str(tmp_path))
    assert url in str(caught.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    return str(caught.value)


def test_an_archive_that_would_fill_the_disk_is_refused(site, tmp_path, monkeypatch):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(EXECUTABLE, bytes(70 << 20))
    bomb = buffer.getvalue()
    assert len(bomb) < 1 << 17
    assert f"of {len(bomb):,} bytes would become 73,400,320, more than 100 times as many" in refused(
        site, tmp_path, bomb
    )
    monkeypatch.setattr(binary_utils, "_LARGEST_BYTES", 70 << 20)
    assert "at most 73,400,320" not in refused(site, tmp_path, bomb)
    monkeypatch.setattr(binary_utils, "_LARGEST_BYTES", (70 << 20) - 1)
    assert "would become 73,400,320 bytes; at most 73,400,319" in refused(site, tmp_path, bomb)
    monkeypatch.setattr(binary_utils, "_LARGEST_BYTES", len(bomb) - 1)
    assert "the download was stopped" in refused(site, tmp_path, bomb)


def test_an_archive_larger_than_the_free_disk_is_refused(site, tmp_path, monkeypatch):
    monkeypatch.setattr(binary_utils.shutil, "disk_usage", lambda _: types.SimpleNamespace(free=10))
    assert "the disk has 10 left" in refused(site, tmp_path, WALK_ZIP)


def test_members_below_a_link_or_a_file_are_refused(site, tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("Walk/data")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc")
        archive.writestr("Walk/data/passwd", "x")
    assert "a member 'Walk/data/passwd' below 'Walk/data', which is a link" in refused(
        site, tmp_path, buffer.getvalue()
    )
    assert "cannot be unpacked" in refused(site, tmp_path, zip_of("Walk", "Walk/data"))


def test_an_archive_with_a_password_is_refused(site, tmp_path):
    archive = bytearray(zip_of(EXECUTABLE))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        archive[archive.index(signature) + offset] |= 1  # the flag of encrypted members
    assert "password" in refused(site, tmp_path, bytes(archive))


def test_what_is_no_archive_or_holds_no_executable_is_refused(site, tmp_path):
    url = site.put("/page", b"<html>")
    with pytest.raises(UnityEnvironmentException, match=r"no whole \.zip"):
        binary_utils.get_local_binary_path("Walk", url, str(tmp_path))
    url = site.put("/empty.zip", zip_of("Walk/readme.txt"))
    with pytest.raises(FileNotFoundError, match=f"holds no executable for {sys.platform}"):
        binary_utils.get_local_binary_path("Walk", url, str(tmp_path))


def test_network_failures_are_tried_again(site, tmp_path):
    cut = (200, WALK_ZIP[:50], len(WALK_ZIP))
    url = site.put("/walk.zip", (503, b"", 0), cut, WALK_ZIP)
    assert binary_utils.get_local_binary_path("Walk", url, str(tmp_path)).endswith(EXECUTABLE)
    assert len(site.asked) == 3


@pytest.mark.parametrize(("status", "attempts"), [(404, 1), (500, 5)])
def test_a_refusal_ends_the_attempts_a_broken_server_after_five(site, tmp_path, status, attempts):
    url = site.put("/walk.zip", (status, b"", 0))
    with pytest.raises(UnityEnvironmentException, match=rf"walk.zip could not be fetched \(attempts: {attempts}\)"):
        binary_utils.get_local_binary_path("Walk", url, str(tmp_path))
    assert len(site.asked) == attempts


def test_several_at_once_end_with_one_whole_copy(site, tmp_path):
    url = site.put("/walk.zip", WALK_ZIP)
    paths: list[str] = []
    threads = [
        threading.Thread(target=lambda: paths.append(binary_utils.get_local_binary_path("Walk", url, str(tmp_path))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 4
    assert len(set(paths)) == 1
    assert len(list((tmp_path / "ml-agents-binaries" / "binaries").iterdir())) == 1


def test_only_web_addresses_and_plain_names_are_taken(tmp_path):
    with pytest.raises(ValueError, match=r"Expected an http\(s\) address, found 'file:///etc/passwd'"):
        binary_utils.get_local_binary_path("Walk", "file:///etc/passwd", str(tmp_path))
    for name in ("../Walk", "a/b", "a\\b", "..", ""):
        with pytest.raises(ValueError, match="cannot be part of a folder name"):
            binary_utils.get_local_binary_path(name, "http://127.0.0.1/x.zip", str(tmp_path))


MANIFEST = b"""
environments:
  - Walk: {expected_reward: 1, description: walks, linux_url: null, darwin_url: null, win_url: null}
"""


def test_a_remote_manifest_is_fetched_at_the_first_look(site):
    registry = UnityEnvRegistry()
    registry.register_from_yaml(site.put("/manifest.yaml", MANIFEST))
    assert site.asked == []
    assert list(registry) == ["Walk"]
    assert site.asked == ["/manifest.yaml"]


def test_progress_is_a_line_that_is_rewritten(capsys):
    binary_utils.print_progress("  Downloading Walk", 50.0)
    binary_utils.print_progress("  Downloading Walk", 100.0)
    bar = capsys.readouterr().err
    assert bar == f"\r  Downloading Walk: |{'#' * 25}{'-' * 25}| 50%\r  Downloading Walk: |{'#' * 50}| 100%\n"


def test_make_starts_what_it_fetched(site, tmp_path, monkeypatch):
    """Launching is `UnityEnvironment`'s matter; here it is one that notes what it is given."""
    module = types.ModuleType("mlagents_envs.environment")
    module.UnityEnvironment = dict
    monkeypatch.setitem(sys.modules, "mlagents_envs.environment", module)
    url = site.put("/walk.zip", WALK_ZIP)
    digest = hashlib.sha256(WALK_ZIP).hexdigest()
    entry = RemoteRegistryEntry(
        *("Walk", 1.0, "walks", url, url, url, ["--slow"], str(tmp_path)),
        **{f"{platform}_sha256": digest for platform in ("linux", "darwin", "win")},
    )
    made = entry.make(seed=4, file_name="ignored", additional_args=["--fast"], num_areas=None)
    path = binary_utils.get_local_binary_path_if_exists("Walk", url, str(tmp_path))
    assert made == {"seed": 4, "file_name": path, "additional_args": ["--fast", "--slow"]}
    assert entry.make(num_areas=3)["num_areas"] == 3


def test_make_without_an_executable_for_the_platform(tmp_path):
    entry = RemoteRegistryEntry("Walk", 1.0, "walks", None, None, None, tmp_dir=str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"Walk has no executable for {sys.platform}"):
        entry.make()
