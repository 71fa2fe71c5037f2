"""Recording what agents observe and do while somebody plays."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlagents_envs.base_env import ActionTuple, AgentId, BaseEnv, BehaviorName, DecisionSteps, TerminalSteps
from mlagents_envs.behavior_id import BehaviorId
from mlagents_envs.demonstrations.writer import DemonstrationWriter
from mlagents_envs.stepped_env import SteppedEnv


@dataclass
class _Running:
    """An episode that goes on: its pairs, and what they tell of reward."""

    pairs: list[bytes] = field(default_factory=list)
    reward: float = 0.0


class EpisodeRecorder:
    """Puts the reports of many agents of one behavior in order: a file holds one episode after the other.

    Episodes are written when they end. Of those that go on when the recorder is closed the longest becomes the
    end of the file; the others are dropped, for a reader could not tell where they stop.

    Args:
      writer: of the file; closed with the recorder.
    """

    def __init__(self, writer: DemonstrationWriter) -> None:
        self._writer = writer
        self._running: dict[int, _Running] = {}

    def record_ends(self, steps: TerminalSteps) -> None:
        """Write the episodes that are over; those without a decision are left out."""
        if not len(steps):
            return
        for agent, reward, pair in zip(
            steps.agent_id.tolist(), steps.reward.tolist(), self._writer.ends(steps), strict=True
        ):
            if (episode := self._running.pop(agent, None)) is not None:
                self._writer.write([*episode.pairs, pair], episode.reward + reward, ended=True)

    def record_decisions(self, steps: DecisionSteps, action: ActionTuple) -> None:
        """Add what the agents decided; `action` has a row for each."""
        if not len(steps):
            return
        for agent, reward, pair in zip(
            steps.agent_id.tolist(), steps.reward.tolist(), self._writer.decisions(steps, action), strict=True
        ):
            episode = self._running.setdefault(agent, _Running())
            episode.pairs.append(pair)
            episode.reward += reward

    def forget(self) -> None:
        """Drop what goes on: everybody begins anew, and nothing ended."""
        self._running.clear()

    def close(self) -> None:
        """Write the longest episode that goes on, and finish the file."""
        if self._running:
            episode = max(self._running.values(), key=lambda running: len(running.pairs))
            self._writer.write(episode.pairs, episode.reward, ended=False)
            self.forget()
        self._writer.close()


class RecordedEnv(SteppedEnv):
    """An environment whose agents are recorded while somebody plays it; closing it finishes the files.

    Args:
      env: any environment; closed with this one.
      path: of the file; with several behaviors one file each, `NAME-<behavior>.demo` and, for teams other than
        0, `NAME-<behavior>-team<n>.demo`.
      png: compress images where that loses nothing.

    Attributes:
      paths: the files, in the order in which their behaviors decided first.

    Raises:
      DemonstrationPathError: the name does not end in `.demo`; at the first decision.
    """

    def __init__(self, env: BaseEnv, path: Path | str, *, png: bool = True) -> None:
        super().__init__()
        self._env = env
        self._path = Path(path)
        self._png = png
        self._recorders: dict[BehaviorName, EpisodeRecorder] = {}
        self._specs = dict(env.behavior_specs)
        self.paths: list[Path] = []

    def reset(self) -> None:
        """Begin a new episode for every agent; unfinished ones are not recorded."""
        self._pending.clear()
        for recorder in self._recorders.values():
            recorder.forget()
        self._env.reset()
        self._listen()

    def step(self) -> None:
        """Record what the agents that wait were told to do, and advance."""
        for behavior, action in self._take_actions().items():
            decisions, _ = self._reports[behavior]
            if len(decisions):
                self._recorder(behavior).record_decisions(decisions, action)
        self._env.step()
        self._listen()
        for behavior, recorder in self._recorders.items():
            recorder.record_ends(self._reports[behavior][1])

    def close(self) -> None:
        """Close the environment and finish the files."""
        try:
            self._env.close()
        finally:
            for recorder in self._recorders.values():
                recorder.close()

    def set_actions(self, behavior_name: BehaviorName, action: ActionTuple) -> None:
        """Do as the environment's own method; what it refuses is not recorded."""
        self._env.set_actions(behavior_name, action)
        super().set_actions(behavior_name, action)

    def set_action_for_agent(self, behavior_name: BehaviorName, agent_id: AgentId, action: ActionTuple) -> None:
        """Do as the environment's own method; what it refuses is not recorded."""
        self._env.set_action_for_agent(behavior_name, agent_id, action)
        super().set_action_for_agent(behavior_name, agent_id, action)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)

    def _listen(self) -> None:
        self._specs = dict(self._env.behavior_specs)
        self._reports = {behavior: self._env.get_steps(behavior) for behavior in self._specs}

    def _recorder(self, behavior: BehaviorName) -> EpisodeRecorder:
        if behavior not in self._recorders:
            path = self._path_for(behavior)
            writer = DemonstrationWriter(path, behavior, self._specs[behavior], png=self._png)
            self._recorders[behavior] = EpisodeRecorder(writer)
            self.paths.append(path)
        return self._recorders[behavior]

    def _path_for(self, behavior: BehaviorName) -> Path:
        if len(self._specs) == 1 and not self._recorders:
            return self._path
        name, team = BehaviorId.parse(behavior)
        suffix = f"-team{team}" if team else ""
        return self._path.with_name(f"{self._path.stem}-{name.replace('/', '-')}{suffix}{self._path.suffix}")
