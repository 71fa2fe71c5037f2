"""Environments written agent by agent, one object each, as in Unity.

```python
class Walker(Agent):
    def __init__(self):
        behavior = BehaviorParameters("Walker", vector_observation_size=1, action_spec=ActionSpec.create_discrete((2,)))
        super().__init__(behavior, max_step=100, decision_requester=DecisionRequester(period=1))

    def on_episode_begin(self):
        self.position = 0

    def collect_observations(self, sensor):
        sensor.add_observation(self.position)

    def on_action_received(self, actions):
        self.position += 1 if actions.discrete[0] == 1 else -1
        if self.position == 5:
            self.set_reward(1.0)
            self.end_episode()

env = SimEnvironment(AgentWorld([Walker()]))
```

Where many agents do the same, `mlagents_sim.agent.AgentBatch` does it with arrays, and much faster.
"""

from mlagents_sim.authoring.actions import ActionBuffers, ActionMask
from mlagents_sim.authoring.agent import Agent, AgentGroup
from mlagents_sim.authoring.behavior import BehaviorParameters, BehaviorType, DecisionRequester
from mlagents_sim.authoring.observations import ObservationWriter
from mlagents_sim.authoring.sensors import AgentSensor, FrameSensor
from mlagents_sim.authoring.world import AgentWorld

__all__ = [
    "ActionBuffers",
    "ActionMask",
    "Agent",
    "AgentGroup",
    "AgentSensor",
    "AgentWorld",
    "BehaviorParameters",
    "BehaviorType",
    "DecisionRequester",
    "FrameSensor",
    "ObservationWriter",
]
