"""From observation and action specs and network settings to networks with fresh weights."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlagents.nn.attention import make_entity_attention
from mlagents.nn.body import Body
from mlagents.nn.critic import Critic
from mlagents.nn.hypernetwork import make_hyper_dense
from mlagents.nn.image_encoders import ImageEncoder, make_image_encoder
from mlagents.nn.layers import Mlp, glorot_dense
from mlagents.nn.memory import make_lstm
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.observations import layout_of
from mlagents.nn.policy import ActionHead, Policy
from mlagents.settings import NetworkSettings
from mlagents_envs.base_env import BehaviorSpec, ObservationSpec

ENTITY_EMBEDDING = 128
"""Width of what attention gives, whatever `hidden_units` is."""


def make_body(
    rng: np.random.Generator,
    specs: Sequence[ObservationSpec],
    settings: NetworkSettings,
    actions: int = 0,
    encoders: bool = True,
) -> Body:
    """Return a body with initial weights.

    Args:
      rng: draws the weights.
      specs: of the observations.
      settings: of the network.
      actions: how many continuous actions it takes, of a Q-network.
      encoders: it gets images; otherwise the encodings of another body with these settings.

    Raises:
      NetworkError: an observation is of a kind or size that the network cannot read.
    """
    layout, hidden = layout_of(specs), settings.hidden_units
    own = tuple(_encoder(rng, specs[i], settings) for i in layout.images if encoders)
    width = layout.width + hidden * len(layout.images)
    attention = None
    if layout.entities:
        shapes = [(specs[i].shape[0], specs[i].shape[1]) for i in layout.entities]
        attention = make_entity_attention(rng, width, shapes, ENTITY_EMBEDDING)
        width += ENTITY_EMBEDDING
    width += actions
    conditioned = layout.has_goals and settings.goal_conditioning_type == "hyper"
    dense = Mlp(rng, width, hidden, settings.num_layers - conditioned)
    hyper = None
    if conditioned:
        goals = sum(stop - start for start, stop in layout.goal_columns) + hidden * len(layout.goal_images)
        goals += ENTITY_EMBEDDING * layout.goal_entities
        hyper = make_hyper_dense(rng, hidden if dense.layers else width, hidden, goals, hidden)
    memory = settings.memory
    lstm = None if memory is None else make_lstm(rng, hidden, memory.memory_size)
    return Body(own, attention, dense, hyper, lstm, layout)


def _encoder(rng: np.random.Generator, spec: ObservationSpec, settings: NetworkSettings) -> ImageEncoder:
    channels, height, width = spec.shape
    name = spec.name or "image"
    return make_image_encoder(rng, settings.vis_encode_type, (channels, height, width), settings.hidden_units, name)


def features(settings: NetworkSettings) -> int:
    """Return the width of what a body gives to heads."""
    return settings.hidden_units if settings.memory is None else settings.memory.memory_size // 2


def make_policy(
    rng: np.random.Generator, spec: BehaviorSpec, settings: NetworkSettings, squashed: bool = False
) -> Policy:
    """Return a policy with initial weights for the behavior; squashed: see `ActionHead`.

    Raises:
      NetworkError: an observation is of a kind or size that the network cannot read.
    """
    action = spec.action_spec
    body = make_body(rng, spec.observation_specs, settings)
    normalized = settings.normalize and body.layout.vectors
    return Policy(
        Normalizer.initial(body.layout.width) if normalized else None,
        body,
        ActionHead(rng, features(settings), action.continuous_size, tuple(action.discrete_branches), squashed),
    )


def make_critic(
    rng: np.random.Generator, spec: BehaviorSpec, settings: NetworkSettings, signals: int, encoders: bool = True
) -> Critic:
    """Return a critic with initial weights for the behavior and number of reward signals; encoders: see `make_body`.

    Raises:
      NetworkError: an observation is of a kind or size that the network cannot read.
    """
    body = make_body(rng, spec.observation_specs, settings, encoders=encoders)
    return Critic(body, glorot_dense(rng, features(settings), signals))
