"""Networks: encoders, dense layers, memory."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mlagents.settings.schema.base import Count, EvenCount, Fraction, Settings, Switch

VisualEncoder = Literal["simple", "nature_cnn", "resnet", "match3", "fully_connected"]

MOST_LAYERS = 100
"""Dense layers of one network; each takes a second or so to compile."""


class MemorySettings(Settings):
    """Recurrent memory (LSTM)."""

    sequence_length: Count = 64
    """Experiences in one training sequence; at most `batch_size`."""

    memory_size: EvenCount = 128
    """Floats of memory kept per agent: half hidden state, half cell state."""

    burn_in_ratio: Fraction = 0.0
    """Share of a sequence that only brings old memory up to date; not learned from unless an episode begins there."""


class NetworkSettings(Settings):
    """A network: how observations are encoded and how wide and deep the layers after them are."""

    normalize: Switch = False
    """Normalise vector observations by their running mean and variance."""

    hidden_units: Count = 128
    """Units in each dense layer."""

    num_layers: Annotated[Count, Field(le=MOST_LAYERS)] = 2
    """Dense layers after the inputs."""

    vis_encode_type: VisualEncoder = "simple"
    """Image encoder; least image side: simple 20, nature_cnn 36, resnet 15, match3 5, fully_connected 1."""

    memory: MemorySettings | None = None
    """Recurrent memory; null: none."""

    goal_conditioning_type: Literal["hyper", "none"] = "hyper"
    """How goal sensors act: a hypernetwork makes weights from them, or they are ordinary observations."""

    deterministic: Switch = False
    """Act by the mean or the most likely action instead of a sample."""
