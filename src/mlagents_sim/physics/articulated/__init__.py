"""Articulated bodies: ragdolls with joints, drives and contacts, solved as Unity's engine solves them.

Describe a `Ragdoll` of bodies and joints, `make_ragdolls` as many copies as there are areas, give their drives targets
and force limits, and `step` them all in one compiled call:

    ragdoll = Ragdoll(bodies=[Body("trunk", [Sphere(0.3)], mass=5.0), ...], joints=[Joint("leg", "trunk", ...)])
    ragdolls = make_ragdolls(ragdoll, copies=10)
    ragdolls.force_limit[:] = 1000.0
    ragdolls.target[:, 0] = from_euler(30.0, 0.0, 0.0)
    step(ragdolls, gravity=np.full(10, 9.81), duration=0.02, sweeps=SWEEPS)

Then `ragdolls.velocity` and its like tell what became of them, `ragdolls.touches` what they stand on,
`origins_of` where they are, and `geoms_of` what spectators see.

Bodies are solved in maximal coordinates: each moves freely, and joints are rows among others, which a fixed number of
sweeps satisfies nearly, but not quite. That is what the gaits learnt in Unity were learnt on. Joints do come apart by a
millimetre; what is exact, and where it differs from Unity, says `docs/fidelity.md`.

The parts: `shapes` and `builder` (the description), `ragdolls` (the arrays), `rows`, `joints`, `contacts` (what is
demanded), `sweeps` (how it is met), `step` (the order of events), `poses` (looking at it).
"""

from mlagents_sim.physics.articulated.builder import (
    FREE,
    Body,
    Joint,
    Plane,
    Ragdoll,
    make_ragdolls,
)
from mlagents_sim.physics.articulated.poses import geoms_of, origins_of, turn_copies
from mlagents_sim.physics.articulated.ragdolls import Ragdolls, reset, set_mass, state_arrays
from mlagents_sim.physics.articulated.rotations import from_euler, matrices_of, multiply, quaternions_of
from mlagents_sim.physics.articulated.shapes import Box, Capsule, Sphere
from mlagents_sim.physics.articulated.step import SWEEPS, step

__all__ = [
    "FREE",
    "SWEEPS",
    "Body",
    "Box",
    "Capsule",
    "Joint",
    "Plane",
    "Ragdoll",
    "Ragdolls",
    "Sphere",
    "from_euler",
    "geoms_of",
    "make_ragdolls",
    "matrices_of",
    "multiply",
    "origins_of",
    "quaternions_of",
    "reset",
    "set_mass",
    "state_arrays",
    "step",
    "turn_copies",
]
