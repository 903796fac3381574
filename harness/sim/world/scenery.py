"""The things of a town that are no actors a client spawned: surfaces, poles, light heads and sign boards as boxes.

Everything here follows from the town file. What such a file does not say, buildings, walls and plants, does not exist.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.sim.world.blueprints import SemanticTag
from harness.sim.world.lanes import LaneSamples
from harness.sim.world.navigation import Ground as Walked
from harness.sim.world.navigation import Walkways
from harness.sim.world.oriented_boxes import OrientedBoxes, axes_of
from harness.sim.world.sidewalks import MARGIN_M
from harness.sim.world.signals import LIGHT_TYPE, Signal
from harness.sim.world.surfaces import Beside, Ground, Patches, Strips, make_strips

Array = NDArray[np.float64]

# The surface of a road is cut into boxes of this length along it.
_PIECE_M = 50.0
_SURFACE_HALF_HEIGHT_M = 0.05
_POLE_HALF_M = 0.15
_LIGHT_HALF_M = (0.2, 0.2, 0.5)
_BOARD_HALF_M = (0.4, 0.05, 0.4)
# Height of the middle of a light or board above the ground where the town file puts it on the ground itself.
_ON_POLE_M, _OVER_LANE_M = 3.0, 5.5
_RAISED_M = 1.0
_SURFACE_NAMES = {SemanticTag.ROADS: "Road", SemanticTag.SIDEWALKS: "Sidewalk"}


@dataclass(frozen=True, kw_only=True)
class Scenery:
    """N boxes, world frame; the surfaces first, then what stands.

    Attributes:
        names: unique within the town.
        ids: (N,) uint64; follow from town and name, so they are the same in every episode and on every server.
        tag: (N,) uint8, SemanticTag.
        centre_m: (N, 3).
        rotation_deg: (N, 3) pitch, yaw, roll.
        half_m: (N, 3).
        surfaces: how many of the boxes are surfaces.
        standing_signals: ids of the signals to which the other boxes belong.
        box_of_sample: (S,) box of each sample of `ground.strips`.
        ground: what the boxes of surfaces stand for.
        lights: signal id -> box of the light's head.
    """

    names: tuple[str, ...]
    ids: NDArray[np.uint64]
    tag: NDArray[np.uint8]
    centre_m: Array
    rotation_deg: Array
    half_m: Array
    surfaces: int
    standing_signals: tuple[str, ...]
    box_of_sample: NDArray[np.intp]
    ground: Ground
    lights: dict[str, int]

    @cached_property
    def standing(self) -> OrientedBoxes:
        """The boxes that are no surfaces, in order."""
        rows = slice(self.surfaces, None)
        return OrientedBoxes(
            centre_m=self.centre_m[rows], axes=axes_of(self.rotation_deg[rows]), half_m=self.half_m[rows]
        )


@dataclass(frozen=True)
class _Standing:
    """A box that stands somewhere."""

    name: str
    signal_id: str
    tag: SemanticTag
    centre_m: tuple[float, float, float]
    yaw_deg: float
    half_m: tuple[float, float, float]


def build_scenery(
    town_name: str,
    lanes: LaneSamples,
    beside: Beside,
    signals: Sequence[Signal],
    pole_signals: Iterable[str],
    walkways: Walkways,
) -> Scenery:
    """Derive the scenery of a town.

    Args:
        signals: lights and signs.
        pole_signals: ids of those that stand on a pole of their own; the others hang over the road.
        walkways: tell the sidewalks around corners, which belong to roads without driving lanes.
    """
    strips = make_strips(lanes, beside)
    ground = Ground(strips, _sidewalk_patches(strips, walkways))
    names, box_of_sample, centre_m, rotation_deg, half_m, tag = _pieces(strips)
    on_pole = set(pole_signals)
    standing = [box for signal in signals for box in _signal_boxes(signal, ground, signal.signal_id in on_pole)]
    lights = {
        box.signal_id: len(names) + number
        for number, box in enumerate(standing)
        if box.tag is SemanticTag.TRAFFIC_LIGHT
    }
    all_names = (*names, *(box.name for box in standing))
    return Scenery(
        names=all_names,
        ids=np.array([_stable_id(town_name, name) for name in all_names], np.uint64),
        tag=np.concatenate([tag, np.array([box.tag for box in standing], np.uint8)]),
        centre_m=np.concatenate([centre_m, _rows([box.centre_m for box in standing])]),
        rotation_deg=np.concatenate([rotation_deg, _rows([(0.0, box.yaw_deg, 0.0) for box in standing])]),
        half_m=np.concatenate([half_m, _rows([box.half_m for box in standing])]),
        surfaces=len(names),
        standing_signals=tuple(box.signal_id for box in standing),
        box_of_sample=box_of_sample,
        ground=ground,
        lights=lights,
    )


def _sidewalk_patches(strips: Strips, walkways: Walkways) -> Patches:
    """Return the sidewalks as polygons; in a town without sidewalks people walk on what is not one."""
    has_sidewalks = bool((strips.tag == SemanticTag.SIDEWALKS).any())
    rows = np.flatnonzero((walkways.ground == Walked.SIDEWALK) & has_sidewalks)
    return Patches(walkways.vertices_m, walkways.polygons[rows], MARGIN_M)


def _rows(values: Sequence[tuple[float, float, float]]) -> Array:
    return np.array(values, np.float64).reshape(len(values), 3)


def _stable_id(town_name: str, name: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{town_name}/{name}".encode(), digest_size=8).digest(), "little")


def _pieces(strips: Strips) -> tuple[list[str], NDArray[np.intp], Array, Array, Array, NDArray[np.uint8]]:
    """Cut the surfaces of each road into boxes.

    Returns:
        Names, the box of each sample, and centre [m], rotation [deg], half sizes [m] and tag of each box.
    """
    # One number holds tag, road (31 bits) and piece (20 bits: roads of 50,000 km), in this order.
    piece = np.floor(np.maximum(strips.s_m, 0.0) / _PIECE_M).astype(np.int64)
    keys = (strips.tag.astype(np.int64) << 51) | (strips.road_id.astype(np.int64) << 20) | piece
    distinct, box_of_sample = np.unique(keys, return_inverse=True)
    found = np.stack([distinct >> 51, (distinct >> 20) & 0x7FFFFFFF, distinct & 0xFFFFF], axis=1)
    order = np.argsort(box_of_sample, kind="stable")
    starts = np.searchsorted(box_of_sample[order], np.arange(len(found)))
    counts = np.diff(np.r_[starts, len(order)])
    yaw_rad = np.radians(_axis_deg(strips, order, starts))
    cos, sin = np.repeat(np.cos(yaw_rad), counts), np.repeat(np.sin(yaw_rad), counts)
    xy_m, reach_m = strips.xy_m[order], strips.half_width_m[order]
    # A sample stands for half a metre to each side along the lane, so every extent is the half width at least.
    along_m, across_m = xy_m[:, 0] * cos + xy_m[:, 1] * sin, xy_m[:, 1] * cos - xy_m[:, 0] * sin
    low_along, high_along = np.minimum.reduceat(along_m, starts), np.maximum.reduceat(along_m, starts)
    low_across = np.minimum.reduceat(across_m - reach_m, starts)
    high_across = np.maximum.reduceat(across_m + reach_m, starts)
    low_z, high_z = np.minimum.reduceat(strips.z_m[order], starts), np.maximum.reduceat(strips.z_m[order], starts)
    middle_along, middle_across = (low_along + high_along) / 2.0, (low_across + high_across) / 2.0
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    centre_m = np.stack(
        [middle_along * cos - middle_across * sin, middle_along * sin + middle_across * cos, (low_z + high_z) / 2.0],
        axis=1,
    )
    half_m = np.stack(
        [
            (high_along - low_along) / 2.0 + 0.5,
            (high_across - low_across) / 2.0,
            (high_z - low_z) / 2.0 + _SURFACE_HALF_HEIGHT_M,
        ],
        axis=1,
    )
    rotation_deg = np.stack([np.zeros(len(found)), np.degrees(yaw_rad), np.zeros(len(found))], axis=1)
    names = [f"{_SURFACE_NAMES[SemanticTag(kind)]}_{road}_{number}" for kind, road, number in found.tolist()]
    return names, box_of_sample, centre_m, rotation_deg, half_m, found[:, 0].astype(np.uint8)


def _axis_deg(strips: Strips, order: NDArray[np.intp], starts: NDArray[np.intp]) -> Array:
    """Return the direction of each box: the mean of its lanes' directions, of which both senses count alike."""
    double_rad = 2.0 * np.radians(strips.yaw_deg[order])
    sums = np.add.reduceat(np.sin(double_rad), starts), np.add.reduceat(np.cos(double_rad), starts)
    return np.asarray(np.degrees(np.arctan2(*sums) / 2.0))


def _signal_boxes(signal: Signal, ground: Ground, has_pole: bool) -> list[_Standing]:
    """Return the head or board of a light or sign, and its pole if it has one."""
    _, lowest_m = ground.heights_m(np.array([[signal.x_m, signal.y_m]]))
    foot_m = float(lowest_m[0]) if abs(lowest_m[0] - signal.z_m) < 10.0 else signal.z_m
    raised = signal.z_m - foot_m > _RAISED_M
    middle_m = signal.z_m if raised else foot_m + (_ON_POLE_M if has_pole else _OVER_LANE_M)
    is_light = signal.type == LIGHT_TYPE
    tag, half_m, kind = (
        (SemanticTag.TRAFFIC_LIGHT, _LIGHT_HALF_M, "TrafficLight")
        if is_light
        else (SemanticTag.TRAFFIC_SIGN, _BOARD_HALF_M, "TrafficSign")
    )
    boxes = [
        _Standing(
            f"{kind}_{signal.signal_id}",
            signal.signal_id,
            tag,
            (signal.x_m, signal.y_m, middle_m),
            signal.yaw_deg,
            half_m,
        )
    ]
    if has_pole:
        half_height_m = (middle_m - foot_m) / 2.0
        boxes.append(
            _Standing(
                f"Pole_{signal.signal_id}",
                signal.signal_id,
                SemanticTag.POLES,
                (signal.x_m, signal.y_m, foot_m + half_height_m),
                0.0,
                (_POLE_HALF_M, _POLE_HALF_M, half_height_m),
            )
        )
    return boxes
