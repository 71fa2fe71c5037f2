"""Grid sensors: scenes worked out by hand, and cells against points sampled in them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mlagents_envs.base_env import DimensionProperty, ObservationType
from mlagents_envs.rpc.codec import encode_png, process_pixels
from mlagents_sim.physics.cells import fill
from mlagents_sim.physics.ray_casts import ABSENT, UNTAGGED, RayOrigins, Shapes, turn_ray_origins
from mlagents_sim.row_index import ALL
from mlagents_sim.sensors import GridSensor, StackingSensor

TAGS = ("food", "wall", "agent")
FOOD, WALL, AGENT = range(3)
CUBE = (0.5, 0.5, 0.5)
NO_SIZE = (0.0, 0.0, 0.0)


def shape(center, half_size=CUBE, tag=FOOD, euler=(0.0, 0.0, 0.0), rounding=0.0):
    return center, Rotation.from_euler("xyz", euler, degrees=True).as_matrix(), half_size, rounding, tag


def sensor(size=(5, 1, 5), cell=(1.0, 1.0, 1.0), **options) -> GridSensor:
    return GridSensor("GridSensor-OneHot", TAGS, size, cell, **options)


def look(*shapes, at=(0.0, 0.0, 0.0), yaw=0.0, own=-1, **options) -> np.ndarray:
    """float32 [tags, x, z] of one agent; 5 x 5 cells of 1 m unless told otherwise."""
    grid = sensor(**options)
    columns = [np.array([column], np.float64) for column in zip(*shapes, strict=True)]
    scene = Shapes(*columns[:4], columns[4].astype(np.int64))
    eyes = RayOrigins(np.zeros(1, np.int64), np.array([own]), np.array([at], np.float64), np.zeros((1, 3, 3)))
    turn_ray_origins(eyes, np.radians([yaw]))
    observation = grid.observe(ALL, fill(grid.grid, scene, eyes, np.arange(1)))
    assert observation.dtype == np.float32
    assert observation.shape == (1, *grid.spec.shape)
    assert (observation.sum(axis=1) <= 1.0).all()
    return observation[0]


def seen(*shapes, tag=FOOD, **options) -> set[tuple[int, int]]:
    """The cells with a tag, as steps to the right and ahead of the middle cell."""
    image = look(*shapes, **options)[tag]
    middle_x, middle_z = (image.shape[0] - 1) // 2, (image.shape[1] - 1) // 2
    return {(int(image.shape[0] - 1 - row - middle_x), int(column - middle_z)) for row, column in np.argwhere(image)}


def test_spec_is_that_of_an_image_with_a_channel_per_tag() -> None:
    spec = sensor(size=(6, 1, 4)).spec
    assert (spec.name, spec.shape) == ("GridSensor-OneHot", (3, 6, 4))
    assert spec.observation_type == ObservationType.DEFAULT
    equivariance = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    assert spec.dimension_property == (DimensionProperty.NONE, equivariance, equivariance)


def test_rows_go_from_right_to_left_and_columns_from_behind_to_ahead() -> None:
    image = look(shape((2, 0, -1)), shape((-1, 0, 1), tag=WALL), size=(5, 1, 3))
    expected = np.zeros((3, 5, 3))
    expected[FOOD, 0, 0] = expected[WALL, 3, 2] = 1.0
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize(("yaw", "cell"), [(0, (2, 1)), (90, (-1, 2)), (180, (-2, -1)), (270, (1, -2))])
def test_the_grid_turns_with_the_agent(yaw: float, cell) -> None:
    """A cube of 1 m fills a cell, two to the right and one ahead.

    Who turns to the right by 90 degrees has it two ahead and one to the left.
    """
    assert seen(shape((2, 0, 1)), yaw=yaw) == {cell}
    assert seen(shape((2, 0, 1)), yaw=yaw, rotate_with_agent=False) == {(2, 1)}


def test_half_a_right_angle() -> None:
    """The cube that was 2 ahead is a rhombus around (-1.41, 1.41), with corners 0.71 away along the axes.

    It reaches from -2.12 to -0.71 and from 0.71 to 2.12, so into the cells around -1 and -2, 1 and 2; into the one
    whose nearest corner is (-1.5, 1.5) too, as 0.09 + 0.09 < 0.71.
    """
    assert seen(shape((0, 0, 2)), yaw=45) == {(-1, 1), (-1, 2), (-2, 1), (-2, 2)}
    # Half as large, its corners reach 0.35, beyond the edges 0.09 away; and 0.18 < 0.35 at the corner.
    assert seen(shape((0, 0, 2), (0.25, 0.5, 0.25)), yaw=45) == {(-1, 1), (-1, 2), (-2, 1), (-2, 2)}
    # A tenth as large they reach 0.14: to 1.555, and 0.17 > 0.14 at the corner.
    assert seen(shape((0, 0, 2), (0.1, 0.5, 0.1)), yaw=45) == {(-1, 1), (-1, 2), (-2, 1)}


def test_a_box_that_is_turned_itself() -> None:
    """Its corners are 0.71 from (0, 2): in the cells beside and before, at their borders 0.5, but none around."""
    assert seen(shape((0, 0, 2), euler=(0, 45, 0)), size=(7, 1, 7)) == {(0, 2), (1, 2), (-1, 2), (0, 1), (0, 3)}


def test_a_box_that_straddles_two_cells_is_in_both() -> None:
    assert seen(shape((0.5, 0, 1))) == {(0, 1), (1, 1)}
    assert seen(shape((0.5, 0, 0.5))) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert seen(shape((0, 0, 0.6), (0.05, 0.5, 1.0))) == {(0, 0), (0, 1), (0, 2)}


@pytest.mark.parametrize("yaw", [0, 90, 180, 270])
def test_what_only_touches_a_cell_is_not_in_it(yaw: float) -> None:
    assert len(seen(shape((1, 0, 1)), shape((1, 0, -1), NO_SIZE, rounding=0.5), yaw=yaw)) == 2


def test_an_object_behind() -> None:
    assert seen(shape((0, 0, -2))) == {(0, -2)}
    assert seen(shape((0, 0, -2)), yaw=180) == {(0, 2)}


def test_beyond_the_edge_nothing_is_seen() -> None:
    assert seen(shape((3, 0, 0))) == set()
    assert seen(shape((2.9, 0, 0))) == {(2, 0)}
    assert seen(shape((0, 0, 1e30)), shape((np.nan, 0, 0)), shape((0, np.inf, 0))) == set()
    everywhere = seen(shape((0, 0, 0), (1e9, 1.0, 1e9)))
    assert len(everywhere) == 25


def test_positions_are_seen_from_where_the_agent_is() -> None:
    assert seen(shape((12, 3, -8)), at=(10, 3, -8)) == {(2, 0)}


def test_cells_have_a_height() -> None:
    """Of 0.2 m: 0.1 up and down from the agent's origin."""
    cell = (1.0, 0.2, 1.0)
    assert seen(shape((1, 0.55, 0)), cell=cell) == {(1, 0)}
    assert seen(shape((1, 0.65, 0)), cell=cell) == set()
    assert seen(shape((1, 0.65, 0)), cell=cell, center=(0.0, 0.1, 0.0)) == {(1, 0)}


def test_oblong_cells_and_an_even_number_of_them() -> None:
    """The edges of four columns of 2 m are at -4, -2, 0, 2 and 4; of two rows of half a metre at -0.5, 0 and 0.5."""
    options = {"size": (4, 1, 2), "cell": (2.0, 1.0, 0.5)}
    tiny = (0.1, 0.1, 0.1)
    image = look(shape((3.5, 0, 0.25), tiny), shape((-0.2, 0, -0.25), tiny), **options)[FOOD]
    np.testing.assert_array_equal(image, [[0, 1], [0, 0], [1, 0], [0, 0]])


def test_the_grid_may_lie_ahead_of_the_agent() -> None:
    cube = shape((0, 0, 10))
    assert seen(cube, center=(0.0, 0.0, 10.0)) == {(0, 0)}
    assert seen(cube, center=(0.0, 0.0, 10.0), yaw=90) == set()
    assert seen(cube, center=(0.0, 0.0, 10.0), yaw=90, rotate_with_agent=False) == {(0, 0)}


def test_spheres_are_round() -> None:
    """In the middle of a cell the edges are 0.5 away, and the corners 0.71."""
    assert seen(shape((1, 0, 1), NO_SIZE, rounding=0.4)) == {(1, 1)}
    cross = {(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)}
    assert seen(shape((1, 0, 1), NO_SIZE, rounding=0.6)) == cross
    assert seen(shape((1, 0, 1), NO_SIZE, rounding=0.72)) == cross | {(0, 0), (0, 2), (2, 0), (2, 2)}


def test_a_sphere_is_thinner_below_and_above() -> None:
    """0.75 above the middle of a cell with half a metre's height, 0.25 remain to its top: a radius of 0.4 has 0.31."""
    ball = shape((0.7, 0.75, 0), NO_SIZE, rounding=0.4)  # 0.2 from the edge at 0.5
    assert seen(ball) == {(0, 0), (1, 0)}
    ball = shape((0.85, 0.75, 0), NO_SIZE, rounding=0.4)  # 0.35 from it
    assert seen(ball) == {(1, 0)}


def test_capsules() -> None:
    """Of 2 m and a radius of 0.2: from (-1, 0) to (1, 0), and across from (-0.71, -0.71) to (0.71, 0.71)."""
    assert seen(shape((0, 0, 0), (1.0, 0.0, 0.0), rounding=0.2)) == {(-1, 0), (0, 0), (1, 0)}
    assert seen(shape((0, 0, 0), (1.0, 0.0, 0.0), rounding=0.2), yaw=90) == {(0, -1), (0, 0), (0, 1)}
    # Along the diagonal it also reaches over the edges beside the corner (0.5, 0.5).
    diagonal = {(-1, -1), (0, 0), (1, 1), (0, 1), (1, 0), (0, -1), (-1, 0)}
    assert seen(shape((0, 0, 0), (1.0, 0.0, 0.0), euler=(0, -45, 0), rounding=0.2)) == diagonal
    assert seen(shape((1, 0, 1), (0.0, 1.0, 0.0), rounding=0.3)) == {(1, 1)}


def test_a_tilted_box_is_not_its_bounds() -> None:
    """A plank of 4 m that rises at 45 degrees through the origin is at the height of the cells only for 1 m."""
    plank = shape((0, 0, 0), (2.0, 0.01, 0.2), euler=(0, 0, 45))
    assert seen(plank, cell=(1.0, 0.9, 1.0)) == {(0, 0)}
    assert seen(plank, cell=(1.0, 1.1, 1.0)) == {(-1, 0), (0, 0), (1, 0)}


def test_boxes_that_stand_on_an_edge_or_a_corner_above_a_cell() -> None:
    """The edge is 0.707 below the middle, the corner 0.866; the top of the cell is at 0.5."""
    on_edge, on_corner = (0, 0, 45), (45, 0, np.degrees(np.arctan(0.5**0.5)))
    for euler, below in ((on_edge, 0.5**0.5), (on_corner, 0.75**0.5)):
        assert seen(shape((0, 0.51 + below, 0), euler=euler)) == set()
        assert seen(shape((0, 0.49 + below, 0), euler=euler)) == {(0, 0)}


def test_what_passes_a_cell_edge_to_edge_is_not_in_it() -> None:
    """A bar that stands on its edge lies along x + z = 1.27, from (-0.78, 2.05) to (2.05, -0.78).

    It is 0.9 from the middle, whose cell's corner is at 0.71: no face of either lies between them.
    """
    bar = shape((0.9 * 0.5**0.5, 0.0, 0.9 * 0.5**0.5), (2.0, 0.01, 0.01), euler=(45, 45, 0))
    assert seen(bar) == {(-1, 2), (0, 2), (0, 1), (1, 1), (1, 0), (2, 0), (2, -1)}


def test_of_two_in_one_cell_the_nearer_counts() -> None:
    """Both touch the cell two ahead, whose centre is (0, 2)."""
    near, far = shape((0, 0, 1.7), (0.1, 0.1, 0.1), tag=WALL), shape((0, 0, 2.3), (0.1, 0.1, 0.1))
    for scene in ((near, far), (far, near)):
        assert seen(*scene, tag=WALL) == {(0, 2)}
        assert seen(*scene, tag=FOOD) == set()
    # From the other side, with the grid where it was, it is the other way round.
    for scene in ((near, far), (far, near)):
        assert seen(*scene, at=(0, 0, 4), center=(0.0, 0.0, -4.0), tag=FOOD) == {(0, 2)}


def test_what_counts_is_how_near_a_thing_is_in_this_cell() -> None:
    """The wall begins beside the agent; two cells ahead it is as far to the side as the food is not."""
    wall = shape((0.4, 0, 0), (0.05, 0.5, 2.5), tag=WALL)
    food = shape((0, 0, 1.7), (0.1, 0.1, 0.1))
    assert seen(wall, food) == {(0, 2)}
    assert seen(wall, food, tag=WALL) == {(0, -2), (0, -1), (0, 0), (0, 1)}


def test_of_equals_the_first_counts() -> None:
    """Both have the cell's centre inside."""
    food, wall = shape((1, 0, 1)), shape((1.1, 0, 1), tag=WALL)
    assert (1, 1) in seen(food, wall)
    assert (1, 1) in seen(wall, food, tag=WALL)
    assert (1, 1) not in seen(wall, food)


def test_the_agent_itself_and_other_tags_are_not_seen() -> None:
    scene = shape((0, 0, 0), tag=AGENT), shape((1, 0, 0), tag=AGENT)
    assert seen(*scene, own=0, tag=AGENT) == {(1, 0)}
    assert seen(shape((1, 0, 0), tag=UNTAGGED), shape((1.2, 0, 0)), shape((0, 0, 1), tag=ABSENT)) == {(1, 0), (2, 0)}


def test_only_the_wanted_agents_look_and_each_in_its_area() -> None:
    grid = sensor()
    count = 3
    scene = Shapes(
        np.array([[(area - 1.0, 0.0, 1.0)] for area in range(count)]),
        np.tile(np.eye(3), (count, 1, 1, 1)),
        np.full((count, 1, 3), 0.4),
        np.zeros((count, 1)),
        np.array([[FOOD], [WALL], [AGENT]]),
    )
    eyes = RayOrigins(np.array([2, 0, 1]), np.full(3, -1), np.zeros((3, 3)), np.tile(np.eye(3), (3, 1, 1)))
    images = fill(grid.grid, scene, eyes, np.array([2, 0]))
    assert [tuple(place) for place in np.argwhere(images)] == [(0, WALL, 2, 3), (1, AGENT, 1, 3)]


def test_frames_are_stacked_by_channels() -> None:
    stack = StackingSensor(sensor(), 2, agents=1)
    assert stack.spec.name == "StackingSensor_size2_GridSensor-OneHot"
    assert stack.spec.shape == (6, 5, 5)
    stack.observe(ALL, look(shape((1, 0, 0)))[np.newaxis])
    image = stack.observe(ALL, look(shape((2, 0, 0)))[np.newaxis])
    np.testing.assert_array_equal(np.argwhere(image[0]), [(FOOD, 1, 2), (3 + FOOD, 0, 2)])


@pytest.mark.parametrize("channels", range(1, 8))
def test_png_files_lose_nothing(channels: int) -> None:
    """Three channels in each file, as any image is sent."""
    grid = GridSensor("grid", [str(tag) for tag in range(channels)], (4, 1, 7), (1.0, 1.0, 1.0))
    image = np.random.default_rng(channels).integers(0, 2, grid.spec.shape).astype(np.float32)
    data = encode_png(image)
    assert data.count(b"\x89PNG") == -(-channels // 3)
    np.testing.assert_array_equal(process_pixels(data, channels), image)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tags": ()}, r"'Grid'.*at least one tag.*got \[\]"),
        ({"tags": ("food", "wall", "food")}, r"'Grid'.*each of them once; got \['food', 'wall', 'food'\]"),
        ({"grid_size": (5, 2, 5)}, r"'Grid'.*1 cell along y.*got \(5, 2, 5\)"),
        ({"grid_size": (0, 1, 5)}, r"'Grid'.*at least 1 along x and z; got \(0, 1, 5\)"),
        ({"grid_size": (5, 1, -1)}, r"'Grid'.*at least 1 along x and z"),
        ({"cell_scale": (1.0, 0.0, 1.0)}, r"'Grid'.*cells with a size.*got \(1.0, 0.0, 1.0\)"),
        ({"cell_scale": (1.0, 1.0, -1.0)}, r"'Grid'.*cells with a size"),
        ({"cell_scale": (np.inf, 1.0, 1.0)}, r"'Grid'.*cells with a size"),
        ({"cell_scale": (np.nan, 1.0, 1.0)}, r"'Grid'.*cells with a size"),
    ],
)
def test_bad_options_are_refused(options, message: str) -> None:
    good = {"tags": TAGS, "grid_size": (5, 1, 5), "cell_scale": (1.0, 1.0, 1.0)}
    with pytest.raises(ValueError, match=message):
        GridSensor("Grid", **good | options)


def test_shapes_that_it_cannot_see_are_refused() -> None:
    with pytest.raises(ValueError, match="boxes, spheres and capsules"):
        look(shape((1, 0, 0), rounding=0.1))
    assert not look(shape((1, 0, 0), rounding=0.1, tag=UNTAGGED)).any()
    with pytest.raises(ValueError, match="beyond those of the grid sensor"):
        look(shape((1, 0, 0), tag=len(TAGS)))


# Against points sampled in every cell

COUNT, CELL, SAMPLES = 4, np.array((1.0, 0.6, 0.8)), 9
DOUBT = 0.5 * float(np.linalg.norm(CELL / (SAMPLES - 1)))
places = st.tuples(st.floats(-2.5, 2.5), st.floats(-0.8, 0.8), st.floats(-2.5, 2.5))
angles = st.tuples(*3 * [st.floats(-180.0, 180.0)]) | st.tuples(st.just(0.0), st.floats(-180.0, 180.0), st.just(0.0))
extents = st.floats(0.05, 1.5)
boxes = st.tuples(st.tuples(extents, extents, extents), st.just(0.0))
spheres = st.tuples(st.just(NO_SIZE), extents)
capsules = st.tuples(st.tuples(st.just(0.0), extents, st.just(0.0)), extents)
shapes = st.builds(
    lambda center, size, euler, tag: shape(center, size[0], tag, euler, size[1]),
    places,
    boxes | spheres | capsules,
    angles,
    st.integers(0, 2),
)


def nearest_points(points: np.ndarray, body) -> np.ndarray:
    """Of a shape, to each of the points [..., 3]."""
    center, rotation, half_size, rounding, _ = body
    local = (points - np.array(center)) @ rotation
    core = np.clip(local, -np.array(half_size), half_size)
    away = local - core
    distance = np.linalg.norm(away, axis=-1, keepdims=True)
    surface = core + away * np.minimum(1.0, rounding / np.maximum(distance, 1e-12))
    return np.array(center) + surface @ rotation.T


@settings(max_examples=50)
@given(st.lists(shapes, min_size=1, max_size=3), places, st.floats(-180.0, 180.0))
def test_against_points_sampled_in_the_cells(bodies, at, yaw: float) -> None:
    """A sampled point inside puts a shape into a cell; none within the distance between them keeps it out."""
    image = look(*bodies, at=at, yaw=yaw, size=(COUNT, 1, COUNT), cell=tuple(CELL))[:, ::-1]
    axes = Rotation.from_euler("y", yaw, degrees=True).as_matrix()
    steps = np.arange(COUNT) - 0.5 * (COUNT - 1)
    middles = np.stack(np.meshgrid(steps, 0.0, steps, indexing="ij"), axis=-1)[:, 0] * CELL  # [x, z, 3]
    inner = np.linspace(-0.5 + 1e-4, 0.5 - 1e-4, SAMPLES)
    inside = np.stack(np.meshgrid(inner, inner, inner, indexing="ij"), axis=-1).reshape(-1, 3) * CELL
    points = (middles[:, :, np.newaxis] + inside) @ axes.T + np.array(at)
    centers = middles @ axes.T + np.array(at)

    gap = np.stack([np.linalg.norm(nearest_points(points, body) - points, axis=-1).min(axis=-1) for body in bodies])
    far = np.stack([np.linalg.norm(nearest_points(centers, body) - np.array(at), axis=-1) for body in bodies])
    surely, maybe = gap < 1e-9, gap < DOUBT + 1e-3
    for x, z in np.ndindex(COUNT, COUNT):
        tags = np.flatnonzero(image[:, x, z])
        if not maybe[:, x, z].any():
            assert not len(tags)
            continue
        if surely[:, x, z].any():
            assert len(tags) == 1
        nearest_sure = far[surely[:, x, z], x, z].min(initial=np.inf)
        may_count = maybe[:, x, z] & (far[:, x, z] <= nearest_sure + 1e-9)
        assert set(tags) <= {bodies[body][4] for body in np.flatnonzero(may_count)}
