"""The command line of `mlagents-learn`. Standard library only, so that `--help` appears at once."""

from __future__ import annotations

from argparse import REMAINDER, SUPPRESS, ArgumentParser, Namespace
from dataclasses import dataclass
from typing import Any

from mlagents.cli.parsing import OneLineParser, parse_number, parse_whole
from mlagents_envs import __version__


@dataclass(frozen=True)
class Flag:
    """One flag: its help, what it takes (nothing: it is a switch), its default in words, other details."""

    name: str
    help: str
    takes: type | None = None
    default: object = None
    dest: str | None = None
    choices: tuple[str, ...] | None = None
    takes_rest: bool = False
    takes_several: bool = False
    metavar: str | None = None

    def add_to(self, parser: Any) -> None:
        """Add the flag to a parser or to a group of it; what is not typed leaves no trace."""
        text = self.help if self.help == SUPPRESS else f"{self.help}{self._default_in_words()}"
        options: dict[str, Any] = {"help": text.replace("%", "%%"), "default": SUPPRESS}
        if self.dest:
            options["dest"] = self.dest
        if self.takes is None:
            options["action"] = "store_true"
        else:
            parsers = {int: parse_whole, float: parse_number}
            options |= {"type": parsers.get(self.takes, self.takes), "choices": self.choices, "metavar": self.metavar}
        if self.takes_rest:
            options["nargs"] = REMAINDER
        if self.takes_several:
            options["nargs"] = "+"
        parser.add_argument(self.name, **options)

    def _default_in_words(self) -> str:
        return "" if self.default is None else f" (default: {self.default})"


GROUPS: dict[str, tuple[Flag, ...]] = {
    "the run": (
        Flag("--run-id", "name of the run and of its folder", str, "ppo"),
        Flag("--resume", "continue the run of this name: weights, step counter, lessons, ratings"),
        Flag("--force", "permit overwriting an existing run of this name"),
        Flag("--initialize-from", "start from the weights of another run", str, metavar="RUN_ID"),
        Flag("--inference", "act without training, normally with --resume"),
        Flag("--deterministic", "act by the mean or the most likely action"),
        Flag("--results-dir", "base folder for the modern layout of files; without it the layout of 2020", str),
        Flag("--jsonl", "also write all statistics as JSON lines, for programs"),
        Flag("--track", "also send all statistics there", str, choices=("wandb", "mlflow", "trackio")),
        Flag(
            "--export-profile",
            "which Unity package .onnx models are for",
            str,
            "one that all from 2.0 on read",
            choices=("default", "barracuda1", "barracuda", "sentis1", "inference2"),
        ),
        Flag(
            "--export-format",
            "final models as .onnx, or both as .onnx and .nn",
            str,
            "both, with --results-dir onnx",
            choices=("onnx", "both"),
        ),
        Flag("--keep-best", "also keep the K checkpoints that do best in episodes of their own", int, 0, metavar="K"),
        Flag("--view", "show the newest checkpoint play on a page in the browser; needs mlagents-jax[view]"),
        Flag("--debug", "log details, and the configuration in full"),
        Flag("--load", SUPPRESS, dest="load_model"),
        Flag("--train", SUPPRESS, dest="train_model"),
    ),
    "the environment": (
        Flag(
            "--env",
            "executable, Python file or name of a registered environment; without it wait for the Unity Editor",
            str,
            dest="env_path",
        ),
        Flag(
            "--env-args",
            "all that follows goes to the executable",
            str,
            takes_rest=True,
            metavar="...",
        ),
        Flag("--num-envs", "number of environment processes", int, 1),
        Flag("--num-areas", "copies of the training area in one environment; without it as many as usual", int),
        Flag("--seed", "seed of the run; -1: drawn anew", int, -1),
        Flag("--base-port", "worker i listens on this port + i", int, 5005),
        Flag("--bind", "address to listen on for environments", str, "localhost", metavar="ADDRESS"),
        Flag(
            "--attach",
            "join players that run already and listen, one worker each",
            str,
            takes_several=True,
            metavar="HOST:PORT",
        ),
        Flag("--tls-cert", "encrypt what listens here (--bind) with this certificate, a PEM file", str, metavar="FILE"),
        Flag("--tls-key", "its key, a PEM file; without it the key is in the certificate's file", str, metavar="FILE"),
        Flag(
            "--tls-ca", "encrypt connections to attached players, who must have these certificates", str, metavar="FILE"
        ),
        Flag("--token-file", "token that players must know, or are told", str, metavar="FILE"),
        Flag("--insecure", "permit connections with other machines that are not encrypted"),
        Flag("--timeout-wait", "seconds to wait for an environment to connect", float, 60),
        Flag("--max-lifetime-restarts", "restarts of one worker over the run; -1: unlimited", int, 10),
        Flag("--restarts-rate-limit-n", "restarts of one worker within the period; -1: unlimited", int, 1),
        Flag("--restarts-rate-limit-period-s", "length of that period in seconds", float, 60),
        Flag(
            "--docker-target-name",
            "in a container: the mounted folder /NAME in which all paths of this command line are",
            str,
            metavar="NAME",
        ),
    ),
    "several machines": (
        Flag(
            "--ray",
            "let samplers play on a Ray cluster: its HOST:PORT, auto, or local for one of this run",
            str,
            dest="address",
            metavar="ADDRESS",
        ),
        Flag("--num-samplers", "samplers on the cluster", int, 1),
        Flag("--envs-per-sampler", "environments of each sampler", int, 1),
        Flag("--max-staleness", "updates that weights may be behind whose experience PPO takes", int, 0),
    ),
    "the Unity engine": (
        Flag("--width", "width of the window in pixels", int, 84),
        Flag("--height", "height of the window in pixels", int, 84),
        Flag("--quality-level", "quality level", int, 5),
        Flag("--time-scale", "simulated seconds per second", float, 20),
        Flag("--target-frame-rate", "frames per second aimed at; -1: as many as possible", int, -1),
        Flag("--capture-frame-rate", "simulated frames per simulated second", int, 60),
        Flag("--no-graphics", "start the executable without graphics"),
        Flag("--no-graphics-monitor", "graphics for worker 0 only"),
    ),
    "the device": (
        Flag("--device", "where to compute", str, "cpu", choices=("cpu", "gpu")),
        Flag("--torch-device", "the same in other words: cpu, cuda, cuda:N", str, metavar="DEVICE"),
        Flag("--cpu", "the same as --device cpu"),
        Flag("--torch", SUPPRESS),
        Flag("--tensorflow", SUPPRESS),
    ),
    "what older files keep apart": (
        Flag("--curriculum", "curriculum file", str, dest="curriculum_config_path", metavar="FILE"),
        Flag("--lesson", "lesson at which all curricula start", int, 0),
        Flag("--sampler", "parameter randomisation file", str, dest="sampler_file_path", metavar="FILE"),
        Flag("--keep-checkpoints", "checkpoints of each behavior that stay on disk", int, 5),
        Flag("--save-freq", "environment steps between checkpoints, without it checkpoint_interval decides", int),
    ),
}


def parser() -> ArgumentParser:
    """Return the parser of `mlagents-learn`; but for `trainer_config_path` and `debug` it yields what was typed."""
    built = OneLineParser(
        prog="mlagents-learn",
        description="Train agents. Flags that are typed win over the trainer file.",
    )
    built.add_argument(
        "trainer_config_path",
        nargs="?",
        help="trainer file (YAML, of 2020 or modern); without it every behavior gets the built-in defaults",
    )
    built.add_argument("--version", action="version", version=f"mlagents {__version__}")
    for title, flags in GROUPS.items():
        group = built.add_argument_group(title)
        for flag in flags:
            flag.add_to(group)
    built.set_defaults(trainer_config_path=None, debug=False)
    return built


def typed_flags(namespace: Namespace) -> dict[str, object]:
    """Return the flags that the user typed, by destination, without the trainer file."""
    typed = {name: value for name, value in vars(namespace).items() if name != "trainer_config_path"}
    if not typed["debug"]:
        del typed["debug"]
    return typed
