"""Any environment as a PettingZoo AEC environment: agents act one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gymnasium
from gymnasium import spaces
from pettingzoo.utils.conversions import parallel_to_aec_wrapper

from mlagents_envs._imported_names import names_of
from mlagents_envs.base_env import BaseEnv
from mlagents_envs.envs.reseedable import MakeEnv
from mlagents_envs.envs.unity_parallel_env import UnityParallelEnv
from mlagents_envs.side_channel.side_channel import SideChannel

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


class UnityAECEnv(parallel_to_aec_wrapper):  # type: ignore[misc]  # PettingZoo has no types
    """`UnityParallelEnv` in turns: the environment advances after the last agent has acted.

    ```
    env = UnityAECEnv(lambda seed: default_registry["3DBall"].make(seed=seed))
    env.reset(seed=1)
    for agent in env.agent_iter():
        observation, reward, terminated, truncated, info = env.last()
        env.step(None if terminated or truncated else env.action_space(agent).sample())
    ```

    Args:
      env: the environment, or a function seed -> environment.
      seed: of the action spaces, and of the environment if it is made here.
    """

    def __init__(self, env: BaseEnv | MakeEnv, seed: int | None = None) -> None:
        super().__init__(UnityParallelEnv(env, seed))

    @property
    def observation_spaces(self) -> dict[str, spaces.Space[Any]]:
        """Agent -> space of its observations."""
        found: dict[str, spaces.Space[Any]] = self.env.observation_spaces
        return found

    @property
    def action_spaces(self) -> dict[str, spaces.Space[Any]]:
        """Agent -> space of its actions."""
        found: dict[str, spaces.Space[Any]] = self.env.action_spaces
        return found

    @property
    def side_channel(self) -> dict[str, SideChannel]:
        """Class name -> side channel of the environment."""
        found: dict[str, SideChannel] = self.env.side_channel
        return found

    def seed(self, seed: int | None = None) -> None:
        """Seed the action spaces."""
        self.env.seed(seed)

    def step(self, action: Any) -> None:
        """Let `agent_selection` act; None if it has ended.

        Raises:
          gymnasium.error.ResetNeeded: all agents have ended.
          gymnasium.error.InvalidAction: the action is not in the agent's space.
        """
        if not self.agents:
            raise gymnasium.error.ResetNeeded("All agents have ended; call reset() before the next step().")
        agent = self.agent_selection
        if not (self.terminations[agent] or self.truncations[agent]):
            self.env._check_action(agent, action)
        super().step(action)
