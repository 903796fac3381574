"""A town's derived data survive being packed and unpacked, and nothing else gets through."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.sim.world.derived import pack, unpack
from harness.sim.world.town import Town

Arrays = dict[str, NDArray[Any]]


def assert_same(first: Town, second: Town) -> None:
    """Compare every part of two towns, bit for bit."""
    for part in ("lanes", "signed_junctions"):
        for field in dataclasses.fields(getattr(first, part)):
            one, other = (getattr(getattr(town, part), field.name) for town in (first, second))
            if field.name != "tree":
                assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes()), field.name
    for name in ("spawn_poses", "poles_m"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    for name in ("name", "opendrive", "lights", "signs", "controllers", "pole_signals"):
        assert getattr(first, name) == getattr(second, name)


@pytest.mark.parametrize("fixture", ["borough", "hill"])
def test_a_town_is_the_same_afterwards(fixture: str, request: pytest.FixtureRequest) -> None:
    town: Town = request.getfixturevalue(fixture)
    assert_same(unpack(town.name, town.opendrive, pack(town)), town)


def test_the_nearest_lane_is_the_same_afterwards(borough: Town) -> None:
    again = unpack(borough.name, borough.opendrive, pack(borough))
    places = np.random.default_rng(1).uniform(-50.0, 600.0, (500, 2))
    headings = np.linspace(-180.0, 180.0, 500)
    assert (again.lanes.nearest(places, headings) == borough.lanes.nearest(places, headings)).all()


def _changed(name: str, change: Callable[[NDArray[Any]], Any]) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {**arrays, name: change(arrays[name].copy())}


def _with_value(row: int, value: float) -> Callable[[NDArray[Any]], Any]:
    def change(array: NDArray[Any]) -> NDArray[Any]:
        array[row] = value
        return array

    return change


def _with_parts(**changes: Any) -> Callable[[Arrays], Arrays]:
    def change(arrays: Arrays) -> Arrays:
        parts = {**json.loads(arrays["parts"].tobytes()), **changes}
        return {**arrays, "parts": np.frombuffer(json.dumps(parts).encode(), np.uint8)}

    return change


DEFECTS: dict[str, Callable[[Arrays], Arrays]] = {
    "a column is missing": lambda arrays: {key: value for key, value in arrays.items() if key != "lanes.z_m"},
    "a column is shorter": _changed("lanes.z_m", lambda column: column[:-1]),
    "a column has another type": _changed("lanes.road_id", lambda column: column.astype(np.int16)),
    "a column has another shape": _changed("lanes.xy_m", lambda column: column[:, 0]),
    "numbers are objects": _changed("poles_m", lambda column: column.astype(object)),
    "a place is not a number": _changed("lanes.yaw_deg", _with_value(3, np.nan)),
    "a place is infinitely far": _changed("spawn_poses", _with_value(0, np.inf)),
    "a light that there is not": _changed("lanes.light_index", _with_value(0, 10_000)),
    "a row that there is not": _changed("junctions.waiting.rows", _with_value(0, 10**9)),
    "a row below none": _changed("junctions.major.rows", _with_value(0, -1)),
    "a distance too few": _changed("junctions.major_m.values", lambda column: column[:-1]),
    "no lane at all": lambda arrays: {
        key: value[:0] if key.startswith("lanes.") else value for key, value in arrays.items()
    },
    "text is no text": _changed("parts", lambda column: np.full(20, 255, np.uint8)),
    "text is no list of signals": _with_parts(lights=7),
    "a signal without a place": _with_parts(lights=[{"signal_id": "1", "type": "206"}]),
    "a pole of nobody": _with_parts(pole_signals=["nobody"]),
    "nested without end": lambda arrays: {**arrays, "parts": np.frombuffer(b"[" * 100_000, np.uint8)},
}


@pytest.mark.parametrize("name", DEFECTS)
def test_nothing_else_gets_through(borough: Town, name: str) -> None:
    with pytest.raises(ValueError):
        unpack(borough.name, borough.opendrive, DEFECTS[name](pack(borough)))
