"""The whole run: behaviors, environment, engine, checkpoints, device."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PrivateAttr, field_validator

from mlagents.settings.schema.base import (
    Count,
    Name,
    Natural,
    NonNegative,
    Port,
    Positive,
    Sent,
    SentOrUnset,
    Settings,
    Switch,
    Violation,
    WholeOrUnlimited,
)
from mlagents.settings.schema.behavior import BehaviorSettings
from mlagents.settings.schema.parameters import CurriculumSettings, ParameterSettings
from mlagents.settings.schema.search import SearchSettings
from mlagents.settings.source.faults import KeyPath, Place, SettingsError, did_you_mean
from mlagents.settings.source.sections import Origin, Section
from mlagents_envs.base_env import MOST_AREAS
from mlagents_envs.rpc.address import Address

MOST_PIXELS = 16_384
"""Of a side of a window: the largest that graphics hardware draws."""


class EnvSettings(Settings):
    """Where environments come from, and how many run."""

    env_path: Name | None = None
    """Executable or name of the environment; null: wait for the Unity Editor on port 5004."""

    env_args: tuple[str, ...] | None = None
    """Arguments given to the executable."""

    base_port: Port = 5005
    """Worker i listens on base_port + i."""

    num_envs: Count = 1
    """Environment processes."""

    num_areas: Annotated[Count, Field(le=MOST_AREAS)] | None = None
    """Copies of the training area in one environment; null: as many as it has by itself."""

    timeout_wait: Positive = 60.0
    """Seconds to wait for an environment to connect."""

    seed: SentOrUnset = -1
    """Seed of the run; -1: drawn anew."""

    max_lifetime_restarts: WholeOrUnlimited = 10
    """Restarts of one worker over the whole run; -1: unlimited."""

    restarts_rate_limit_n: WholeOrUnlimited = 1
    """Restarts of one worker within the period below; -1: unlimited."""

    restarts_rate_limit_period_s: Positive = 60.0
    """Length of that period in seconds."""

    resampling_interval: Natural = 0
    """Environment steps, of all workers together, after which every sampler is drawn anew and all environments are
    reset, as in 2020; 0: the environments draw, at every episode."""

    bind: Name = "localhost"
    """Address to listen on for environments; localhost is both loopback addresses, as players may try either."""

    attach: tuple[Name, ...] | None = None
    """HOST:PORT of players that run already and listen, worker i's the i-th; nothing is started then."""

    tls_cert: Name | None = None
    """PEM file with the certificate of what listens here (bind), which is encrypted then."""

    tls_key: Name | None = None
    """PEM file with the key of that certificate; null: it is in the same file."""

    tls_ca: Name | None = None
    """PEM file with the certificates that attached players must have, or system: those of known authorities; null: the
    connection is not encrypted."""

    token_file: Name | None = None
    """File with a token: who connects to what listens here must know it, and attached players are told it."""

    insecure: Switch = False
    """Permit connections with other machines that are not encrypted: to listen for them, and to tell them the token."""

    def violations(self) -> Iterator[Violation]:
        """Only an executable can run several times, every worker needs a port, and attached players are not started."""
        yield from self._violations_with_attached()
        if self.tls_key is not None and self.tls_cert is None:
            yield Violation((("tls_key",), ("tls_cert",)), "a key without its certificate (expected tls_cert, too)")
        if self.num_envs > 1 and self.env_path is None and self.attach is None:
            yield Violation(
                (("num_envs",), ("env_path",)),
                f"num_envs is {self.num_envs}, but there is no env_path (expected an environment that can "
                "be started several times: name one with env_path or --env)",
            )
        if self.base_port + self.num_envs - 1 > 65535:
            yield Violation(
                (("base_port",), ("num_envs",)),
                f"base_port {self.base_port} leaves no ports for {self.num_envs} environments "
                "(expected base_port + num_envs - 1 <= 65535)",
            )

    def _violations_with_attached(self) -> Iterator[Violation]:
        if self.attach is None:
            return
        for index, address in enumerate(self.attach):
            try:
                Address.parse(address)
            except ValueError as error:
                yield Violation((("attach", index),), str(error))
            if address in self.attach[:index]:
                yield Violation((("attach", index),), f"{address} is there twice (a player plays for one worker)")
        if self.env_path is not None:
            yield Violation(
                (("attach",), ("env_path",)),
                f"players that run already are attached, so env_path {self.env_path!r} would not be started (expected"
                " attach or env_path)",
            )
        if self.num_envs not in (1, len(self.attach)):
            yield Violation(
                (("num_envs",), ("attach",)),
                f"num_envs is {self.num_envs}, but {len(self.attach)} players are attached (leave num_envs out)",
            )


class RaySettings(Settings):
    """Samplers on the machines of a Ray cluster, each with environments and a policy of its own."""

    address: Name | None = None
    """Address of the cluster, HOST:PORT; auto: that which runs on this machine; local: one is started here for the run;
    null: without Ray."""

    num_samplers: Count = 1
    """Samplers; sampler j has the environments j * envs_per_sampler and following."""

    envs_per_sampler: Count = 1
    """Environments of each sampler."""

    max_staleness: Natural = 0
    """Updates that the weights may be behind when a sampler hands experience on to a learner that, as PPO's, wants its
    newest ones; 0: samplers wait during updates; 1: they play on meanwhile."""

    cpus_per_sampler: NonNegative = 1.0
    """CPUs that Ray sets aside for each sampler."""

    resources: dict[str, NonNegative] = Field(default={})
    """Other resources of Ray that each sampler needs, as `{unity: 1}`; `ray start --resources` says what a node has."""

    working_dir: Name | None = None
    """Folder that is copied to the nodes; samplers run there, so a relative env_path may name what is in it."""


class EngineSettings(Settings):
    """The Unity engine of each environment."""

    width: Annotated[Count, Field(le=MOST_PIXELS)] = 84
    """Width of the window in pixels."""

    height: Annotated[Count, Field(le=MOST_PIXELS)] = 84
    """Height of the window in pixels."""

    quality_level: Sent = 5
    """Unity quality level."""

    time_scale: Positive = 20.0
    """Simulated seconds per second."""

    target_frame_rate: SentOrUnset = -1
    """Frames per second that Unity aims at; -1: as many as possible."""

    capture_frame_rate: Sent = 60
    """Simulated frames per simulated second; 0: not fixed."""

    no_graphics: Switch = False
    """Start the executable without graphics; camera observations do not work then."""

    no_graphics_monitor: Switch = False
    """Graphics for worker 0 only."""


Tracker = Literal["wandb", "mlflow", "trackio"]


def _several(value: Any) -> Any:
    """Return a list of one for a single name."""
    return (value,) if isinstance(value, str) else value


class CheckpointSettings(Settings):
    """What the run is called, where it writes, and what it starts from."""

    run_id: Name = "ppo"
    """Name of the run and of its folder."""

    initialize_from: Name | None = None
    """Run whose weights this one starts from, with the step counter at 0."""

    load_model: Switch = False
    """Deprecated: the same as resume."""

    save_freq: Natural = 0
    """Environment steps, of all workers together, between checkpoints of all behaviors, as in 2020; 0: each behavior's
    checkpoint_interval decides."""

    resume: Switch = False
    """Continue the run of the same run_id: weights, step counter, lessons, ratings."""

    force: Switch = False
    """Permit overwriting an existing run of the same run_id."""

    train_model: Switch = False
    """Deprecated and without effect: training is the default."""

    inference: Switch = False
    """Act without training."""

    results_dir: Name | None = None
    """Base folder of the modern layout of files; null: the 2020 layout (models/, summaries/)."""

    jsonl: Switch = False
    """Also write all statistics as one file of JSON lines, for programs."""

    track: Annotated[tuple[Tracker, ...], BeforeValidator(_several)] = ()
    """Also send all statistics to wandb, mlflow or trackio, each of which is an extra of the same name."""

    export_profile: Literal["default", "barracuda1", "barracuda", "sentis1", "inference2"] = "default"
    """Which Unity package .onnx models are for; the default is read by all from 2.0 on."""

    export_format: Literal["onnx", "both"] | None = None
    """Final models as .onnx, or both as .onnx and .nn; null: both in the 2020 layout, .onnx in the modern one."""

    keep_best: Natural = 0
    """Besides the newest, keep this many checkpoints that do best in episodes of their own; 0: do not play them."""


class TorchSettings(Settings):
    """The device that computes; the section keeps the name under which files have it."""

    device: Annotated[str, Field(pattern=r"^(cpu|gpu(:\d+)?)$")] | None = None
    """cpu, gpu or gpu:N (also written cuda, cuda:N); null: cpu."""

    @field_validator("device", mode="before")
    @classmethod
    def _cuda_is_a_gpu(cls, value: Any) -> Any:
        return value.replace("cuda", "gpu", 1) if isinstance(value, str) else value


class RunSettings(Settings):
    """The configuration of one training run."""

    default_settings: BehaviorSettings | None = None
    """Settings of behaviors not listed, and of what listed ones leave out; null: all must be listed."""

    behaviors: dict[str, BehaviorSettings] = Field(default={})
    """Settings of each behavior by its name in the environment, without `?team=`."""

    env_settings: EnvSettings = EnvSettings()
    """Where environments come from, and how many run."""

    ray_settings: RaySettings = RaySettings()
    """Samplers on several machines."""

    engine_settings: EngineSettings = EngineSettings()
    """The Unity engine of each environment."""

    environment_parameters: dict[str, ParameterSettings] = Field(default={})
    """Parameters sent to the environment: a number, a sampler or a curriculum each."""

    checkpoint_settings: CheckpointSettings = CheckpointSettings()
    """What the run is called, where it writes, and what it starts from."""

    torch_settings: TorchSettings = TorchSettings()
    """The device that computes."""

    search: dict[str, SearchSettings] = Field(default={})
    """Values that `mlagents tune` tries, by their keys, written with dots: `behaviors.3DBall.hyperparameters.lambd`."""

    debug: Switch = False
    """Log details, and the configuration in full."""

    _origin: Origin = PrivateAttr(default_factory=Origin)

    def written_in(self, tree: Section) -> RunSettings:
        """Return the same settings, which know that they were written in this mapping."""
        settings = self.model_copy()
        settings._origin = Origin(tree)
        return settings

    def place(self, path: KeyPath) -> Place:
        """Where a key was written, for messages: file, line, column and keys, as far as they are known."""
        return self._origin.of(path)

    @property
    def device(self) -> str:
        """The device that computes: `cpu`, `gpu` or `gpu:N`."""
        return self.torch_settings.device or "cpu"

    def behavior(self, name: str) -> BehaviorSettings:
        """Return the settings of the behavior that the environment calls `name` (without `?team=`).

        Raises:
            SettingsError: neither `behaviors` nor `default_settings` covers it.
        """
        found = self.behaviors.get(name, self.default_settings)
        if found is None:
            raise SettingsError(self._not_covered(name))
        return found

    def violations(self) -> Iterator[Violation]:
        """Curricula must measure behaviors that can be trained, and samplers need environments of their own."""
        yield from self._violations_with_ray()
        if self.default_settings is not None:
            return
        for parameter, settings in self.environment_parameters.items():
            lessons = settings.curriculum if isinstance(settings, CurriculumSettings) else ()
            for index, criteria in enumerate(lesson.completion_criteria for lesson in lessons):
                if criteria is not None and criteria.behavior not in self.behaviors:
                    path = ("environment_parameters", parameter, "curriculum", index)
                    yield Violation(
                        ((*path, "completion_criteria", "behavior"), ("behaviors", criteria.behavior)),
                        self._not_covered(criteria.behavior),
                    )

    @property
    def workers(self) -> int:
        """The number of environments, of all samplers together."""
        ray, env = self.ray_settings, self.env_settings
        if ray.address is not None:
            return ray.num_samplers * ray.envs_per_sampler
        return env.num_envs if env.attach is None else len(env.attach)

    def _violations_with_ray(self) -> Iterator[Violation]:
        if self.ray_settings.address is None:
            return
        if self.env_settings.attach is not None:
            yield Violation(
                (("ray_settings", "address"), ("env_settings", "attach")),
                "samplers start their environments themselves (expected attach, without Ray: the players are on other"
                " machines already)",
            )
        elif self.env_settings.env_path is None:
            yield Violation(
                (("ray_settings", "address"), ("env_settings", "env_path")),
                "samplers need an environment that they can start (expected env_path, or --env)",
            )
        if self.env_settings.num_envs > 1:
            yield Violation(
                (("env_settings", "num_envs"), ("ray_settings", "envs_per_sampler")),
                f"num_envs is {self.env_settings.num_envs}, but samplers have environments of their own "
                "(expected envs_per_sampler, or --envs-per-sampler, instead of num_envs)",
            )
        if self.env_settings.base_port + self.workers - 1 > 65535:
            yield Violation(
                (("env_settings", "base_port"), ("ray_settings", "num_samplers")),
                f"base_port {self.env_settings.base_port} leaves no ports for {self.workers} environments "
                "(expected base_port + num_samplers * envs_per_sampler - 1 <= 65535)",
            )

    def _not_covered(self, name: str) -> str:
        near = did_you_mean(get_close_matches(name, self.behaviors, n=3, cutoff=0.5))
        covered = ", ".join(self.behaviors) or "no behavior"
        return (
            f"behavior {name!r} is not configured: `behaviors` covers {covered}, "
            f"and there are no `default_settings` for others{near}"
        )
