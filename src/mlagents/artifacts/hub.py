"""Runs on the Hugging Face Hub: what of a run is published, with a model card, and how it comes back."""

from __future__ import annotations

import importlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from mlagents.artifacts.checkpoints import CheckpointError
from mlagents.artifacts.layout import MODEL_SUFFIXES, Layout, run_id_problem
from mlagents.artifacts.model_card import TrainedBehavior, model_card
from mlagents.artifacts.status import Status, StatusError
from mlagents.distribution import NAME
from mlagents.errors import UsageError

CARD: Final = "README.md"

_PATTERNS: Final = ("*.onnx", "*.nn", "*.safetensors", "*.yaml", "*.json", CARD)
"""What is fetched: nothing that can run."""


class HubError(RuntimeError):
    """The Hub, or the way to it, fails; the message names the repository and says what to do."""


def published_files(layout: Layout, repo_id: str, with_checkpoints: bool = True) -> dict[str, bytes]:
    """Return what is published of a run: name in the repository -> content, the card first.

    Models, configuration, manifest, how closely models agree with their policies, and the newest checkpoint of each
    behavior, from which others can train on. The folder of the person who trained is written as `~`.

    Args:
      layout: of the run.
      repo_id: where it goes, for the card.
      with_checkpoints: also the checkpoints.

    Raises:
      CheckpointError: the run has written no manifest, no model, or no list of checkpoints.
    """
    manifest = _manifest(layout)
    configuration = _text(layout.configuration)
    behaviors = _behaviors(layout)
    files: dict[str, bytes] = {}
    for behavior in behaviors:
        files |= {name: (layout.run / name).read_bytes() for name in behavior.models}
        state = layout.checkpoint(behavior.name, behavior.steps, ".safetensors")
        if with_checkpoints and state.is_file():
            files[state.relative_to(layout.run).as_posix()] = state.read_bytes()
    if not any(name.endswith(MODEL_SUFFIXES) for name in files):
        raise CheckpointError(f"{layout.run} has no models yet; they are written when a run ends.")
    files[layout.configuration.name] = configuration.encode()
    files[layout.manifest.name] = json.dumps(manifest, indent=2).encode()
    if layout.exports.is_file():
        files[layout.exports.name] = _text(layout.exports).encode()
    card = model_card(layout.run.name, repo_id, manifest, configuration, behaviors)
    return {CARD: card.encode(), **dict(sorted(files.items()))}


def push(files: Mapping[str, bytes], repo_id: str, *, private: bool, revision: str | None, message: str) -> str:
    """Publish files in one commit, in a repository that is made if there is none, and return its address.

    Raises:
      HubError: nobody is logged in, the repository is somebody else's, or the Hub cannot be reached.
      UsageError: huggingface_hub is not installed.
    """
    hub = _library()
    operations = [hub.CommitOperationAdd(name, content) for name, content in files.items()]
    with _reported(f"push to {repo_id}"):
        api = hub.HfApi(library_name=NAME)
        made = api.create_repo(repo_id, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(made.repo_id, branch=revision, exist_ok=True)
        api.create_commit(made.repo_id, operations, commit_message=message, revision=revision)
        return str(made)


def pull(repo_id: str, layout: Layout, revision: str | None = None) -> list[str]:
    """Fetch a published run into a new folder, whole or not at all, and return the names of its files.

    Raises:
      CheckpointError: the run id is no name, or taken.
      HubError: there is no such repository, it has no model, or the Hub cannot be reached.
      UsageError: huggingface_hub is not installed.
    """
    problem = run_id_problem(layout.run_id)
    if problem is not None:
        raise CheckpointError(f"--run-id={layout.run_id}: {problem}.")
    if layout.run.exists():
        raise CheckpointError(f"{layout.run} exists; choose another name with --run-id.")
    hub = _library()
    layout.run.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".hub-", dir=layout.run.parent) as temporary:
        folder = Path(temporary) / "run"
        with _reported(f"pull {repo_id}"):
            hub.snapshot_download(repo_id, revision=revision, local_dir=folder, allow_patterns=list(_PATTERNS))
        shutil.rmtree(folder / ".cache", ignore_errors=True)
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        if not any(name.endswith(MODEL_SUFFIXES) for name in names):
            found = ", ".join(names) or "nothing that is a run's"
            raise HubError(f"{repo_id} has no .onnx or .nn model; it has {found}.")
        folder.rename(layout.run)
    return names


def _behaviors(layout: Layout) -> list[TrainedBehavior]:
    try:
        status = Status.read(layout.status)
    except (FileNotFoundError, StatusError) as error:
        raise CheckpointError(f"{layout.status}: cannot be read ({error}); is {layout.run} a run?") from None
    found = []
    for name in status.behaviors():
        newest = status.checkpoints(name)[-1]
        models = [path.name for suffix in MODEL_SUFFIXES if (path := layout.model(name, suffix)).is_file()]
        found.append(TrainedBehavior(name, newest["steps"], newest.get("reward"), models))
    return found


def _manifest(layout: Layout) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_text(layout.manifest))
    program, *rest = found.get("command_line") or [""]
    return {**found, "command_line": [Path(program).name, *rest]}


def _text(path: Path) -> str:
    """Return a file of the run without the name of its author's folder.

    Raises:
      CheckpointError: it is not there.
    """
    try:
        text, home = path.read_text(encoding="utf-8"), Path.home()
    except FileNotFoundError:
        raise CheckpointError(f"{path} is not there; a run writes it when it starts. Is {path.parent} a run?") from None
    return text.replace(str(home), "~") if home.name else text


def _library() -> ModuleType:
    try:
        return importlib.import_module("huggingface_hub")
    except ImportError as error:
        raise UsageError(
            f"`mlagents hub` needs the package huggingface_hub ({error}): pip install '{NAME}[hub]'."
        ) from error


@contextmanager
def _reported(what: str) -> Iterator[None]:
    """Tell whatever the library raises as one error: its classes differ from version to version."""
    try:
        yield
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise HubError(
            f"{what}: {text} If you are not logged in, `hf auth login` or the variable HF_TOKEN does that."
        ) from error
