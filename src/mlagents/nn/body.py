"""The body: observations to the activations that heads read."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Float

from mlagents.arrays import Array
from mlagents.nn.attention import EntityAttention
from mlagents.nn.hypernetwork import HyperDense
from mlagents.nn.image_encoders import ImageEncoder
from mlagents.nn.layers import Mlp
from mlagents.nn.memory import Lstm
from mlagents.nn.observations import Inputs, ObservationLayout

Memory = Float[Array, "sequences _"]


def encoded(encoders: tuple[ImageEncoder, ...], inputs: Inputs) -> Inputs:
    """Return the inputs with float32 [rows, hidden] encodings in place of images; as they are without encoders."""
    if not encoders:
        return inputs
    images = tuple(encoder(image) for encoder, image in zip(encoders, inputs.images, strict=True))
    return inputs._replace(images=images)


class Body(eqx.Module):
    """Encoders of every kind of observation, dense layers, memory.

    Vectors pass as they are; each image has an encoder of its own; entities go through attention, which also sees
    everything else. All of it, and continuous actions where a Q-network takes them, goes through the dense layers.
    With goal conditioning the goals, besides being inputs, make the weights of the last of these; goals that are
    entities do so by what attention gives of them all.

    Attributes:
      encoders: one per image sensor; none if the body gets encodings, which another's encoders made (see `encoded`).
      attention: over the entities of all sensors of variable length; None without them.
      dense: hidden layers.
      hyper: the last hidden layer, if goals condition it.
      lstm: memory, after the hidden layers; None without.
      layout: which observation is what.
    """

    encoders: tuple[ImageEncoder, ...]
    attention: EntityAttention | None
    dense: Mlp
    hyper: HyperDense | None
    lstm: Lstm | None
    layout: ObservationLayout = eqx.field(static=True)

    @property
    def is_dense(self) -> bool:
        """Whether there are only vectors and dense layers, and perhaps memory."""
        return not self.encoders and self.attention is None and self.hyper is None

    @property
    def memory_size(self) -> int:
        """Numbers of memory for each agent, 0 without."""
        return 0 if self.lstm is None else self.lstm.memory_size

    def without_encoders(self) -> Body:
        """Return the body for inputs that are encoded already."""
        body: Body = eqx.tree_at(lambda body: body.encoders, self, ())
        return body

    def encode(self, inputs: Inputs, action: Float[Array, "rows c"] | None = None) -> Float[Array, "rows h"]:
        """Return the activations after the hidden layers, before the memory."""
        inputs = encoded(self.encoders, inputs)
        parts = [inputs.vector, *inputs.images]
        attended: list[Array] = []
        if self.attention is not None:
            attended = [self.attention(jnp.concatenate(parts, axis=1), inputs.entities)]
            parts += attended
        if action is not None:
            parts.append(action)
        x = self.dense(parts[0] if len(parts) == 1 else jnp.concatenate(parts, axis=1))
        if self.hyper is None:
            return x
        goals = [inputs.vector[:, start:stop] for start, stop in self.layout.goal_columns]
        goals += [inputs.images[i] for i in self.layout.goal_images]
        if self.layout.goal_entities:
            goals += attended
        return jax.nn.silu(self.hyper(x, jnp.concatenate(goals, axis=1)))

    def __call__(
        self, inputs: Inputs, memory: Memory | None = None, action: Float[Array, "rows c"] | None = None
    ) -> tuple[Float[Array, "rows h"], Memory | None]:
        """Return the activations that heads read, and the memory after the last step of every sequence.

        Args:
          inputs: rows are the steps of one sequence, then those of the next; all sequences are equally long.
          memory: float32 [sequences, memory size], before the first steps; None without memory.
          action: continuous actions, of Q-networks.
        """
        x = self.encode(inputs, action)
        if self.lstm is None:
            return x, memory
        if memory is None:
            raise ValueError("a body with memory needs the memory before the first steps")
        steps = x.reshape(len(memory), -1, x.shape[1])
        outputs, after = self.lstm.sequences(steps, memory)
        return outputs.reshape(len(x), -1), after
