"""A navigation mesh is read back with a small reader of its own and compared with what went in."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import harness.sim.wire.navmesh as navmesh
from harness.sim.wire.navmesh import build_tree, encode_navmesh
from harness.sim.wire.navmesh_layout import (
    DETAIL,
    LINK,
    NODE,
    OUTSIDE,
    POLYGON,
    SET_HEADER,
    TILE_ENTRY,
    TILE_HEADER,
    TRIANGLE,
)

Arrays = dict[str, NDArray[Any]]
Mesh = tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.uint8]]


def read(data: bytes) -> tuple[NDArray[Any], list[Arrays]]:
    """Return the header of a set and the parts of its tiles; every byte belongs to one of them."""
    at = 0

    def take(dtype: Any, count: int = 1) -> NDArray[Any]:
        nonlocal at
        size = np.dtype(dtype).itemsize * count
        assert at + size <= len(data)
        at += size
        return np.frombuffer(data[at - size : at], dtype, count)

    header = take(SET_HEADER)[0]
    tiles = []
    for _ in range(header["tile_count"]):
        entry = take(TILE_ENTRY)[0]
        end = at + entry["size"]
        tile = take(TILE_HEADER)[0]
        parts = {
            "reference": np.array(entry["reference"]),
            "header": tile,
            "vertices": take(("<f4", (3,)), tile["vertex_count"]),
            "polygons": take(POLYGON, tile["polygon_count"]),
            "links": take(LINK, tile["link_count"]),
            "details": take(DETAIL, tile["detail_count"]),
            "triangles": take(TRIANGLE, tile["triangle_count"]),
            "nodes": take(NODE, tile["node_count"]),
        }
        assert at == end
        tiles.append(parts)
    assert at == len(data)
    return header, tiles


def field(columns: int, rows: int, step_m: float = 2.0) -> Mesh:
    """Return a chequerboard of squares on a slope, each a polygon: x = column, y = row, z = x / 10."""
    y, x = np.mgrid[0 : rows + 1, 0 : columns + 1]
    vertices_m = np.column_stack([x.ravel() * step_m, y.ravel() * step_m, x.ravel() * step_m / 10.0])
    first = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    # Clockwise in a plot: up first, then to the right.
    polygons = np.column_stack([first, first + columns + 1, first + columns + 2, first + 1]).astype(np.int32)
    areas = (1 + (np.arange(len(first)) % 3 == 0)).astype(np.uint8)
    return vertices_m, polygons, areas


def corners_of(tile: Arrays, number: int) -> NDArray[Any]:
    polygon = tile["polygons"][number]
    return tile["vertices"][polygon["vertices"][: polygon["corner_count"]]]


def assert_is_sound(tile: Arrays) -> None:
    """Check what Detour relies on without looking: numbers in range, neighbours that know each other, boxes."""
    header, polygons, count = tile["header"], tile["polygons"], len(tile["polygons"])
    assert (polygons["corner_count"] >= 3).all() and (polygons["corner_count"] <= 6).all()
    inner = outer = 0
    for number, polygon in enumerate(polygons):
        corners = polygon["vertices"][: polygon["corner_count"]].tolist()
        assert max(corners) < len(tile["vertices"]) and len(set(corners)) == len(corners)
        for edge, code in enumerate(polygon["neighbours"][: polygon["corner_count"]].tolist()):
            if code >= OUTSIDE:
                assert code - OUTSIDE in (0, 2, 4, 6)
                outer += 1
            elif code:
                other = polygons[code - 1]
                shared = {corners[edge], corners[(edge + 1) % len(corners)]}
                back = [k for k in range(other["corner_count"]) if other["neighbours"][k] == number + 1]
                assert any(
                    {other["vertices"][k], other["vertices"][(k + 1) % other["corner_count"]]} == shared for k in back
                )
                inner += 1
        assert polygon["flags"] == 1 << polygon["area"]
        xz = corners_of(tile, number)[:, [0, 2]].astype(np.float64)
        after = np.roll(xz, -1, axis=0)
        assert (xz[:, 0] * after[:, 1] - xz[:, 1] * after[:, 0]).sum() < 0.0
    assert inner + outer <= header["link_count"]
    detail = tile["details"]
    assert (detail["triangle_count"] == polygons["corner_count"] - 2).all()
    assert detail["triangle_count"].sum() == len(tile["triangles"])
    leaves = tile["nodes"][tile["nodes"]["item"] >= 0]
    assert sorted(leaves["item"].tolist()) == list(range(count))
    for leaf in leaves:
        at = (corners_of(tile, leaf["item"]) - header["low"]) * header["steps_per_m"]
        assert (leaf["low"] <= at.min(axis=0) + 0.1).all() and (at.max(axis=0) <= leaf["high"] + 0.1).all()
        assert (leaf["high"] - at.max(axis=0) < 1.1).all() and (at.min(axis=0) - leaf["low"] < 1.1).all()


def test_a_mesh_is_read_back() -> None:
    vertices_m, polygons, areas = field(7, 5)
    header, (tile,) = read(encode_navmesh(vertices_m, polygons, areas))
    assert (header["magic"], header["version"]) == (0x4D534554, 1)
    assert (tile["header"]["magic"], tile["header"]["version"]) == (0x444E4156, 7)
    assert_is_sound(tile)
    np.testing.assert_allclose(tile["vertices"][:, [0, 2, 1]], vertices_m, atol=1e-5)
    assert (tile["polygons"]["vertices"][:, :4] == polygons).all()
    assert (tile["polygons"]["area"] == areas).all()
    # Every edge inside the field has a polygon on either side.
    assert (tile["polygons"]["neighbours"] > 0).sum() == 2 * (6 * 5 + 7 * 4)


def test_the_same_mesh_gives_the_same_bytes() -> None:
    assert encode_navmesh(*field(7, 5)) == encode_navmesh(*field(7, 5))
    assert encode_navmesh(*field(7, 5)) != encode_navmesh(*field(7, 5, step_m=2.1))


def test_an_empty_mesh_has_no_tile() -> None:
    nothing = np.zeros((0, 3)), np.zeros((0, 4), np.int32), np.zeros(0, np.uint8)
    assert read(encode_navmesh(*nothing))[1] == []


def test_three_polygons_at_one_edge_make_one_pair() -> None:
    vertices_m = np.array([[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [1.0, 1.0, 0.0], [2.0, 1.0, 0.0], [3.0, 1.0, 0.0]])
    polygons = np.array([[0, 1, 2, -1], [0, 1, 3, -1], [0, 1, 4, -1]], np.int32)
    _, (tile,) = read(encode_navmesh(vertices_m, polygons, np.ones(3, np.uint8)))
    assert tile["polygons"]["neighbours"][:, 0].tolist() == [2, 1, 0]


@pytest.mark.parametrize("most", [400, 60, 10])
def test_a_large_mesh_is_cut_into_tiles_that_go_on_in_each_other(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(navmesh, "MAX_POLYGONS", most)
    vertices_m, polygons, areas = field(25, 17)
    header, tiles = read(encode_navmesh(vertices_m, polygons, areas))
    assert len(tiles) > 1
    tile_bits = int(header["max_tiles"]).bit_length() - 1
    polygon_bits = int(header["max_polygons"]).bit_length() - 1
    assert 32 - tile_bits - polygon_bits >= 10
    area_m2 = 0.0
    borders: dict[tuple[Any, ...], list[tuple[int, int, int]]] = defaultdict(list)
    for number, tile in enumerate(tiles):
        assert_is_sound(tile)
        assert len(tile["polygons"]) <= min(most, 1 << polygon_bits)
        assert int(tile["reference"]) >> polygon_bits & (1 << tile_bits) - 1 == number
        assert int(tile["reference"]) >> polygon_bits + tile_bits == 1
        low = header["origin"][[0, 2]] + header["tile_size"] * (tile["header"]["column"], tile["header"]["row"])
        np.testing.assert_allclose(tile["header"]["low"][[0, 2]], low, atol=1e-4)
        for k, polygon in enumerate(tile["polygons"]):
            corners = corners_of(tile, k)
            assert (corners >= tile["header"]["low"] - 0.011).all() and (
                corners <= tile["header"]["high"] + 0.011
            ).all()
            after = np.roll(corners, -1, axis=0)
            area_m2 -= 0.5 * float((corners[:, 0] * after[:, 2] - corners[:, 2] * after[:, 0]).sum())
            for edge in np.flatnonzero(polygon["neighbours"] >= OUTSIDE):
                ends = frozenset(map(tuple, (corners[edge], after[edge])))
                place = tile["header"]["column"], tile["header"]["row"]
                borders[ends].append((*place, int(polygon["neighbours"][edge]) - OUTSIDE))
    assert area_m2 == pytest.approx(25 * 17 * 4.0, rel=1e-4)
    assert borders
    for ends, (one, other) in borders.items():
        assert (one[2] + 4) % 8 == other[2]
        step = {0: (1, 0), 2: (0, 1), 4: (-1, 0), 6: (0, -1)}[one[2]]
        assert (one[0] + step[0], one[1] + step[1]) == other[:2]
        start, end = ends
        assert start[0 if one[2] in (0, 4) else 2] == end[0 if one[2] in (0, 4) else 2]


@settings(max_examples=40)
@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_the_tree_holds_every_box_inside_those_above_it(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    low = random.integers(0, 5_000, (count, 3))
    high = low + random.integers(0, 500, (count, 3))
    nodes = build_tree(low, high)
    assert len(nodes) == 2 * count - 1

    def check(at: int) -> tuple[int, list[int]]:
        """Return the node behind a subtree and its items."""
        node = nodes[at]
        if node["item"] >= 0:
            assert (node["low"] == low[node["item"]]).all() and (node["high"] == high[node["item"]]).all()
            return at + 1, [int(node["item"])]
        middle, left = check(at + 1)
        end, right = check(middle)
        assert end == at - node["item"]
        items = left + right
        assert (node["low"] == low[items].min(axis=0)).all() and (node["high"] == high[items].max(axis=0)).all()
        return end, items

    end, items = check(0)
    assert end == len(nodes) and sorted(items) == list(range(count))


@settings(max_examples=15)
@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.5, 90.0), st.integers(5, 200))
def test_any_field_is_sound(columns: int, rows: int, step_m: float, most: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(navmesh, "MAX_POLYGONS", most)
        for tile in read(encode_navmesh(*field(columns, rows, step_m)))[1]:
            assert_is_sound(tile)
