"""A town's derived data as plain arrays and back, so that they can be kept on disk.

`unpack` believes nothing: names, types, shapes, ranges and finiteness are checked, because whatever is wrong there
would end up in the state of a simulation.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.lanes import LaneSamples
from harness.sim.world.navigation import Walkways
from harness.sim.world.right_of_way import SignedJunctions
from harness.sim.world.signals import Box, Controller, LanePlace, Signal, StopLine
from harness.sim.world.surfaces import Beside
from harness.sim.world.town import Town

Arrays = Mapping[str, NDArray[Any]]

_LANES: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "xy_m": (np.float64, (2,)),
    "z_m": (np.float64, ()),
    "yaw_deg": (np.float64, ()),
    "pitch_deg": (np.float64, ()),
    "half_width_m": (np.float64, ()),
    "s_m": (np.float64, ()),
    "road_id": (np.int32, ()),
    "lane_id": (np.int32, ()),
    "is_junction": (np.bool_, ()),
    "light_index": (np.int32, ()),
    "sign_limit_kmh": (np.float32, ()),
}
_JUNCTIONS: dict[str, tuple[type[np.generic], float]] = {
    "waiting": (np.int64, -1),
    "wait_s": (np.float64, 0.0),
    "inside": (np.int64, -1),
    "major": (np.int64, -1),
    "major_m": (np.float64, math.inf),
}
_WALKWAYS: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "vertices_m": (np.float64, (3,)),
    "polygons": (np.int32, (4,)),
    "ground": (np.uint8, ()),
}
_BESIDE: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "row": (np.int32, ()),
    "right_m": (np.float64, ()),
    "half_width_m": (np.float64, ()),
    "tag": (np.uint8, ()),
}


def pack(town: Town) -> dict[str, NDArray[Any]]:
    """Return everything about a town but its name and its text, as arrays that `unpack` turns back, bit for bit."""
    arrays = {f"lanes.{name}": _smaller(getattr(town.lanes, name)) for name in _LANES}
    for name, (_, nothing) in _JUNCTIONS.items():
        # Few places lie at junctions with signs.
        column = getattr(town.signed_junctions, name)
        rows = np.flatnonzero(column != nothing)
        arrays[f"junctions.{name}.rows"], arrays[f"junctions.{name}.values"] = rows, column[rows]
    arrays["spawn_poses"], arrays["poles_m"] = town.spawn_poses, town.poles_m
    for name in _BESIDE:
        arrays[f"beside.{name}"] = getattr(town.beside, name)
    for name in _WALKWAYS:
        arrays[f"walkways.{name}"] = getattr(town.walkways, name)
    parts = {
        "lights": [dataclasses.asdict(signal) for signal in town.lights],
        "signs": [dataclasses.asdict(signal) for signal in town.signs],
        "controllers": [dataclasses.asdict(controller) for controller in town.controllers],
        "pole_signals": town.pole_signals,
    }
    arrays["parts"] = np.frombuffer(json.dumps(parts).encode(), np.uint8)
    return arrays


def unpack(name: str, opendrive: str, arrays: Arrays) -> Town:
    """Return the town whose derived data `pack` returned.

    Raises:
        ValueError: something is missing, has another form, or lies where nothing can lie.
    """
    from scipy.spatial import cKDTree

    try:
        columns = {key: _column(arrays[f"lanes.{key}"], *form) for key, form in _LANES.items()}
        count = len(columns["xy_m"])
        if not count or any(len(column) != count for column in columns.values()):
            raise ValueError("the lane samples differ in number, or there are none")
        parts = json.loads(bytes(_column(arrays["parts"], np.uint8, ())))
        lights, signs = (tuple(map(_signal, parts[key])) for key in ("lights", "signs"))
        town = Town(
            name=name,
            opendrive=opendrive,
            lanes=LaneSamples(**columns, tree=cKDTree(columns["xy_m"])),
            lights=lights,
            signs=signs,
            controllers=tuple(_controller(each) for each in parts["controllers"]),
            spawn_poses=_column(arrays["spawn_poses"], np.float64, (6,)),
            poles_m=_column(arrays["poles_m"], np.float64, (3,)),
            pole_signals=tuple(str(signal) for signal in parts["pole_signals"]),
            signed_junctions=SignedJunctions(
                **{key: _spread(arrays, key, count, *form) for key, form in _JUNCTIONS.items()}
            ),
            beside=Beside(**{key: _column(arrays[f"beside.{key}"], *form) for key, form in _BESIDE.items()}),
            walkways=Walkways(**{key: _column(arrays[f"walkways.{key}"], *form) for key, form in _WALKWAYS.items()}),
        )
    except (KeyError, TypeError, IndexError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error
    _check_references(town)
    return town


def _smaller(column: NDArray[Any]) -> NDArray[Any]:
    """Return numbers in 32 bits if they are the same there: most come from the client, which has them so."""
    if column.dtype == np.float64:
        small = column.astype(np.float32)
        if np.array_equal(small.astype(np.float64), column):
            return small
    return column


def _column(found: NDArray[Any], dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    is_small = dtype is np.float64 and found.dtype == np.float32
    if (found.dtype != dtype and not is_small) or found.ndim != 1 + len(shape) or found.shape[1:] != shape:
        raise ValueError(f"found {found.dtype} of shape {found.shape}, expected {np.dtype(dtype)} of (N, *{shape})")
    column = np.ascontiguousarray(found, dtype)
    if column.dtype.kind == "f" and not np.isfinite(column).all():
        raise ValueError("found numbers that are not finite")
    return column


def _spread(arrays: Arrays, name: str, count: int, dtype: type[np.generic], nothing: float) -> NDArray[Any]:
    rows = _column(arrays[f"junctions.{name}.rows"], np.int64, ())
    values = _column(arrays[f"junctions.{name}.values"], dtype, ())
    if len(rows) != len(values) or (len(rows) and not 0 <= rows.min() <= rows.max() < count):
        raise ValueError(f"junctions.{name} points outside the lanes")
    column = np.full(count, nothing, dtype)
    column[rows] = values
    return column


def _check_references(town: Town) -> None:
    index = town.lanes.light_index
    if not -1 <= index.min() <= index.max() < len(town.lights):
        raise ValueError("a lane is governed by a light that there is not")
    if len(town.pole_signals) != len(town.poles_m):
        raise ValueError("poles and their signals differ in number")
    known = {signal.signal_id for signal in (*town.lights, *town.signs)}
    if not known.issuperset(town.pole_signals):
        raise ValueError("a pole belongs to a signal that there is not")
    beside = town.beside
    if any(len(getattr(beside, name)) != len(beside.row) for name in _BESIDE):
        raise ValueError("the surfaces beside the lanes differ in number")
    if len(beside.row) and not 0 <= beside.row.min() <= beside.row.max() < len(index):
        raise ValueError("a surface lies beside a lane sample that there is not")
    ways = town.walkways
    if len(ways.ground) != len(ways.polygons):
        raise ValueError("walkways and what they are differ in number")
    if len(ways.polygons) and (ways.polygons.min() < -1 or ways.polygons[:, :3].min() < 0):
        raise ValueError("a walkway has no three corners")
    if ways.polygons.max(initial=-1) >= len(ways.vertices_m):
        raise ValueError("a walkway has a corner that there is not")


# --- signals ---------------------------------------------------------------------------------------------------------


def _signal(data: dict[str, Any]) -> Signal:
    return Signal(
        signal_id=str(data["signal_id"]),
        type=str(data["type"]),
        **_numbers(data, "limit_kmh", "x_m", "y_m", "z_m", "yaw_deg"),
        trigger=Box(**_numbers(data["trigger"], "x_m", "y_m", "z_m", "half_x_m", "half_y_m", "half_z_m")),
        stop_lines=tuple(_stop_line(line) for line in data["stop_lines"]),
        places=tuple(_place(place) for place in data["places"]),
    )


def _stop_line(data: dict[str, Any]) -> StopLine:
    return StopLine(
        **_numbers(data, "x_m", "y_m", "z_m", "yaw_deg", "half_width_m"),
        junction_id=int(data["junction_id"]),
        approach=tuple(_place(place) for place in data["approach"]),
    )


def _place(data: dict[str, Any]) -> LanePlace:
    return LanePlace(int(data["road_id"]), int(data["lane_id"]), **_numbers(data, "s_m"))


def _controller(data: dict[str, Any]) -> Controller:
    return Controller(
        controller_id=str(data["controller_id"]),
        signal_ids=tuple(str(signal) for signal in data["signal_ids"]),
        junction_id=str(data["junction_id"]),
        sequence=int(data["sequence"]),
    )


def _numbers(data: dict[str, Any], *names: str) -> dict[str, float]:
    numbers = {name: float(data[name]) for name in names}
    if not all(map(math.isfinite, numbers.values())):
        raise ValueError(f"{names} hold a number that is not finite")
    return numbers
