"""What environments are told, and when."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from mlagents.curriculum.lessons import Progress
from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.rollout.parameters import for_worker
from mlagents.settings import RunSettings, SettingsError, parse_run_settings
from mlagents_envs.sampler_class import Sampler, SamplerException, SamplerFactory
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel, ParameterSampler

KINDS = EnvironmentParametersChannel.SamplerTypes
UNIFORM = {"sampler_type": "uniform", "sampler_parameters": {"min_value": 2, "max_value": 3}}
CRITERIA = {"behavior": "B", "measure": "progress", "threshold": 0.5}
CURRICULUM = {
    "curriculum": [
        {"name": "Easy", "value": 4, "completion_criteria": CRITERIA},
        {"name": "Hard", "value": UNIFORM},
    ]
}


class Steps(Sampler):
    """Counts in steps, from its seed."""

    def __init__(self, step, seed):
        self._value, self._step = seed, step

    def sample_parameter(self):
        self._value += self._step
        return float(self._value)


def schedule(seed=100, workers=1, resampling_interval=0, **parameters):
    settings = TypeAdapter(RunSettings).validate_python({"default_settings": {}, "environment_parameters": parameters})
    return ParameterSchedule(settings.environment_parameters, seed, workers, resampling_interval)


def test_nothing_is_told_without_parameters():
    empty = ParameterSchedule({})
    assert empty.draw() == {}
    changes = empty.advance({"B": Progress(1.0, [1.0])}, 1)
    assert (dict(changes.values), changes.reset, changes.messages) == ({}, False, ())
    assert list(empty.statistics()) == []


def test_seeds_count_parameters_and_lessons_unless_they_are_given():
    gaussian = {"sampler_type": "gaussian", "sampler_parameters": {"mean": 1, "st_dev": 2, "seed": 7}}
    ranges = {"sampler_type": "multirangeuniform", "sampler_parameters": {"intervals": [[1, 2], [5, 9]]}}
    told = schedule(a=1.5, b=UNIFORM, lesson=CURRICULUM, c=ranges, d=gaussian).draw()
    assert told == {
        "a": 1.5,
        "b": ParameterSampler(KINDS.UNIFORM, 101, (2.0, 3.0)),  # 0 is a
        "lesson": 4.0,  # 2 and 3 are its lessons
        "c": ParameterSampler(KINDS.MULTIRANGEUNIFORM, 104, (1.0, 2.0, 5.0, 9.0)),
        "d": ParameterSampler(KINDS.GAUSSIAN, 7, (1.0, 2.0)),
    }


def test_workers_have_streams_of_their_own():
    told = schedule(a=UNIFORM, b=UNIFORM).draw()
    seeds = [value.seed for worker in range(50) for value in for_worker(told, worker).values()]
    assert len(set(seeds)) == 100


def test_a_lesson_change_is_told_and_named():
    parameters = schedule(other=1, wall=CURRICULUM)
    assert parameters.messages() == ["Parameter 'wall' is in lesson 'Easy' and has value 'Float: value=4.0'."]
    assert not parameters.advance({"B": Progress(0.5, [])}, 1).values
    changes = parameters.advance({"B": Progress(0.51, [])}, 1)
    assert changes.values == {"wall": ParameterSampler(KINDS.UNIFORM, 102, (2.0, 3.0))}
    assert not changes.reset
    assert changes.messages == (
        "Parameter 'wall' is in lesson 'Hard' and has value 'Uniform sampler: min=2.0, max=3.0'.",
    )
    assert parameters.lessons == {"wall": 1}


def test_require_reset_resets_with_all_values():
    strict = {"curriculum": [dict(lesson) for lesson in CURRICULUM["curriculum"]]}
    strict["curriculum"][0]["completion_criteria"] = CRITERIA | {"require_reset": True}
    changes = schedule(other=1, wall=strict).advance({"B": Progress(0.6, [])}, 1)
    assert changes.reset
    assert set(changes.values) == {"other", "wall"}


def test_statistics():
    found = list(schedule(wall=CURRICULUM).statistics())
    assert found == [
        (None, "Environment/Lesson Number/wall", 0.0),
        ("B", "Environment/Lesson", 0.0),
        (None, "Environment/Parameter/wall", 4.0),
    ]


def test_resampling_draws_for_each_worker_at_multiples_of_the_interval():
    parameters = schedule(workers=3, resampling_interval=10, mass=UNIFORM, gravity=9)
    first = parameters.draw()
    assert first["gravity"] == 9.0
    assert len(set(first["mass"])) == 3
    assert all(2 <= value < 3 for value in first["mass"])
    assert not parameters.advance({}, 9).reset
    changes = parameters.advance({}, 3)  # steps 10, 11, 12
    assert changes.reset
    assert not set(changes.values["mass"]) & set(first["mass"])
    assert not parameters.advance({}, 7).reset  # 19
    assert parameters.advance({}, 1).reset  # 20


def test_an_interval_without_samplers_resets_nothing():
    parameters = schedule(resampling_interval=1, gravity=9)
    assert not any(parameters.advance({}, 1).reset for _ in range(5))


def test_samplers_drawn_here_do_not_repeat_each_other():
    """Two parameters of the same distribution, and two workers, draw different numbers: the reference's do not."""
    parameters = schedule(workers=2, resampling_interval=5, a=UNIFORM, b=UNIFORM)
    drawn = [value for _ in range(100) for values in parameters.draw().values() for value in values]
    assert len(set(drawn)) == 400


def test_state_brings_back_lessons_and_draws():
    def made():
        return schedule(resampling_interval=4, mass=UNIFORM, wall=CURRICULUM)

    one, other = made(), made()
    one.draw()
    one.advance({"B": Progress(0.9, [])}, 3)
    other.draw()  # every run begins with a reset
    other.load_state_dict(one.state_dict())
    assert other.lessons == {"wall": 1}
    assert one.advance({}, 1) == other.advance({}, 1)
    assert one.draw() == other.draw()


def test_a_sampler_of_ones_own_by_name(monkeypatch):
    monkeypatch.setattr(SamplerFactory, "NAME_TO_CLASS", dict(SamplerFactory.NAME_TO_CLASS))
    SamplerFactory.register_sampler("steps", Steps)
    parameters = schedule(workers=2, mass={"sampler_type": "steps", "sampler_parameters": {"step": 2}})
    assert parameters.draw() == {"mass": (102.0, 100_105.0)}
    assert parameters.draw() == {"mass": (104.0, 100_107.0)}


def test_a_sampler_of_ones_own_by_path(tmp_path, monkeypatch):
    (tmp_path / "my_samplers.py").write_text(
        "class Twice:\n"
        "    def __init__(self, value, seed): self.value = value\n"
        "    def sample_parameter(self): return 2 * self.value\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    parameters = schedule(mass={"sampler_type": "my_samplers:Twice", "sampler_parameters": {"value": 3}})
    assert parameters.draw() == {"mass": (6.0,)}


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        ("no_such_module:Twice", {}, "no_such_module.*PYTHONPATH"),
        ("collections:Nothing", {}, "cannot be imported.*Nothing"),
        ("collections:deque", {}, "no method `sample_parameter"),
        ("tests_steps", {"stepp": 2}, "does not accept its arguments \\(stepp, seed\\)"),
    ],
)
def test_samplers_that_cannot_be_made(kind, arguments, words, monkeypatch):
    monkeypatch.setattr(SamplerFactory, "NAME_TO_CLASS", SamplerFactory.NAME_TO_CLASS | {"tests_steps": Steps})
    with pytest.raises(SamplerException, match=words):
        schedule(mass={"sampler_type": kind, "sampler_parameters": arguments})


def test_the_nearest_name_is_offered():
    with pytest.raises(SamplerException, match="did you mean uniform"):
        SamplerFactory.find("unifrom")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "nan"])
def test_a_value_that_is_not_finite_is_refused_where_it_stands(value):
    with pytest.raises(SettingsError, match=r"environment_parameters\.mass: .*expected a number from"):
        parse_run_settings(f"default_settings: {{}}\nenvironment_parameters: {{mass: .{value}}}".replace("..", "."))
