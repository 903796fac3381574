"""Navigation meshes as CARLA's client reads them: a set of tiles for the Detour library, version 7 of its tiles.

The file is a header ``MSET``, then for each tile its reference, its size and its data: vertices, polygons with their
neighbours, room for the links that Detour makes when it loads the tile, a triangulation for heights, and a tree of
bounding boxes. Detour's axes are x, up and y of CARLA; its polygons run clockwise in a plot of CARLA's x and y.

Checked against the unmodified `carla` 0.9.16 client, whose Detour has references of 32 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.sim.wire.navmesh_layout import (
    CORNERS,
    DETAIL,
    LINK,
    MAX_POLYGONS,
    MAX_VERTICES,
    NODE,
    OUTSIDE,
    POLYGON,
    SET_HEADER,
    SET_MAGIC,
    SET_VERSION,
    TILE_ENTRY,
    TILE_HEADER,
    TILE_MAGIC,
    TILE_VERSION,
    TRIANGLE,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# 32 bits hold the number of a tile, of a polygon in it, and at least 10 bits that tell old references from new ones.
_REFERENCE_BITS = 22
# The sides of a tile in Detour's count of eight directions.
_EAST, _NORTH, _WEST, _SOUTH = 0, 2, 4, 6

# What CARLA's navigation assumes of people.
_WALKER_HEIGHT_M, _WALKER_RADIUS_M, _WALKER_CLIMB_M = 1.8, 0.3, 0.5
_MARGIN_M = 1.0
_STEPS = 0xFFF0
_FINEST_STEP_M = 0.1


def encode_navmesh(vertices_m: Floats, polygons: NDArray[np.int32], areas: NDArray[np.uint8]) -> bytes:
    """Return the file for a mesh.

    Args:
        vertices_m: (V, 3), CARLA's axes.
        polygons: (P, K <= 4) vertices of convex polygons, clockwise in a plot of x and y; -1 behind the last one.
            Polygons that share an edge are neighbours; if three do, only the first two are.
        areas: (P,) CARLA's area types: 1 sidewalk, 2 crosswalk, 3 road, 4 grass. An area's flag is 2 to its power.

    Returns:
        The bytes; the same for the same mesh.
    """
    detour_m = np.asarray(vertices_m, np.float32).astype(np.float64)[:, [0, 2, 1]]
    low = detour_m.min(axis=0, initial=np.inf) if len(detour_m) else np.zeros(3)
    high = detour_m.max(axis=0, initial=-np.inf) if len(detour_m) else np.zeros(3)
    origin = np.floor(low - _MARGIN_M)
    span_m = float(np.ceil((high + _MARGIN_M - origin)[[0, 2]].max()))
    tiles_along = 1
    while True:
        grid = _Grid(origin, np.ceil(high + _MARGIN_M), span_m / tiles_along, tiles_along)
        tiles = grid.cut(detour_m, np.asarray(polygons, np.int64), np.asarray(areas, np.uint8))
        most = max((len(tile.polygons) for tile in tiles), default=0)
        if most <= MAX_POLYGONS and all(len(tile.vertices_m) <= MAX_VERTICES for tile in tiles):
            break
        tiles_along += 1
    polygon_bits = max(1, (most - 1).bit_length())
    tile_bits = (tiles_along**2 - 1).bit_length()
    assert polygon_bits + tile_bits <= _REFERENCE_BITS, "a mesh for a town is not that large"
    header = np.zeros((), SET_HEADER)
    header["magic"], header["version"], header["tile_count"] = SET_MAGIC, SET_VERSION, len(tiles)
    header["origin"], header["tile_size"] = origin, grid.size_m
    header["max_tiles"], header["max_polygons"] = 1 << tile_bits, 1 << polygon_bits
    parts = [header.tobytes()]
    for number, tile in enumerate(tiles):
        data = tile.encode()
        reference = 1 << (tile_bits + polygon_bits) | number << polygon_bits
        parts += [np.array((reference, len(data)), TILE_ENTRY).tobytes(), data]
    return b"".join(parts)


# --- tiles -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Grid:
    """Squares of a plot from `origin` on, in Detour's axes; few, because places are drawn tile by tile."""

    origin: Floats
    top: Floats
    size_m: float
    count: int

    def cut(self, detour_m: Floats, polygons: Integers, areas: NDArray[np.uint8]) -> list[_Tile]:
        """Return the tiles that have polygons; what lies across a border is cut along it."""
        padded = np.full((len(polygons), CORNERS), -1, np.int64)
        padded[:, : polygons.shape[1]] = polygons
        vertices_m, padded, source = self._cut_lines(detour_m.copy(), padded)
        areas = areas[source]
        corner_count = (padded >= 0).sum(axis=1)
        filled = np.where(padded >= 0, padded, padded[:, :1])
        # Corners behind the last one repeat the first, so they do not move the middle of the box.
        corners_m = vertices_m[filled][..., [0, 2]]
        middle_m = 0.5 * (corners_m.min(axis=1) + corners_m.max(axis=1))
        cell = np.clip(((middle_m - self.origin[[0, 2]]) / self.size_m).astype(np.int64), 0, self.count - 1)
        beside = _neighbours(filled, corner_count, len(vertices_m))
        tiles = []
        for row, column in np.ndindex(self.count, self.count):
            inside = np.flatnonzero((cell == (column, row)).all(axis=1))
            if len(inside):
                tiles.append(self._tile(column, row, inside, vertices_m, padded, areas, beside, cell))
        return tiles

    def _cut_lines(self, vertices_m: Floats, polygons: Integers) -> tuple[Floats, Integers, Integers]:
        """Return vertices, polygons and which polygon each of them was."""
        source = np.arange(len(polygons))
        for axis in (0, 2):
            for number in range(1, self.count):
                line_m = float(np.float32(self.origin[axis] + number * self.size_m))
                near = np.abs(vertices_m[:, axis] - line_m) < 0.01
                vertices_m[near, axis] = line_m
                side = np.sign(vertices_m[:, axis] - line_m)
                sides = np.where(polygons >= 0, side[polygons], 0.0)
                crossing = np.flatnonzero((sides.min(axis=1) < 0.0) & (sides.max(axis=1) > 0.0))
                cutter = _Cutter(vertices_m, axis, line_m)
                halves = [half for row in crossing for half in cutter.cut(polygons[row])]
                vertices_m = np.concatenate([vertices_m, np.array(cutter.added).reshape(-1, 3)])
                uncut = np.delete(polygons, crossing, axis=0)
                polygons = np.concatenate([uncut, np.array(halves, np.int64).reshape(-1, CORNERS)])
                source = np.concatenate([np.delete(source, crossing), np.repeat(source[crossing], 2)])
        return vertices_m, polygons, source

    def _tile(
        self,
        column: int,
        row: int,
        inside: Integers,
        vertices_m: Floats,
        polygons: Integers,
        areas: NDArray[np.uint8],
        beside: Integers,
        cell: Integers,
    ) -> _Tile:
        chosen = polygons[inside]
        used, local = np.unique(chosen[chosen >= 0], return_inverse=True)
        corners = np.full(chosen.shape, -1, np.int64)
        corners[chosen >= 0] = local
        numbers = np.full(len(polygons), -1, np.int64)
        numbers[inside] = np.arange(len(inside))
        others = beside[inside]
        step = np.where((others >= 0)[..., None], cell[others] - (column, row), 0)
        codes = np.where(others >= 0, numbers[others] + 1, 0)
        for code, across in ((_EAST, (1, 0)), (_NORTH, (0, 1)), (_WEST, (-1, 0)), (_SOUTH, (0, -1))):
            codes[(step == across).all(axis=2)] = OUTSIDE | code
        low = self.origin + np.array([column * self.size_m, 0.0, row * self.size_m])
        high = np.array([low[0] + self.size_m, self.top[1], low[2] + self.size_m])
        return _Tile(column, row, low, high, vertices_m[used], corners, codes, areas[inside])


class _Cutter:
    """Cuts polygons along a line; what is cut twice, from both sides of an edge, gets the same vertex."""

    def __init__(self, vertices_m: Floats, axis: int, line_m: float) -> None:
        self._vertices_m, self._axis, self._line_m = vertices_m, axis, line_m
        self._known: dict[tuple[int, int], int] = {}
        self.added: list[Floats] = []

    def cut(self, polygon: Integers) -> list[list[int]]:
        """Return what lies below the line and what lies above it."""
        corners = polygon[polygon >= 0].tolist()
        halves: list[list[int]] = [[], []]
        for corner, following in zip(corners, [*corners[1:], corners[0]], strict=True):
            here, ahead = self._height_m(corner), self._height_m(following)
            if here <= 0.0:
                halves[0].append(corner)
            if here >= 0.0:
                halves[1].append(corner)
            if here * ahead < 0.0:
                middle = self._crossing(corner, following)
                halves[0].append(middle)
                halves[1].append(middle)
        return [half + [-1] * (CORNERS - len(half)) for half in halves]

    def _height_m(self, vertex: int) -> float:
        return float(self._vertices_m[vertex, self._axis] - self._line_m)

    def _crossing(self, one: int, other: int) -> int:
        key = (min(one, other), max(one, other))
        if key not in self._known:
            self._known[key] = len(self._vertices_m) + len(self.added)
            start, end = self._vertices_m[key[0]], self._vertices_m[key[1]]
            share = (self._line_m - start[self._axis]) / (end[self._axis] - start[self._axis])
            place = start + share * (end - start)
            place[self._axis] = self._line_m
            self.added.append(place)
        return self._known[key]


def _neighbours(polygons: Integers, corner_count: Integers, vertex_count: int) -> Integers:
    """Return the polygon across each edge (P, 6), -1 = none.

    Args:
        polygons: corners; behind the last one, the first is repeated.
    """
    following = np.concatenate([polygons[:, 1:], polygons[:, :1]], axis=1)
    is_edge = np.arange(CORNERS) < corner_count[:, None]
    key = np.minimum(polygons, following) * vertex_count + np.maximum(polygons, following)
    edges = np.flatnonzero(is_edge.ravel())
    order = edges[np.argsort(key.ravel()[edges], kind="stable")]
    keys = key.ravel()[order]
    is_same = np.r_[keys[1:] == keys[:-1], False]
    is_first = is_same & ~np.r_[False, is_same[:-1]]
    one, other = order[np.flatnonzero(is_first)], order[np.flatnonzero(is_first) + 1]
    beside = np.full(polygons.size, -1, np.int64)
    beside[one], beside[other] = other // CORNERS, one // CORNERS
    return beside.reshape(polygons.shape)


@dataclass(frozen=True)
class _Tile:
    """A tile: polygons (P, 6) over its own vertices, and a code for what lies across each of their edges."""

    column: int
    row: int
    low: Floats
    high: Floats
    vertices_m: Floats
    polygons: Integers
    codes: Integers
    areas: NDArray[np.uint8]

    def encode(self) -> bytes:
        """Return the data of the tile."""
        count = len(self.polygons)
        is_corner = self.polygons >= 0
        corner_count = is_corner.sum(axis=1)
        table = np.zeros(count, POLYGON)
        table["vertices"], table["neighbours"] = np.where(is_corner, self.polygons, 0), self.codes
        table["flags"], table["area"], table["corner_count"] = (
            1 << self.areas.astype(np.uint16),
            self.areas,
            corner_count,
        )
        details, triangles = _triangulate(corner_count)
        steps_per_m = 1.0 / max(_FINEST_STEP_M, float((self.high - self.low).max()) / _STEPS)
        nodes = self._tree(steps_per_m)
        link_count = int(corner_count.sum() + 2 * (self.codes >= OUTSIDE).sum())
        header = np.zeros((), TILE_HEADER)
        values: dict[str, Any] = {
            "magic": TILE_MAGIC,
            "version": TILE_VERSION,
            "column": self.column,
            "row": self.row,
            "polygon_count": count,
            "vertex_count": len(self.vertices_m),
            "link_count": link_count,
            "detail_count": count,
            "triangle_count": len(triangles),
            "node_count": len(nodes),
            "jump_base": count,
            "walker_height": _WALKER_HEIGHT_M,
            "walker_radius": _WALKER_RADIUS_M,
            "walker_climb": _WALKER_CLIMB_M,
            "low": self.low,
            "high": self.high,
            "steps_per_m": steps_per_m,
        }
        for name, value in values.items():
            header[name] = value
        parts = (header, self.vertices_m.astype("<f4"), table, np.zeros(link_count, LINK), details, triangles, nodes)
        return b"".join(part.tobytes() for part in parts)

    def _tree(self, steps_per_m: float) -> NDArray[np.void]:
        corners_m = self.vertices_m[np.where(self.polygons >= 0, self.polygons, self.polygons[:, :1])] - self.low
        low = np.clip(np.floor(corners_m.min(axis=1) * steps_per_m), 0, 0xFFFF).astype(np.int64)
        high = np.clip(np.ceil(corners_m.max(axis=1) * steps_per_m), 0, 0xFFFF).astype(np.int64)
        return build_tree(low, high)


def _triangulate(corner_count: Integers) -> tuple[NDArray[np.void], NDArray[np.void]]:
    """Return how each polygon is made of triangles, which fan out from its first corner."""
    details = np.zeros(len(corner_count), DETAIL)
    details["triangle_count"] = corner_count - 2
    details["triangle_base"] = np.cumsum(corner_count - 2) - (corner_count - 2)
    owner = np.repeat(np.arange(len(corner_count)), corner_count - 2)
    place = np.arange(len(owner)) - details["triangle_base"][owner]
    triangles = np.zeros(len(owner), TRIANGLE)
    triangles["corners"] = np.column_stack([np.zeros_like(place), place + 1, place + 2])
    # Two bits for each side of a triangle: whether it is one of the polygon's.
    triangles["border"] = (place == 0) | 1 << 2 | (place == corner_count[owner] - 3) << 4
    return details, triangles


def build_tree(low: Integers, high: Integers) -> NDArray[np.void]:
    """Return a tree of boxes over N boxes (N, 3): 2 N - 1 nodes, each before those inside it.

    A leaf has the number of its box; any other node minus the number of nodes to skip if its box is of no interest.
    Each is cut in the middle of its items along its longest side.
    """
    count = len(low)
    nodes = np.zeros(max(2 * count - 1, 0), NODE)
    order = np.arange(count)
    positions, sizes = np.zeros(min(count, 1), np.int64), np.full(min(count, 1), count)
    while len(sizes):
        starts = np.cumsum(sizes) - sizes
        box_low, box_high = np.minimum.reduceat(low[order], starts), np.maximum.reduceat(high[order], starts)
        nodes["low"][positions], nodes["high"][positions] = box_low, box_high
        nodes["item"][positions] = np.where(sizes == 1, order[starts], -(2 * sizes - 1))
        group = np.repeat(np.arange(len(sizes)), sizes)
        axis = np.argmax(box_high - box_low, axis=1)
        order = order[np.lexsort((order, low[order, axis[group]], group))]
        is_cut = sizes > 1
        order = order[is_cut[group]]
        positions, sizes = positions[is_cut], sizes[is_cut]
        left = sizes // 2
        positions = np.column_stack([positions + 1, positions + 2 * left]).ravel()
        sizes = np.column_stack([left, sizes - left]).ravel()
    return nodes
