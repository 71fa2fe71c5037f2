"""Parameters: constants, samplers, ranges."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.exception import UnitySideChannelException
from mlagents_envs.registry import default_registry
from mlagents_envs.side_channel.environment_parameters_channel import (
    EnvironmentParametersChannel,
    ParameterSampler,
)
from mlagents_sim.parameters import EnvironmentParameters, Parameter

UNIFORM, GAUSSIAN, MULTIRANGE = EnvironmentParametersChannel.SamplerTypes


@pytest.fixture
def parameters() -> EnvironmentParameters:
    mass = Parameter("mass of the ball, kg", 1.0, 0.1, 20.0)
    return EnvironmentParameters("3DBall", {"mass": mass, "scale": Parameter("diameter, m", 1.0, 0.2, 5.0)})


def test_the_default_holds_until_a_value_is_set(parameters: EnvironmentParameters) -> None:
    np.testing.assert_array_equal(parameters.read("mass", 2), [1.0, 1.0])
    parameters.set("mass", 3.0)
    np.testing.assert_array_equal(parameters.read("mass", 2), [3.0, 3.0])


def test_every_reading_draws(parameters: EnvironmentParameters) -> None:
    parameters.set("mass", ParameterSampler(UNIFORM, 7, (2.0, 6.0)))
    drawn = np.concatenate([parameters.read("mass", 3), parameters.read("mass", 1)])
    np.testing.assert_allclose(drawn, 2.0 + 4.0 * np.random.default_rng(7).random(4))
    parameters.set("mass", ParameterSampler(GAUSSIAN, 7, (5.0, 0.5)))
    np.testing.assert_allclose(parameters.read("mass", 4), np.random.default_rng(7).normal(5.0, 0.5, 4))


def test_each_parameter_has_its_own_stream(parameters: EnvironmentParameters) -> None:
    sampler = ParameterSampler(UNIFORM, 7, (1.0, 2.0))
    parameters.set("mass", sampler)
    alone = parameters.read("mass", 6)
    parameters.set("mass", sampler)
    parameters.set("scale", sampler)
    mixed = []
    for _ in range(6):
        mixed.append(parameters.read("mass", 1)[0])
        parameters.read("scale", 2)
    np.testing.assert_array_equal(mixed, alone)


def test_ranges_are_chosen_by_their_width(parameters: EnvironmentParameters) -> None:
    # Widths 1, 0 and 3: a quarter of the draws from the first range, none from the second.
    parameters.set("mass", ParameterSampler(MULTIRANGE, -3, (1.0, 2.0, 4.0, 4.0, 10.0, 13.0)))
    drawn = parameters.read("mass", 20_000)
    first, last = drawn[drawn < 3.0], drawn[drawn > 9.0]
    assert len(first) + len(last) == 20_000
    assert len(first) == pytest.approx(5_000, abs=300)  # 5 standard deviations
    for values, low, high in ((first, 1.0, 2.0), (last, 10.0, 13.0)):
        assert low <= values.min() < low + 0.01
        assert high - 0.01 < values.max() <= high
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.05)


def test_ranges_without_width_are_points(parameters: EnvironmentParameters) -> None:
    parameters.set("mass", ParameterSampler(MULTIRANGE, 0, (4.0, 4.0)))
    np.testing.assert_array_equal(parameters.read("mass", 3), 4.0)
    parameters.set("mass", ParameterSampler(UNIFORM, 0, (2.0, 2.0)))
    np.testing.assert_array_equal(parameters.read("mass", 3), 2.0)


def test_normal_draws_stay_in_range(parameters: EnvironmentParameters) -> None:
    parameters.set("mass", ParameterSampler(GAUSSIAN, 0, (0.5, 2.0)))
    drawn = parameters.read("mass", 1000)
    assert drawn.min() == 0.1
    assert drawn.max() > 2.0


@pytest.mark.parametrize("bound", [0.1, 20.0, float(np.float32(0.1))])
def test_bounds_are_allowed(parameters: EnvironmentParameters, bound: float) -> None:
    parameters.set("mass", bound)


@pytest.mark.parametrize(
    "value",
    [
        0.05,
        21.0,
        float("nan"),
        ParameterSampler(UNIFORM, 0, (0.0, 1.0)),
        ParameterSampler(GAUSSIAN, 0, (30.0, 1.0)),
        ParameterSampler(MULTIRANGE, 0, (1.0, 2.0, 3.0, 40.0)),
    ],
)
def test_values_out_of_range_are_refused(parameters: EnvironmentParameters, value) -> None:
    message = r"'mass' of 3DBall must be between 0.1 and 20 \(mass of the ball, kg\); got "
    with pytest.raises(UnitySideChannelException, match=message):
        parameters.set("mass", value)


def test_a_reversed_range_is_refused(parameters: EnvironmentParameters) -> None:
    with pytest.raises(UnitySideChannelException, match="min <= max"):
        parameters.set("mass", ParameterSampler(UNIFORM, 0, (2.0, 1.0)))


def test_an_unknown_name_is_ignored_and_said_once_with_the_nearest_known(
    parameters: EnvironmentParameters, caplog: pytest.LogCaptureFixture
) -> None:
    before = parameters.state_dict()
    for value in (1.0, 2.0):
        parameters.set("maas", value)
    (message,) = caplog.messages
    assert "has no parameter 'maas', which is ignored. Did you mean 'mass'? Its parameters:" in message
    assert parameters.state_dict() == before


def test_so_is_one_that_the_environment_reads(parameters: EnvironmentParameters) -> None:
    name = next(iter(parameters._parameters))
    with pytest.raises(UnitySideChannelException, match=f"no parameter '{name}x'. Did you mean '{name}'"):
        parameters.read(f"{name}x", 1)


def test_parameters_describe_themselves() -> None:
    assert str(Parameter("gravity, m/s^2", 9.81, 4, 105)) == "gravity, m/s^2; default 9.81, 4 to 105"


@pytest.mark.parametrize("name", ["PushBlock", "Hallway", "WallJump", "PushBlockCollab", "DungeonEscape"])
def test_gravity_replaces_that_of_the_scene(name: str) -> None:
    """On an agent of drag d it leaves a speed of g dt (1 - d dt) in the first step of a fall."""
    channel = EnvironmentParametersChannel()
    env = default_registry[name].make(num_areas=2, side_channels=[channel])
    channel.set_float_parameter("gravity", 5.0)
    env.reset()
    world = env._world
    holder = {"WallJump": "areas", "PushBlockCollab": "areas", "DungeonEscape": "dungeons"}.get(name)
    boxes = (getattr(world, holder) if holder else world).boxes
    boxes.position[:, 0, 1], boxes.velocity[:, 0] = 30.0, 0.0
    world.integrate()
    np.testing.assert_allclose(boxes.velocity[:, 0, 1], -5.0 * 0.02 * (1.0 - boxes.drag[:, 0] * 0.02))
