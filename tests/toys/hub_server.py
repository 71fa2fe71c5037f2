"""A stand-in for the Hugging Face Hub: the endpoints by which models are published and fetched, over real HTTP.

It keeps files in memory, as regular ones (no large-file storage), and knows one token.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_of_the_tests"


class Hub(ThreadingHTTPServer):
    """The server.

    Attributes:
      repositories: id -> revision -> name -> content.
      private: ids of private repositories.
      messages: of all commits.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories: dict[str, dict[str, dict[str, bytes]]] = {}
        self.private: set[str] = set()
        self.messages: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub that answers in the block."""
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        thread.join()
        hub.server_close()


def commit_of(files: dict[str, bytes]) -> str:
    return hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(urlsplit(self.path).path)
        if path == "/api/validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self._json({"error": "Invalid credentials in Authorization header"}, 401)
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        repository, action, revision = _parts(path)
        answer = {"branch": self._branch, "preupload": self._preupload, "commit": self._commit}[action]
        return answer(repository, revision, body)

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if "/resolve/" in path:
            return self._resolve(path)
        repository, action, revision = _parts(path)
        files = self._files(repository, revision)
        if files is None:
            return self._json({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        if action == "revision":
            names = [{"rfilename": name} for name in files]
            return self._json({"id": repository, "sha": commit_of(files), "siblings": names, "tags": []})
        return self._json(
            [{"type": "file", "path": name, "size": len(data), "oid": _oid(data)} for name, data in files.items()]
        )

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _files(self, repository: str, revision: str) -> dict[str, bytes] | None:
        """The files of a branch, or of a commit of any branch."""
        branches = self.server.repositories.get(repository, {})
        found = [files for branch, files in branches.items() if revision in (branch, commit_of(files))]
        return found[0] if found else None

    def _create(self, wanted: dict[str, str]) -> None:
        repository = f"{wanted['organization']}/{wanted['name']}"
        if wanted["organization"] == "somebody-else":
            return self._json({"error": "You don't have the rights to create a model under this namespace"}, 403)
        taken = repository in self.server.repositories
        self.server.repositories.setdefault(repository, {"main": {}})
        if wanted.get("visibility") == "private" or wanted.get("private"):
            self.server.private.add(repository)
        return self._json({"url": f"{self.server.url}/{repository}"}, 409 if taken else 200)

    def _branch(self, repository: str, revision: str, body: bytes) -> None:
        branches = self.server.repositories[repository]
        branches.setdefault(revision, dict(branches["main"]))
        return self._json({})

    def _preupload(self, repository: str, revision: str, body: bytes) -> None:
        files = [
            {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False} for each in json.loads(body)["files"]
        ]
        return self._json({"files": files})

    def _commit(self, repository: str, revision: str, body: bytes) -> None:
        files = self.server.repositories[repository][revision]
        for line in map(json.loads, body.decode().splitlines()):
            if line["key"] == "header":
                self.server.messages.append(line["value"]["summary"])
            else:
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        oid = commit_of(files)
        return self._json({"commitOid": oid, "commitUrl": f"{self.server.url}/{repository}/commit/{oid}"})

    def _resolve(self, path: str) -> None:
        repository, _, rest = path.lstrip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        files = self._files(repository, revision)
        if files is None or name not in files:
            return self._json({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        headers = {"ETag": f'"{_oid(files[name])}"', "X-Repo-Commit": commit_of(files)}
        return self._send(files[name], 200, {"Content-Type": "application/octet-stream", **headers})

    def _json(self, content: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send(json.dumps(content).encode(), status, {"Content-Type": "application/json", **(headers or {})})

    def _send(self, data: bytes, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _parts(path: str) -> tuple[str, str, str]:
    """USER/NAME, ACTION and REVISION of /api/models/USER/NAME/ACTION/REVISION; the last two may be missing."""
    _, _, _, user, name, *rest = path.split("/", 6)
    action, revision = [*rest, "", ""][:2]
    return f"{user}/{name}", action, revision


def _oid(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
