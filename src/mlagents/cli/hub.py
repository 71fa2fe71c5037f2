"""`mlagents hub`: publish a trained run on the Hugging Face Hub, and fetch one."""

from __future__ import annotations

import argparse
from pathlib import Path

from mlagents.cli.values import find_folder
from mlagents.errors import UsageError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "hub", help="publish a run on the Hugging Face Hub, or fetch one", description=__doc__
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    push = actions.add_parser("push", help="publish a run", description="Publish models of a run with a model card.")
    push.add_argument("run_name", metavar="RUN", help="folder or run id of a run that has ended")
    push.add_argument("repository", metavar="USER/NAME", help="where to; it is made if there is none")
    push.add_argument("--private", action="store_true", help="make a new repository private")
    push.add_argument("--no-checkpoints", action="store_true", help="models only: nobody can train on from them")
    push.add_argument("--revision", metavar="BRANCH", help="branch to commit to (default: main)")
    push.add_argument("--message", help="of the commit (default: the run's name)")
    push.add_argument("--dry-run", action="store_true", help="print the card and the list of files, and send nothing")
    push.set_defaults(run=_push)
    pull = actions.add_parser("pull", help="fetch a run", description="Fetch a published run, to play or train on.")
    pull.add_argument("repository", metavar="USER/NAME", help="where it is published")
    pull.add_argument("--run-id", metavar="NAME", help="what it is to be called here (default: NAME of USER/NAME)")
    pull.add_argument("--results-dir", type=Path, metavar="DIR", help="where runs are kept (default: models)")
    pull.add_argument("--revision", help="branch, tag or commit (default: main)")
    pull.set_defaults(run=_pull)


def _push(arguments: argparse.Namespace) -> int:
    """Publish, print the address, and return 0.

    Raises:
      UsageError: no such run, or the repository's name is none.
      CheckpointError: the run is not complete.
      HubError: the Hub refuses.
    """
    from mlagents.artifacts.hub import CARD, published_files, push
    from mlagents.artifacts.layout import Layout

    _check(arguments.repository)
    layout = Layout.of_folder(find_folder(Path(arguments.run_name)))
    files = published_files(layout, arguments.repository, not arguments.no_checkpoints)
    if arguments.dry_run:
        print(files[CARD].decode())
    for name, content in files.items():
        print(f"{len(content):>10,}  {name}")
    if arguments.dry_run:
        return 0
    message = arguments.message or f"Run {layout.run.name}"
    address = push(files, arguments.repository, private=arguments.private, revision=arguments.revision, message=message)
    print(address)
    return 0


def _pull(arguments: argparse.Namespace) -> int:
    """Fetch, print where it is and how to play it, and return 0.

    Raises:
      UsageError: the repository's name is none.
      CheckpointError: the name is taken.
      HubError: there is no such repository.
    """
    from mlagents.artifacts.hub import pull
    from mlagents.artifacts.layout import Layout

    _check(arguments.repository)
    name = arguments.run_id or arguments.repository.rpartition("/")[2]
    layout = Layout(name, arguments.results_dir)
    for each in pull(arguments.repository, layout, arguments.revision):
        print(layout.run / each)
    print(f"To see it play: mlagents play ENV --model {layout.run}")
    return 0


def _check(repository: str) -> None:
    user, _, name = repository.partition("/")
    if not user or not name or "/" in name:
        raise UsageError(f"{repository!r} is no repository; expected USER/NAME, such as me/3DBall-first")
