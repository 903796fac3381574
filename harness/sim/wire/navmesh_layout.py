"""The parts of a navigation mesh file as numpy dtypes; see `navmesh`."""

from __future__ import annotations

import numpy as np

SET_MAGIC, SET_VERSION = 0x4D534554, 1  # 'MSET'
TILE_MAGIC, TILE_VERSION = 0x444E4156, 7  # 'DNAV'
CORNERS = 6
OUTSIDE = 0x8000
# A neighbour is stored as its number plus one, below `OUTSIDE`; Detour counts vertices in 16 bits.
MAX_POLYGONS, MAX_VERTICES = 0x7FFE, 0xFFFE
SET_HEADER = np.dtype(
    [
        ("magic", "<i4"),
        ("version", "<i4"),
        ("tile_count", "<i4"),
        ("origin", "<f4", (3,)),
        ("tile_size", "<f4", (2,)),
        ("max_tiles", "<i4"),
        ("max_polygons", "<i4"),
    ]
)
TILE_ENTRY = np.dtype([("reference", "<u4"), ("size", "<i4")])
TILE_HEADER = np.dtype(
    [
        ("magic", "<i4"),
        ("version", "<i4"),
        ("column", "<i4"),
        ("row", "<i4"),
        ("layer", "<i4"),
        ("user_id", "<u4"),
        ("polygon_count", "<i4"),
        ("vertex_count", "<i4"),
        ("link_count", "<i4"),
        ("detail_count", "<i4"),
        ("detail_vertex_count", "<i4"),
        ("triangle_count", "<i4"),
        ("node_count", "<i4"),
        ("jump_count", "<i4"),
        ("jump_base", "<i4"),
        ("walker_height", "<f4"),
        ("walker_radius", "<f4"),
        ("walker_climb", "<f4"),
        ("low", "<f4", (3,)),
        ("high", "<f4", (3,)),
        ("steps_per_m", "<f4"),
    ]
)
POLYGON = np.dtype(
    [
        ("first_link", "<u4"),
        ("vertices", "<u2", (CORNERS,)),
        ("neighbours", "<u2", (CORNERS,)),
        ("flags", "<u2"),
        ("corner_count", "u1"),
        ("area", "u1"),
    ]
)
LINK = np.dtype([("reference", "<u4"), ("next", "<u4"), ("edge_side_limits", "u1", (4,))])
DETAIL = np.dtype(
    [("vertex_base", "<u4"), ("triangle_base", "<u4"), ("vertex_count", "u1"), ("triangle_count", "u1"), ("", "V2")]
)
TRIANGLE = np.dtype([("corners", "u1", (3,)), ("border", "u1")])
NODE = np.dtype([("low", "<u2", (3,)), ("high", "<u2", (3,)), ("item", "<i4")])
