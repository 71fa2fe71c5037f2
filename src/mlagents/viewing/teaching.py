"""Recording what a person does who has taken over an agent, again and again, and listing what there is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.demonstrations import DemonstrationWriter, EpisodeRecorder


@dataclass
class RecordedFile:
    """What one file holds.

    Attributes:
      path: of the file, which is there once the recording has ended.
      behavior: that was played.
      episodes: that have ended.
      decisions: of all episodes.
      reward: of all episodes.
    """

    path: Path
    behavior: str
    episodes: int = 0
    decisions: int = 0
    reward: float = 0.0


class Teacher:
    """Records one agent at a time, each time into a new file.

    Args:
      path: of the first file; later ones are `NAME-2.demo` and so on. Files that are there stay.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._recorder: EpisodeRecorder | None = None
        self._unfinished = 0, 0.0  # decisions and reward of the episode that goes on
        self.recordings: list[RecordedFile] = []

    @property
    def is_recording(self) -> bool:
        """Whether a file is being written."""
        return self._recorder is not None

    def start(self, behavior: str, spec: BehaviorSpec) -> Path:
        """Begin a file, and return its path.

        Raises:
          OSError: the folder cannot be written to.
        """
        self.stop()
        path = self._free_path()
        self._recorder = EpisodeRecorder(DemonstrationWriter(path, behavior, spec))
        self._unfinished = 0, 0.0
        self.recordings.append(RecordedFile(path, behavior))
        return path

    def record(self, steps: DecisionSteps, action: ActionTuple) -> None:
        """Add a decision of the one agent in `steps`."""
        if self._recorder is not None:
            self._recorder.record_decisions(steps, action)
            self._count(len(steps), _reward(steps))

    def end_episode(self, steps: TerminalSteps) -> None:
        """Add the end of the episode of the one agent in `steps`."""
        if self._recorder is not None:
            self._recorder.record_ends(steps)
            self._count(0, _reward(steps))
            self._now.episodes += min(len(steps), self._unfinished[0])  # one without a decision is left out
            self._unfinished = 0, 0.0

    def forget(self) -> None:
        """Leave out the episode that goes on: everything begins anew."""
        if self._recorder is not None:
            self._recorder.forget()
            decisions, reward = self._unfinished
            self._count(-decisions, -reward)

    def stop(self) -> None:
        """Finish the file; one without a decision is not kept."""
        if self._recorder is None:
            return
        self._recorder.close()
        self._recorder = None
        if not self._now.decisions:
            self.recordings.pop().path.unlink(missing_ok=True)

    @property
    def _now(self) -> RecordedFile:
        return self.recordings[-1]

    def _count(self, decisions: int, reward: float) -> None:
        self._now.decisions += decisions
        self._now.reward += reward
        self._unfinished = self._unfinished[0] + decisions, self._unfinished[1] + reward

    def _free_path(self) -> Path:
        path, number = self._path, 1
        while path.exists():
            number += 1
            path = self._path.with_name(f"{self._path.stem}-{number}{self._path.suffix}")
        return path


def _reward(steps: DecisionSteps | TerminalSteps) -> float:
    return float(steps.reward.sum() + steps.group_reward.sum())
