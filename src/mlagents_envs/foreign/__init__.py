"""Environments and data of other libraries as ours: Gymnasium, PettingZoo, Minari.

| from | to | class |
|---|---|---|
| Gymnasium | `BaseEnv` | `from_gymnasium.GymnasiumEnvironment` |
| PettingZoo | `BaseEnv` | `from_pettingzoo.PettingZooEnvironment` |

Nothing is imported before it is asked for. The other direction is in `mlagents_envs.envs`.
"""
