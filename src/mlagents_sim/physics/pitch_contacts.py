"""What happens where players, ball and walls of a pitch touch, compiled.

Contacts are impulses at the start of the step in which the bodies would meet, found together for all bodies, so that
nobody is served first; then bodies move for the whole step. What overlaps is moved apart, and that does not become
velocity.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.pitch import BALL_MASS_KG, PLAYER_MASS_KG, PLAYER_RADIUS_M, Pitches, Walls
from mlagents_sim.physics.planar import separation, sweep
from mlagents_sim.physics.rules import TIME_STEP_S

FRICTION: Final = 0.6
RESTITUTION: Final = 0.8  # of the ball
BOUNCE_THRESHOLD: Final = 2.0  # m/s; what comes slower does not bounce
CONTACT_DISTANCE_M: Final = 0.02
DEPENETRATION: Final = 0.8  # of the depth in a step
LARGEST_SHIFT_M: Final = 0.2  # in a step
MOST_CONTACTS: Final = 64
MOST_SWEEPS: Final = 200
TOLERANCE: Final = 1e-10
STATIC: Final = -1


class Contacts(NamedTuple):
    """Where bodies of one pitch touch, or would in this step.

    Attributes:
      used: int64 [1], how many there are.
      body: int64 [contacts, 2]; the second may be STATIC.
      normal: float64 [contacts, 2], from the second to the first.
      depth: float64 [contacts], how deep they overlap, m.
      least: float64 [contacts], speed from each other that is wanted at least, m/s.
      impulse: float64 [contacts, 2], along the normal, and across it, kg m/s.
      change: float64 [contacts, 2], by which the impulses are about to change.
    """

    used: NDArray[np.int64]
    body: NDArray[np.int64]
    normal: NDArray[np.float64]
    depth: NDArray[np.float64]
    least: NDArray[np.float64]
    impulse: NDArray[np.float64]
    change: NDArray[np.float64]


@allocating
def make_contacts() -> Contacts:
    """Return room for the contacts of a pitch."""
    n = MOST_CONTACTS
    pairs = np.zeros((n, 2))
    return Contacts(
        np.zeros(1, np.int64), np.zeros((n, 2), np.int64), pairs, np.zeros(n), np.zeros(n), pairs.copy(), pairs.copy()
    )


@compiled
def find_contacts(pitches: Pitches, walls: Walls, pitch: int, contacts: Contacts, first_round: bool) -> bool:
    """Fill in contacts; in the first round also say who touches the ball. Returns whether any is not yet content."""
    bodies = pitches.velocity.shape[1]
    contacts.used[0] = 0
    restless = False
    for a in range(bodies - 1, -1, -1):
        radius = pitches.ball_radius[pitch] if a == bodies - 1 else PLAYER_RADIUS_M
        for b in range(a):
            touches, wants = _meet_body(pitches, pitch, contacts, a, b, radius)
            restless |= wants
            if first_round and a == bodies - 1:
                _note_touch(pitches, pitch, contacts, b, touches)
        restless |= _meet_walls(pitches, walls, pitch, contacts, a, radius)
    return restless


@compiled
def _note_touch(pitches: Pitches, pitch: int, contacts: Contacts, player: int, touches: bool) -> None:
    pitches.began[pitch, player] = touches and not pitches.is_touching[pitch, player]
    pitches.is_touching[pitch, player] = touches
    if touches:
        normal = contacts.normal[contacts.used[0] - 1]
        pitches.touch[pitch, player, 0], pitches.touch[pitch, player, 1] = normal[0], normal[1]


@compiled
def _meet_body(pitches: Pitches, pitch: int, contacts: Contacts, a: int, b: int, radius: float) -> tuple[bool, bool]:
    """Add the contact of two bodies if there is one. Returns whether there is, and whether it is to change anything."""
    position, velocity = pitches.position, pitches.velocity
    x, z = position[pitch, a, 0] - position[pitch, b, 0], position[pitch, a, 1] - position[pitch, b, 1]
    vx, vz = velocity[pitch, a, 0] - velocity[pitch, b, 0], velocity[pitch, a, 1] - velocity[pitch, b, 1]
    reach = radius + PLAYER_RADIUS_M
    far = reach + CONTACT_DISTANCE_M + TIME_STEP_S * (abs(vx) + abs(vz))
    if x * x + z * z > far * far:
        return False, False
    bounces = a == pitches.velocity.shape[1] - 1
    return _meet(contacts, a, b, x, z, vx, vz, 0.0, 0.0, 1.0, 0.0, reach, bounces)


@compiled
def _meet_walls(pitches: Pitches, walls: Walls, pitch: int, contacts: Contacts, a: int, radius: float) -> bool:
    """Add the contacts of a body and walls. Returns whether they are to change anything."""
    vx, vz = pitches.velocity[pitch, a, 0], pitches.velocity[pitch, a, 1]
    travel = radius + CONTACT_DISTANCE_M + TIME_STEP_S * (abs(vx) + abs(vz))
    bounces = a == pitches.velocity.shape[1] - 1
    restless = False
    for wall in range(len(walls.look)):
        half_x, half_z = walls.half_size[wall, 0], walls.half_size[wall, 1]
        c, s = walls.axis[wall, 0], walls.axis[wall, 1]
        x, z = (
            pitches.position[pitch, a, 0] - walls.center[wall, 0],
            pitches.position[pitch, a, 1] - walls.center[wall, 1],
        )
        if abs(c * x + s * z) > half_x + travel or abs(c * z - s * x) > half_z + travel:
            continue
        _, wants = _meet(contacts, a, STATIC, x, z, vx, vz, half_x, half_z, c, s, radius, bounces)
        restless |= wants
    return restless


@compiled
def _meet(
    contacts: Contacts,
    a: int,
    b: int,
    x: float,
    z: float,
    vx: float,
    vz: float,
    half_x: float,
    half_z: float,
    c: float,
    s: float,
    reach: float,
    bounces: bool,
) -> tuple[bool, bool]:
    """Add a contact if a disc touches a rectangle around the origin, or would in this step.

    Args:
      contacts: where to add it.
      a: the disc.
      b: what it touches.
      x: of the disc.
      z: likewise.
      vx: of the disc, m/s.
      vz: likewise.
      half_x: of the rectangle.
      half_z: likewise.
      c: of the rectangle's first axis, along x.
      s: likewise, along z.
      reach: radius of the disc.
      bounces: whether the contact is elastic.

    Returns: whether there is a contact, and whether it is to change the velocity.
    """
    local_x, local_z, dx, dz = (
        c * x + s * z,
        c * z - s * x,
        TIME_STEP_S * (c * vx + s * vz),
        TIME_STEP_S * (c * vz - s * vx),
    )
    distance, nx, nz = separation(local_x, local_z, half_x, half_z)
    gap, fraction = distance - reach, 0.0
    if gap > 0.0:
        fraction = sweep(local_x, local_z, dx, dz, half_x, half_z, reach)
        if fraction <= 1.0:
            _, nx, nz = separation(local_x + fraction * dx, local_z + fraction * dz, half_x, half_z)
        elif gap >= CONTACT_DISTANCE_M:
            return False, False
    speed = (nx * dx + nz * dz) / TIME_STEP_S
    slowest = fraction * speed if gap > 0.0 and fraction <= 1.0 else -max(gap, 0.0) / TIME_STEP_S
    least = slowest
    if bounces and speed <= -BOUNCE_THRESHOLD and fraction <= 1.0:
        least = -RESTITUTION * speed
    point = contacts.used[0]
    if point == MOST_CONTACTS:
        return False, False
    contacts.used[0] = point + 1
    contacts.body[point, 0], contacts.body[point, 1] = a, b
    contacts.normal[point, 0], contacts.normal[point, 1] = c * nx - s * nz, s * nx + c * nz
    contacts.depth[point] = max(-gap, 0.0)
    contacts.least[point] = least
    contacts.impulse[point, 0] = contacts.impulse[point, 1] = 0.0
    return True, speed < least - TOLERANCE


# What contacts do


@compiled
def _inverse_mass(body: int, ball: int) -> float:
    if body == STATIC:
        return 0.0
    return 1.0 / BALL_MASS_KG if body == ball else 1.0 / PLAYER_MASS_KG


@compiled
def solve(pitches: Pitches, pitch: int, contacts: Contacts) -> None:
    """Change velocities until all contacts are content.

    All contacts look at the same velocities before any of them changes these, so that none comes first.
    """
    ball = pitches.velocity.shape[1] - 1
    used = contacts.used[0]
    for _ in range(MOST_SWEEPS):
        change = 0.0
        for point in range(used):
            change = max(change, _press(pitches, pitch, contacts, point, ball, 1.0 / used))
            change = max(change, _rub(pitches, pitch, contacts, point, ball, 1.0 / used))
        for point in range(used):
            _apply(pitches, pitch, contacts, point, ball)
        if change < TOLERANCE:
            break
    for point in range(used):
        if contacts.body[point, 0] == ball and contacts.impulse[point, 0] > 0.0:
            _brake_roll(pitches, pitch, contacts.normal[point], contacts.impulse[point, 0])


@compiled
def _speed(pitches: Pitches, pitch: int, contacts: Contacts, point: int, x: float, z: float) -> float:
    """Return the speed of the first body from the second along a direction."""
    a, b = contacts.body[point, 0], contacts.body[point, 1]
    speed = x * pitches.velocity[pitch, a, 0] + z * pitches.velocity[pitch, a, 1]
    if b != STATIC:
        speed -= x * pitches.velocity[pitch, b, 0] + z * pitches.velocity[pitch, b, 1]
    return float(speed)


@compiled
def _push(pitches: Pitches, pitch: int, contacts: Contacts, point: int, ball: int, x: float, z: float) -> None:
    """Give the first body an impulse, and the second the opposite one, kg m/s."""
    a, b = contacts.body[point, 0], contacts.body[point, 1]
    pitches.velocity[pitch, a, 0] += _inverse_mass(a, ball) * x
    pitches.velocity[pitch, a, 1] += _inverse_mass(a, ball) * z
    if b != STATIC:
        pitches.velocity[pitch, b, 0] -= _inverse_mass(b, ball) * x
        pitches.velocity[pitch, b, 1] -= _inverse_mass(b, ball) * z


@compiled
def _press(pitches: Pitches, pitch: int, contacts: Contacts, point: int, ball: int, part: float) -> float:
    """Choose a part of the impulse that is missing along the normal. Returns by how much the speed changes by that."""
    nx, nz = contacts.normal[point, 0], contacts.normal[point, 1]
    mobility = _inverse_mass(contacts.body[point, 0], ball) + _inverse_mass(contacts.body[point, 1], ball)
    missing = contacts.least[point] - _speed(pitches, pitch, contacts, point, nx, nz)
    change = part * max(missing / mobility, -contacts.impulse[point, 0])
    contacts.change[point, 0] = change
    return float(mobility * abs(change))


@compiled
def _rub(pitches: Pitches, pitch: int, contacts: Contacts, point: int, ball: int, part: float) -> float:
    """Do likewise for friction across the normal, in which the ball's spin takes part."""
    tx, tz = -contacts.normal[point, 1], contacts.normal[point, 0]
    most = FRICTION * (contacts.impulse[point, 0] + contacts.change[point, 0])
    mobility = _inverse_mass(contacts.body[point, 0], ball) + _inverse_mass(contacts.body[point, 1], ball)
    speed = _speed(pitches, pitch, contacts, point, tx, tz)
    if contacts.body[point, 0] == ball:
        speed -= pitches.ball_radius[pitch] * pitches.spin[pitch]
        mobility += 2.5 / BALL_MASS_KG
    old = contacts.impulse[point, 1]
    change = min(max(old - part * speed / mobility, -most), most) - old
    contacts.change[point, 1] = change
    return float(mobility * abs(change))


@compiled
def _apply(pitches: Pitches, pitch: int, contacts: Contacts, point: int, ball: int) -> None:
    """Change velocities by what was chosen."""
    nx, nz = contacts.normal[point, 0], contacts.normal[point, 1]
    along, across = contacts.change[point, 0], contacts.change[point, 1]
    contacts.impulse[point, 0] += along
    contacts.impulse[point, 1] += across
    _push(pitches, pitch, contacts, point, ball, along * nx - across * nz, along * nz + across * nx)
    if contacts.body[point, 0] == ball:
        pitches.spin[pitch] -= 2.5 / (BALL_MASS_KG * pitches.ball_radius[pitch]) * across


@compiled
def _brake_roll(pitches: Pitches, pitch: int, normal: NDArray[np.float64], impulse: float) -> None:
    """Let friction that acts up or down slow the roll towards what the ball presses against."""
    roll = pitches.roll[pitch]
    along = roll[0] * normal[0] + roll[1] * normal[1]
    most = FRICTION * impulse * 2.5 / (BALL_MASS_KG * pitches.ball_radius[pitch])
    change = min(max(-along, -most), most)
    roll[0] += change * normal[0]
    roll[1] += change * normal[1]


@compiled
def move_apart(pitches: Pitches, pitch: int, contacts: Contacts) -> None:
    """Move bodies that overlap apart, as far as their velocities did not."""
    ball = pitches.velocity.shape[1] - 1
    for point in range(contacts.used[0]):
        nx, nz = contacts.normal[point, 0], contacts.normal[point, 1]
        wanted = min(DEPENETRATION * contacts.depth[point], LARGEST_SHIFT_M)
        missing = wanted - TIME_STEP_S * _speed(pitches, pitch, contacts, point, nx, nz)
        if contacts.depth[point] <= 0.0 or missing <= 0.0:
            continue
        a, b = contacts.body[point, 0], contacts.body[point, 1]
        weight_a, weight_b = _inverse_mass(a, ball), _inverse_mass(b, ball)
        for axis in range(2):
            shift = missing * contacts.normal[point, axis] / (weight_a + weight_b)
            pitches.position[pitch, a, axis] += weight_a * shift
            if b != STATIC:
                pitches.position[pitch, b, axis] -= weight_b * shift
