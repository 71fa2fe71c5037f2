"""What contacts of upright boxes do to their velocities: sequential impulses; see `boxes`."""

from __future__ import annotations

import math
from typing import Final

from mlagents_sim.physics.box_contacts import Boxes, Contacts
from mlagents_sim.physics.compiled import compiled

MAX_ITERATIONS: Final = 20
TOLERANCE: Final = 1e-9  # m/s


@compiled
def solve(area: Boxes, contacts: Contacts, duration: float) -> None:
    """Change velocities until no point approaches faster than its gap allows, and friction is in balance."""
    for point in range(contacts.used[0]):
        _weigh(area, contacts, point)
    _balance(area, contacts, duration)
    if _let_slip(contacts):
        _balance(area, contacts, duration)
    for point in range(contacts.used[0]):
        if contacts.impulse[point, 0] > 0.0:
            area.touches[contacts.pair[point, 0], contacts.pair[point, 1]] = 1


@compiled
def _weigh(area: Boxes, contacts: Contacts, point: int) -> None:
    """Note how easily a point is moved, and whether the box that is touched can be."""
    normal = contacts.normal[point]
    tx, tz, uy, uz = _tangents(contacts, point)
    contacts.mobility[point, 0] = _mobility(area, contacts, point, normal[0], normal[1], normal[2])
    contacts.mobility[point, 1] = _mobility(area, contacts, point, tx, 0.0, tz)
    contacts.mobility[point, 2] = _mobility(area, contacts, point, 0.0, uy, uz)
    box = contacts.pair[point, 1]
    moves = area.spin[box] != 0.0 or area.inverse_inertia[box] != 0.0
    for axis in range(3):
        moves |= area.velocity[box, axis] != 0.0 or area.inverse_mass[box, axis] != 0.0
    contacts.is_held[point] = not moves


@compiled
def _tangents(contacts: Contacts, point: int) -> tuple[float, float, float, float]:
    """Return the tangents of a point, along x and z, or level and upright: x, z of the first, y, z of the other."""
    normal = contacts.normal[point]
    return (1.0, 0.0, 0.0, 1.0) if normal[1] != 0.0 else (normal[2], -normal[0], 1.0, 0.0)


@compiled
def _balance(area: Boxes, contacts: Contacts, duration: float) -> None:
    for _ in range(MAX_ITERATIONS):
        change = 0.0
        for point in range(contacts.used[0]):
            change = max(change, _press(area, contacts, point, duration), _rub(area, contacts, point))
        if change < TOLERANCE:
            return


@compiled
def _let_slip(contacts: Contacts) -> bool:
    """Leave only dynamic friction where friction holds as much as it can; return whether that is anywhere."""
    any_slips = False
    for point in range(contacts.used[0]):
        partner = contacts.partner[point]
        may_slip = contacts.limit[point, 0] > contacts.limit[point, 1]
        if may_slip and _is_at_limit(contacts, point) and _is_at_limit(contacts, partner):
            contacts.limit[point, 0] = contacts.limit[partner, 0] = contacts.limit[point, 1]
            any_slips = True
    return any_slips


@compiled
def _is_at_limit(contacts: Contacts, point: int) -> bool:
    most = contacts.limit[point, 0] * _pressure(contacts, point)
    force = math.sqrt(contacts.impulse[point, 1] ** 2 + contacts.impulse[point, 2] ** 2)
    return bool(most > 0.0 and force > (1.0 - TOLERANCE) * most)


@compiled
def _pressure(contacts: Contacts, point: int) -> float:
    """Return the normal impulse of the whole face to which a point belongs."""
    partner = contacts.partner[point]
    return float(contacts.impulse[point, 0] + (contacts.impulse[partner, 0] if partner != point else 0.0))


@compiled
def _press(area: Boxes, contacts: Contacts, point: int, duration: float) -> float:
    """Apply the normal impulse of one point; return by how much the velocity there changed."""
    normal, mobility = contacts.normal[point], contacts.mobility[point, 0]
    if mobility == 0.0:
        return 0.0
    speed = _speed(area, contacts, point, normal[0], normal[1], normal[2]) + contacts.gap[point] / duration
    old = contacts.impulse[point, 0]
    new = max(old - speed / mobility, 0.0)
    contacts.impulse[point, 0] = new
    _apply(area, contacts, point, normal[0], normal[1], normal[2], new - old)
    return float(mobility * abs(new - old))


@compiled
def _rub(area: Boxes, contacts: Contacts, point: int) -> float:
    """Apply friction at one point, with the whole face's pressure; return by how much the velocity there changed."""
    most = contacts.limit[point, 0] * _pressure(contacts, point)
    old_t, old_u = contacts.impulse[point, 1], contacts.impulse[point, 2]
    if most == 0.0 and old_t == 0.0 and old_u == 0.0:
        return 0.0
    tx, tz, uy, uz = _tangents(contacts, point)
    mobility_t, mobility_u = contacts.mobility[point, 1], contacts.mobility[point, 2]
    new_t, new_u = old_t, old_u
    if mobility_t > 0.0:
        new_t -= _speed(area, contacts, point, tx, 0.0, tz) / mobility_t
    if mobility_u > 0.0:
        new_u -= _speed(area, contacts, point, 0.0, uy, uz) / mobility_u
    wanted = math.sqrt(new_t**2 + new_u**2)
    if wanted > most:
        new_t, new_u = new_t * most / wanted, new_u * most / wanted
    contacts.impulse[point, 1], contacts.impulse[point, 2] = new_t, new_u
    _apply(area, contacts, point, tx, 0.0, tz, new_t - old_t)
    _apply(area, contacts, point, 0.0, uy, uz, new_u - old_u)
    return float(max(mobility_t * abs(new_t - old_t), mobility_u * abs(new_u - old_u)))


@compiled
def _mobility(area: Boxes, contacts: Contacts, point: int, x: float, y: float, z: float) -> float:
    """Change of the relative velocity along a direction per impulse along it, 1/kg."""
    total = 0.0
    for box in range(2):
        index, arm = contacts.pair[point, box], contacts.arm[point, box]
        mass = area.inverse_mass[index]
        turn = arm[1] * x - arm[0] * z
        total += mass[0] * x * x + mass[1] * y * y + mass[2] * z * z + area.inverse_inertia[index] * turn * turn
    return total


@compiled
def _speed(area: Boxes, contacts: Contacts, point: int, x: float, y: float, z: float) -> float:
    """Return the velocity of the mover's point relative to the other box's, along a direction."""
    along = _speed_of(area, contacts, point, 0, x, y, z)
    return along if contacts.is_held[point] else along - _speed_of(area, contacts, point, 1, x, y, z)


@compiled
def _speed_of(area: Boxes, contacts: Contacts, point: int, side: int, x: float, y: float, z: float) -> float:
    box, arm = contacts.pair[point, side], contacts.arm[point, side]
    velocity, spin = area.velocity[box], area.spin[box]
    return float((velocity[0] + spin * arm[1]) * x + velocity[1] * y + (velocity[2] - spin * arm[0]) * z)


@compiled
def _apply(area: Boxes, contacts: Contacts, point: int, x: float, y: float, z: float, impulse: float) -> None:
    """Push the mover along a direction, and the other box against it."""
    _push(area, contacts, point, 0, x, y, z, impulse)
    if not contacts.is_held[point]:
        _push(area, contacts, point, 1, x, y, z, -impulse)


@compiled
def _push(area: Boxes, contacts: Contacts, point: int, side: int, x: float, y: float, z: float, push: float) -> None:
    box, arm = contacts.pair[point, side], contacts.arm[point, side]
    area.velocity[box, 0] += area.inverse_mass[box, 0] * x * push
    area.velocity[box, 1] += area.inverse_mass[box, 1] * y * push
    area.velocity[box, 2] += area.inverse_mass[box, 2] * z * push
    area.spin[box] += area.inverse_inertia[box] * (arm[1] * x - arm[0] * z) * push
