"""RollerBall: a ball rolls to a cube without falling off its floor. See docs/making-an-environment.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.authoring import Agent, AgentWorld, BehaviorParameters, DecisionRequester
from mlagents_sim.entry import SimEntry

if TYPE_CHECKING:
    from mlagents_sim.physics.scene import Scene

# The scene: lengths in m, Y is up, every area has its own origin.
FLOOR_SIZE = 10.0
BALL_RADIUS = 0.5
TARGET_HEIGHT = 0.5
TARGET_SPREAD = 4.0
AREA_DISTANCE = 15.0
START = np.array((0.0, BALL_RADIUS, 0.0))
FRICTION = 0.6
GRAVITY = 9.81
ANGULAR_DRAG = 0.05
SUBSTEPS = 4

# The task
FORCE = 10.0  # N, at full action; the ball weighs 1 kg
REACH = 1.42  # m, between the centres: the ball touches the cube, nearly
DECISION_PERIOD = 10


def build_area(spec, prefix, origin):
    """A floor, a cube that is moved by hand, and a ball that moves freely."""
    import mujoco

    box, sphere = mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_SPHERE
    half = FLOOR_SIZE / 2
    floor = spec.worldbody.add_geom(type=box, pos=origin - np.array((0, 0.5, 0)), size=[half, 0.5, half])
    target = spec.worldbody.add_body(name=prefix + "target", pos=origin + np.array((0, TARGET_HEIGHT, 0)), mocap=True)
    cube = target.add_geom(type=box, size=[0.5, 0.5, 0.5])
    body = spec.worldbody.add_body(name=prefix + "ball", pos=origin + START)
    body.add_freejoint()
    ball = body.add_geom(type=sphere, size=[BALL_RADIUS, 0, 0], mass=1.0)
    colours = ((0.6, 0.6, 0.6, 1.0), (0.9, 0.5, 0.1, 1.0), (0.2, 0.4, 0.9, 1.0))
    for name, geom, colour in zip(("floor", "cube", "ball"), (floor, cube, ball), colours, strict=True):
        geom.name, geom.rgba, geom.contype, geom.conaffinity = prefix + name, colour, 0, 0
    # The ball meets the cube only where the cube is put onto it: soft, so that it is not thrown away.
    for other, stiffness in ((floor, 0.01), (cube, 0.1)):
        friction = [FRICTION, FRICTION, 0.0, 0.0, 0.0]
        spec.add_pair(geomname1=ball.name, geomname2=other.name, condim=3, friction=friction, solref=(stiffness, 1.0))


def origins(areas):
    """float64 [areas, 3]: the areas side by side."""
    return np.arange(areas)[:, np.newaxis] * np.array((AREA_DISTANCE, 0.0, 0.0))


def make_scene(areas) -> Scene:
    from mlagents_sim.physics.scene import Scene, compose

    return Scene(compose(build_area, origins(areas), SUBSTEPS))


class RollerAgent(Agent):
    """The ball. `ball`, `velocity` and `target` are the places in MuJoCo's memory where its own numbers stand."""

    def __init__(self, scene, area, rng):
        super().__init__(
            BehaviorParameters("RollerBall", vector_observation_size=8, action_spec=ActionSpec.create_continuous(2)),
            decision_requester=DecisionRequester(period=DECISION_PERIOD),
        )
        data = scene.data
        self.rng = rng
        self.origin = np.array((area * AREA_DISTANCE, 0.0, 0.0))
        self.ball = data.qpos[7 * area : 7 * area + 3]
        self.velocity = data.qvel[6 * area : 6 * area + 6]  # m/s, then rad/s
        self.target = data.mocap_pos[area]

    def on_episode_begin(self):
        if self.ball[1] < 0.0:  # it fell: back to the middle, at rest
            self.ball[:] = self.origin + START
            self.velocity[:] = 0.0
        x, z = self.rng.uniform(-TARGET_SPREAD, TARGET_SPREAD, 2)
        self.target[:] = self.origin + np.array((x, TARGET_HEIGHT, z))

    def collect_observations(self, sensor):
        sensor.add_observation(self.target - self.origin)
        sensor.add_observation(self.ball - self.origin)
        sensor.add_observation(self.velocity[0])
        sensor.add_observation(self.velocity[2])

    def on_action_received(self, actions):
        self.push(actions.continuous)
        if np.linalg.norm(self.ball - self.target) < REACH:
            self.set_reward(1.0)
            self.end_episode()
        elif self.ball[1] < 0.0:
            self.end_episode()

    def push(self, force):
        """Push along X and Z for one physics step, 0.02 s."""
        self.velocity[0] += FORCE * force[0] * 0.02
        self.velocity[2] += FORCE * force[1] * 0.02

    def heuristic(self, actions_out):
        """Roll towards the cube, and brake in time."""
        away = self.target - self.ball
        actions_out.continuous[:] = np.clip((away - self.velocity[:3])[[0, 2]], -1.0, 1.0)


class RollerBallWorld(AgentWorld):
    """Any number of areas in one MuJoCo model."""

    def __init__(self, areas, rng, parameters):
        self.scene = make_scene(areas)
        super().__init__([RollerAgent(self.scene, area, rng) for area in range(areas)], parameters, rng=rng)

    def integrate(self):
        import mujoco

        from mlagents_sim.physics.rules import apply_angular_drag, apply_gravity

        for velocity in self.scene.data.qvel.reshape(-1, 6):
            apply_gravity(velocity, GRAVITY)
            apply_angular_drag(velocity, ANGULAR_DRAG)
        mujoco.mj_step(self.scene.model, self.scene.data, SUBSTEPS)


ENTRY = SimEntry(
    "RollerBall",
    expected_reward=1.0,
    description="Roll to the cube without falling off the floor.",
    make_world=RollerBallWorld,
    num_areas=1,
)
